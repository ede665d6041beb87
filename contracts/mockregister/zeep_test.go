package mockregister

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"contactsync/contracts/wiretest"
)

// TestForeignStackAsksForProfiles has zeep, a SOAP stack that is not ours, generate its client from what we serve, and use it.
func TestForeignStackAsksForProfiles(t *testing.T) {
	t.Parallel()
	python := wiretest.Zeep(t)
	s := serve(t)
	certPEM, keyPEM, err := s.CA.Issue("system", worker)
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
	command := exec.CommandContext(t.Context(), python, "../../testdata/contracts/zeep_profile.py", s.URL, write("ca.pem", s.CA.CertPEM()),
		write("cert.pem", certPEM), write("key.pem", keyPEM), address, "P4", s.persons["guardian_of_two"].Extension, plantedPerson,
		s.persons["elder_sibling"].Extension, s.persons["secrecy"].Extension)
	command.Stderr = os.Stderr
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	both := `Maja Tvåbarnsson ['+46701740605', 'bade.och@example.se'] wards 2 guardians 0 open
unknown
Stora Tvåbarnsson [] wards 0 guardians 2 open
`
	want := both + "Hemlig Testsson [] wards 0 guardians 0 protected\n" + both +
		"Hemlig Testsson ['+46701740621', '+46701740622', '+46701740623', 'egen@example.se', 'arbete@example.se', '+46701740624'] " +
		"wards 0 guardians 0 protected\nfault soap:Client profile: this one is reserved, use P1 to P5\n"
	if diff := cmp.Diff(want, string(output)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
