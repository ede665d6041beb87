package reason_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"contactsync/consent/reason"
)

func TestEveryCodeHasItsText(t *testing.T) {
	t.Parallel()
	listed := map[string]bool{}
	for _, entry := range reason.List() {
		code := string(entry.Code)
		if listed[code] {
			t.Errorf("%s is listed twice", code)
		}
		listed[code] = true
		if !regexp.MustCompile(`^([a-z]+(_[a-z]+)*:)?[a-z]+(_[a-z]+)*$`).MatchString(code) {
			t.Errorf("%s is no code in lower case", code)
		}
		for _, text := range []string{entry.Text.SV, entry.Text.EN} {
			if !strings.HasSuffix(text, ".") || strings.TrimSpace(text) != text || strings.Contains(text, "  ") {
				t.Errorf("%s: %q is no sentence", code, text)
			}
		}
	}
	for name, code := range declaredCodes(t) {
		if !listed[code] {
			t.Errorf("%s (%s) is not listed", name, code)
		}
		delete(listed, code)
	}
	for code := range listed {
		t.Errorf("%s is listed, but no constant", code)
	}
}

// declaredCodes reads the constants of type Code from the source: name → code.
func declaredCodes(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := map[string]string{}
	for _, file := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok {
				addCode(t, codes, spec)
			}
			return true
		})
	}
	if len(codes) == 0 {
		t.Fatal("no constants of type Code found")
	}
	return codes
}

// addCode takes up a constant written as Name Code = "code".
func addCode(t *testing.T, codes map[string]string, spec *ast.ValueSpec) {
	t.Helper()
	if typ, ok := spec.Type.(*ast.Ident); !ok || typ.Name != "Code" || len(spec.Values) != 1 {
		return
	}
	code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
	if err != nil {
		t.Fatal(err)
	}
	codes[spec.Names[0].Name] = code
}

func TestTextOfACode(t *testing.T) {
	t.Parallel()
	for _, entry := range reason.List() {
		if text, ok := entry.Code.Text(); !ok || text != entry.Text {
			t.Errorf("%s: %q, %v", entry.Code, text, ok)
		}
	}
	if text, ok := reason.Code("no_such_code").Text(); ok || text != (reason.Text{}) {
		t.Errorf("an unknown code has the text %q", text)
	}
}

func TestRefusalSaysFieldAndCode(t *testing.T) {
	t.Parallel()
	bare := reason.Refuse(reason.ValueEmpty)
	placed := &reason.Refusal{Field: "value", Code: reason.ValueEmpty}
	wrapped := fmt.Errorf("decode event: %w", placed)
	for _, tt := range []struct {
		about string
		err   error
		text  string
		code  reason.Code
	}{
		{"without a field", bare, "value_invalid:empty", reason.ValueEmpty},
		{"with a field", placed, "value: value_invalid:empty", reason.ValueEmpty},
		{"wrapped", wrapped, "decode event: value: value_invalid:empty", reason.ValueEmpty},
		{"any other error", fs.ErrNotExist, "file does not exist", ""},
	} {
		if tt.err.Error() != tt.text || reason.Of(tt.err) != tt.code {
			t.Errorf("%s: %q, %q; want %q, %q", tt.about, tt.err, reason.Of(tt.err), tt.text, tt.code)
		}
	}
	if reason.Of(nil) != "" {
		t.Error("no error has a code")
	}
}
