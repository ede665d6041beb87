package mockregister

import (
	"encoding/csv"
	"flag"
	"io"
	"maps"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"contactsync/contracts/contracttest"
)

var ship = flag.Bool("ship", false, "keep what is served now as shipped, as far as it breaks nothing")

// shippedFolder holds what callers were given to build on. Its manifest says at which address each document is served.
const shippedFolder = "../../testdata/contracts/shipped"

// openAPIs are the addresses of documents that no WSDL leads to.
func openAPIs() []string { return []string{"/contact-register/v1/openapi.yaml"} }

// TestServedDocumentsBreakNobody compares each document that was shipped with what is served at its address now.
func TestServedDocumentsBreakNobody(t *testing.T) {
	t.Parallel()
	s := serve(t)
	served, shipped := s.documents(t), readManifest(t)
	for address, file := range shipped {
		text, ok := served[address]
		if !ok {
			t.Errorf("%s was shipped and is no longer served", address)
			continue
		}
		compare := contracttest.CompatibleXML
		if path.Ext(file) == ".yaml" {
			compare = contracttest.CompatibleOpenAPI
		}
		for _, sentence := range compare(must(os.ReadFile(filepath.Join(shippedFolder, file)))(t), text) {
			t.Errorf("%s breaks its callers: %s", address, sentence)
		}
	}
	if *ship && !t.Failed() {
		shipped = writeShipped(t, served)
	}
	for _, address := range slices.Sorted(maps.Keys(served)) {
		if _, ok := shipped[address]; !ok {
			t.Errorf("%s is served and has no shipped copy: run this test with -ship", address)
		}
	}
}

// documents are all that the register serves, by address, as if it were register.example.
func (s served) documents(t *testing.T) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	client := s.HTTP(t, worker)
	_, contracts := s.document(t, client, "/")
	for _, contract := range regexp.MustCompile(`(?m)^/rivta/\S+$`).FindAllString(contracts, -1) {
		waiting := []string{contract + "?wsdl"}
		for len(waiting) > 0 {
			address := waiting[0]
			waiting = waiting[1:]
			if all[address] != nil {
				continue
			}
			status, text := s.document(t, client, address)
			if status != http.StatusOK {
				t.Fatalf("%s: status %d", address, status)
			}
			all[address] = []byte(text)
			for _, found := range regexp.MustCompile(`schemaLocation="https://register\.example([^"]+)"`).FindAllStringSubmatch(text, -1) {
				waiting = append(waiting, found[1])
			}
		}
	}
	for _, address := range openAPIs() {
		if status, text := s.document(t, client, address); status == http.StatusOK {
			all[address] = []byte(text)
		}
	}
	return all
}

func (s served) document(t *testing.T, client *http.Client, address string) (status int, text string) {
	t.Helper()
	request := must(http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+address, nil))(t)
	response := must(client.Do(request))(t)
	defer response.Body.Close()
	text = string(must(io.ReadAll(response.Body))(t))
	return response.StatusCode, strings.ReplaceAll(text, s.URL, "https://register.example")
}

// readManifest tells the file of each address.
func readManifest(t *testing.T) map[string]string {
	t.Helper()
	file := must(os.Open(filepath.Join(shippedFolder, "manifest.csv")))(t)
	defer file.Close()
	files := map[string]string{}
	for _, row := range must(csv.NewReader(file).ReadAll())(t)[1:] {
		files[row[0]] = row[1]
	}
	return files
}

func writeShipped(t *testing.T, served map[string][]byte) map[string]string {
	t.Helper()
	files := map[string]string{}
	rows := [][]string{{"address", "file"}}
	for _, address := range slices.Sorted(maps.Keys(served)) {
		files[address] = fileOf(address)
		rows = append(rows, []string{address, files[address]})
		file := filepath.Join(shippedFolder, files[address])
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, served[address], 0o644); err != nil {
			t.Fatal(err)
		}
	}
	manifest := must(os.Create(filepath.Join(shippedFolder, "manifest.csv")))(t)
	defer manifest.Close()
	if err := csv.NewWriter(manifest).WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	return files
}

// fileOf is a folder for each contract, such as GetPersonContactInformation/3/wsdl.xml, with the schemas under their own names.
func fileOf(address string) string {
	folder, name, asked := strings.Cut(address, "?")
	folder = strings.TrimSuffix(strings.TrimPrefix(folder, "/rivta/"), "/rivtabp21")
	switch {
	case !asked:
		return strings.TrimPrefix(address, "/")
	case name == "wsdl":
		return path.Join(folder, "interaction.wsdl")
	}
	return path.Join(folder, path.Base(strings.TrimPrefix(name, "xsd=")))
}
