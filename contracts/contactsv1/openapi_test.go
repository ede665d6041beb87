package contactsv1

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func document(t *testing.T) map[string]any {
	t.Helper()
	var doc map[string]any
	if err := yaml.Unmarshal(OpenAPI(), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestTheDocumentTellsOfEveryRoute(t *testing.T) {
	t.Parallel()
	doc := document(t)
	paths := doc["paths"].(map[string]any)
	documented := map[string]bool{}
	for path, item := range paths {
		for method := range item.(map[string]any) {
			documented[strings.ToUpper(method)+" "+path] = true
		}
	}
	h := &handler{}
	for path := range paths {
		routes, _ := h.routes(path)
		for method := range routes {
			if !documented[method+" "+path] {
				t.Errorf("%s %s is served and not documented", method, path)
			}
		}
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			_, served := routes[method]
			if documented[method+" "+path] && !served && path != "/openapi.yaml" && path != "/api-info" {
				t.Errorf("%s %s is documented and not served", method, path)
			}
		}
	}
}

func TestTheDocumentTellsOfEveryCode(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("types.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile(`Code[A-Za-z]+ += "([a-z_]+)"`).FindAllSubmatch(source, -1) {
		if !strings.Contains(string(OpenAPI()), "`"+string(match[1])+"`") {
			t.Errorf("openapi.yaml says nothing of %s", match[1])
		}
	}
}

// What the document and the code say of the same.
func TestTheDocumentAndTheCodeAgree(t *testing.T) {
	t.Parallel()
	schemas := document(t)["components"].(map[string]any)["schemas"].(map[string]any)
	pattern := func(schema, member string) any {
		return schemas[schema].(map[string]any)["properties"].(map[string]any)[member].(map[string]any)["pattern"]
	}
	for _, tt := range []struct {
		in   any
		code *regexp.Regexp
	}{
		{pattern("person", "root"), rootText}, {pattern("person", "extension"), extensionText},
		{schemas["version"].(map[string]any)["pattern"], versionText},
	} {
		if tt.in != tt.code.String() {
			t.Errorf("the document has %v, the code %v", tt.in, tt.code)
		}
	}
	if version() == "1" || !slices.Contains([]string{"1.0.0"}, version()) {
		t.Errorf("api-info tells version %s", version())
	}
}
