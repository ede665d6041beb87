package contracttest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"contactsync/contracts/contracttest"
	"contactsync/contracts/personv4"
)

const (
	address = "SE165565594230-1000"
	system  = "SE2321000016-SYS1"
)

// TestForeignStack has zeep, a SOAP stack that is not ours, generate its client from what we serve, and use it.
func TestForeignStack(t *testing.T) {
	t.Parallel()
	for _, major := range []string{"3", "4"} {
		t.Run("major "+major, func(t *testing.T) {
			t.Parallel()
			testForeignStack(t, major)
		})
	}
}

func testForeignStack(t *testing.T, major string) {
	python := zeepPython(t)
	person := personv4.ID{Root: personv4.RootPersonnummer, Extension: "201701012393"}
	memory := contracttest.NewMemory([]string{system}, personv4.Record{Person: person,
		Entries: []personv4.Entry{{Type: "mail", Value: new("tove@example.se"), DigitalNotification: new(true)}}})
	served := contracttest.Serve(t, memory.Handler(address))
	ca, cert, key := writeCertificates(t, served)
	command := exec.CommandContext(t.Context(), python, "../../testdata/contracts/zeep_client.py",
		served.URL, ca, cert, key, address, person.Extension, major)
	command.Stderr = os.Stderr
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	// What there is of notification afterwards: of what major 4 wrote all, of what major 3 wrote the one that it did not see.
	record, err := served.Client(t, system, address, false).Get(t.Context(), person)
	if err != nil || len(record.Entries) != 2 {
		t.Fatalf("error %v, or not two entries", err)
	}
	kept, added := record.Entries[0].DigitalNotification, record.Entries[1].DigitalNotification
	if kept == nil || !*kept || (added != nil) != (major == "4") {
		t.Error("notification was lost, or came from nowhere")
	}
	want := `read 20261123120001 ['tove@example.se']
written OK
stale ERROR None
read 20261123120002 ['tove@example.se', '+46701740605']
unknown None
fault soap:Client VP004 no service at this LogicalAddress
generated GetPersonContactInformation
generated UpdatePersonContactInformation
`
	if diff := cmp.Diff(want, string(output)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// zeepPython returns a Python that has zeep: CONTACTSYNC_ZEEP, or that of the virtual environment .cache/zeep.
func zeepPython(t *testing.T) string {
	t.Helper()
	python := os.Getenv("CONTACTSYNC_ZEEP")
	if python == "" {
		python = "../../.cache/zeep/bin/python"
	}
	if err := exec.CommandContext(t.Context(), python, "-c", "import zeep").Run(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("a Python with zeep is missing: set CONTACTSYNC_ZEEP")
		}
		t.Skip("a Python with zeep is missing: no foreign SOAP stack was tried")
	}
	return python
}

func writeCertificates(t *testing.T, served contracttest.Served) (ca, cert, key string) {
	t.Helper()
	certPEM, keyPEM, err := served.CA.Issue("system", system)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("ca.pem", served.CA.CertPEM()), write("cert.pem", certPEM), write("key.pem", keyPEM)
}
