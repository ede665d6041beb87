// Package wiretest judges messages by what is not ours: the official schemas, xmllint, golden files.
//
// It knows no contract, so that the contracts' own tests can use it. Start with Tap, which keeps what went over the wire.
package wiretest

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"contactsync/contracts/rivta"
	"contactsync/contracts/xsd"
)

// Missing skips the test where a tool or the official schemas are absent, and fails it where they must be there.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing", what)
	}
	t.Skipf("%s is missing: not tested", what)
}

// Official returns a file among the official schemas, which lie beside the project.
func Official(t testing.TB, path ...string) string {
	t.Helper()
	file, err := filepath.Abs(filepath.Join(append([]string{"../../../shared/rivta/schemas"}, path...)...))
	if err == nil {
		_, err = os.Stat(file)
	}
	if err != nil {
		Missing(t, "the folder of the official schemas")
	}
	return file
}

// Valid tells which of the documents are valid by the schema, a file.
func Valid(t testing.TB, schema string, documents []string) []bool {
	t.Helper()
	program, err := exec.LookPath("xmllint")
	if err != nil {
		Missing(t, "xmllint (libxml2-utils)")
	}
	args := []string{"--noout", "--nonet", "--schema", schema}
	dir, numberOf := t.TempDir(), map[string]int{}
	for i, document := range documents {
		file := filepath.Join(dir, fmt.Sprintf("%03d.xml", i))
		if err := os.WriteFile(file, []byte(document), 0o600); err != nil {
			t.Fatal(err)
		}
		args, numberOf[file] = append(args, file), i
	}
	output, _ := exec.CommandContext(t.Context(), program, args...).CombinedOutput() // exits 3 when any file is invalid
	verdicts, judged := make([]bool, len(documents)), 0
	for line := range strings.Lines(string(output)) {
		file, valid := strings.CutSuffix(strings.TrimSpace(line), " validates")
		file, invalid := strings.CutSuffix(file, " fails to validate")
		if valid || invalid {
			verdicts[numberOf[file]] = valid
			judged++
		}
	}
	if judged != len(documents) {
		t.Fatalf("xmllint judged %d of %d documents:\n%s", judged, len(documents), output)
	}
	return verdicts
}

// Golden compares a text with a file, or writes the file anew.
func Golden(t testing.TB, path string, text []byte, update bool) {
	t.Helper()
	if update {
		if err := os.WriteFile(path, append(bytes.Clone(text), '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.TrimSuffix(string(want), "\n"), string(text)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// Payload is the one element in the body of a SOAP message.
func Payload(t testing.TB, message []byte) string {
	t.Helper()
	root := parsed(t, message)
	body := root.Children[len(root.Children)-1]
	return string(rivta.Append(nil, body.Children[0]))
}

func parsed(t testing.TB, text []byte) rivta.Element {
	t.Helper()
	root, err := rivta.Parse(bytes.NewReader(text), rivta.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// Outline is a WSDL or schema as lines: each element with its attributes, names in content resolved, and how deep it is. What
// only people read, where documents lie, and defaults that are written out are left out.
func Outline(t testing.TB, text []byte) []string {
	t.Helper()
	var lines []string
	var walk func(e rivta.Element, depth int)
	walk = func(e rivta.Element, depth int) {
		if e.Name.Local == "annotation" || e.Name.Local == "documentation" {
			return
		}
		lines = append(lines, fmt.Sprintf("%s%s%v", strings.Repeat(" ", depth), e.Name, attributes(e)))
		for _, child := range e.Children {
			walk(child, depth+1)
		}
	}
	walk(parsed(t, text), 0)
	return lines
}

func attributes(e rivta.Element) map[string]string {
	values := map[string]string{}
	for _, attr := range e.Attrs {
		switch name := attr.Name.Local; {
		case attr.Name.Space == "xmlns", name == "location", name == "schemaLocation", name == "minOccurs" && attr.Value == "1":
		case name == "element", name == "message", name == "binding", name == "type", name == "base":
			values[name] = fmt.Sprint(xsd.TypeName(e, attr.Value))
		default:
			values[name] = attr.Value
		}
	}
	return values
}

// Tap is a rivta.Doer that hands requests straight to a handler, as if they came from a system over mutual TLS, and keeps what
// went through.
type Tap struct {
	Handler         http.Handler
	System          string // HSA-id
	Request, Answer []byte
}

// Do implements rivta.Doer.
func (d *Tap) Do(r *http.Request) (*http.Response, error) {
	var err error
	if d.Request, err = io.ReadAll(r.Body); err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(d.Request))
	serial := pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 5}, Value: d.System}
	cert := &x509.Certificate{Subject: pkix.Name{Names: []pkix.AttributeTypeAndValue{serial}}}
	r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{cert}}}
	w := httptest.NewRecorder()
	d.Handler.ServeHTTP(w, r)
	d.Answer = w.Body.Bytes()
	return w.Result(), nil
}

// Zeep returns a Python that has zeep: CONTACTSYNC_ZEEP, or that of the virtual environment .cache/zeep.
func Zeep(t testing.TB) string {
	t.Helper()
	python := os.Getenv("CONTACTSYNC_ZEEP")
	if python == "" {
		python = "../../.cache/zeep/bin/python"
	}
	if err := exec.CommandContext(t.Context(), python, "-c", "import zeep").Run(); err != nil {
		Missing(t, "a Python with zeep (set CONTACTSYNC_ZEEP)")
	}
	return python
}
