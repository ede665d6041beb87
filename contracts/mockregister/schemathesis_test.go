package mockregister

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"contactsync/contracts/contactsv1"
	"contactsync/contracts/contracttest"
)

// TestForeignFuzzer has schemathesis, which only knows the served document, look for answers that the document does not
// promise: a 5xx, an unknown status, a body that is not as the schema says, bad requests that are taken.
func TestForeignFuzzer(t *testing.T) {
	t.Parallel()
	program := schemathesis(t)
	w := seeded(t, slog.DiscardHandler)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { w.Run(ctx); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
	w.feed.close() // so that nobody waits for news
	served := contracttest.Serve(t, w.Handler())
	ca, cert := writePEM(t, served)
	settings := must(filepath.Abs("../../testdata/contracts/schemathesis.toml"))(t)
	command := exec.CommandContext(t.Context(), program, "--config-file", settings, "run", served.URL+contactsv1.Path+"/openapi.yaml",
		"--tls-verify", ca, "--request-cert", cert, "--checks", "all", "--seed", "1", "--max-examples", "25", "--no-color",
		"--continue-on-failure", "--suppress-health-check", "all")
	command.Dir = t.TempDir() // it keeps what it learned beside it
	command.Env = append(os.Environ(), "NO_PROXY=127.0.0.1", "PYTHONUTF8=1")
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Run(); err != nil {
		t.Fatalf("%v\n%s", err, output.Bytes())
	}
	t.Logf("%s", output.Bytes())
}

// schemathesis is the program of that name: CONTACTSYNC_SCHEMATHESIS, or that of the virtual environment .cache/schemathesis.
func schemathesis(t *testing.T) string {
	t.Helper()
	program := os.Getenv("CONTACTSYNC_SCHEMATHESIS")
	if program == "" {
		program = "../../.cache/schemathesis/bin/schemathesis"
	}
	program, err := filepath.Abs(program)
	if err == nil {
		err = exec.CommandContext(t.Context(), program, "--version").Run()
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("schemathesis is missing: set CONTACTSYNC_SCHEMATHESIS")
		}
		t.Skip("schemathesis is missing: no foreign fuzzer was tried")
	}
	return program
}

// writePEM writes the authority, and a certificate with its key in one file.
func writePEM(t *testing.T, served contracttest.Served) (ca, cert string) {
	t.Helper()
	certPEM, keyPEM, err := served.CA.Issue("system", worker)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ca, cert = filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem")
	for path, text := range map[string][]byte{ca: served.CA.CertPEM(), cert: append(certPEM, keyPEM...)} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return ca, cert
}
