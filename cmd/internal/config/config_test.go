package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"contactsync/cmd/internal/config"
	"contactsync/contracts/testca"
)

// complete is an environment that a worker, a portal and a register accept.
func complete(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	ca, err := testca.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := ca.Issue("worker", "SE2321000016-CSW1")
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return map[string]string{
		"POSTGRES_URL": "postgres://contactsync_worker@db.example:5432/contactsync", "POSTGRES_PASSWORD_FILE": file("password", []byte("secret\n")),
		"KAFKA_BROKERS": "one.example:9092,two.example:9092", "HSA_ID": "SE2321000016-CSW1", "PEPPER": strings.Repeat("p", 32), "AUDIT_KEY": strings.Repeat("a", 32),
		"REGISTER_URL": "https://register.example", "REGISTER_CA_FILE": file("ca", ca.CertPEM()),
		"REGISTER_CERT_FILE": file("cert", cert), "REGISTER_KEY_FILE": file("key", key),
		"PORTAL_LISTEN": "127.0.0.1:8080", "PORTAL_KEY": strings.Repeat("k", 32), "PORTAL_PERSONS": "[]",
		"REGISTER_LISTEN": "127.0.0.1:8443", "REGISTER_CLIENT_CA_FILE": file("ca2", ca.CertPEM()), "REGISTER_SERVER_CERT_FILE": file("cert2", cert),
		"REGISTER_SERVER_KEY_FILE": file("key2", key),
		"REGISTER_OFF":             "GetPersonContactInformation/3, UpdatePersonContactInformation/3",
	}
}

func environ(set map[string]string) []string {
	out := []string{"PATH=/bin", "UNRELATED=1"}
	for name, value := range set {
		out = append(out, "CONTACTSYNC_"+name+"="+value)
	}
	return out
}

func TestCompleteEnvironment(t *testing.T) {
	t.Parallel()
	env := environ(complete(t))
	for _, service := range config.Services() {
		if _, err := config.Of(service, env); err != nil {
			t.Errorf("%s: %v", service, err)
		}
	}
	w := config.ReadWorker(config.NewReader(env))
	if w.Postgres.ConnConfig.Password != "secret" || len(w.Kafka.Brokers) != 2 || w.ReadLag != 3*time.Second || w.VersionSettle != 2*time.Second {
		t.Errorf("read as brokers %v, lag %v, settle %v", w.Kafka.Brokers, w.ReadLag, w.VersionSettle)
	}
	if got := w.Postgres.ConnConfig.RuntimeParams; got["idle_in_transaction_session_timeout"] == "" || got["tcp_user_timeout"] == "" {
		t.Errorf("a session whose machine has died keeps its locks: %v", got)
	}
	if got := config.ReadAudit(config.NewReader(env)).Postgres.ConnConfig.RuntimeParams["tcp_user_timeout"]; got != "" {
		t.Errorf("an export ends if whoever takes it pauses for %s", got)
	}
	if w := config.ReadWorker(config.NewReader(append(env, "CONTACTSYNC_REGISTER_CONTRACT=contactsv1", "CONTACTSYNC_REGISTER_VERSION_SETTLE=0s"))); !w.Bulk {
		t.Error("contactsv1 is not chosen")
	}
	c := config.ReadRegister(config.NewReader(env))
	if len(c.Off) != 2 || c.Off[1].String() != "UpdatePersonContactInformation/3" {
		t.Errorf("off are %v", c.Off)
	}
}

// TestEveryFaultIsNamed spoils one variable at a time, and says which words must be told of it.
func TestEveryFaultIsNamed(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ service, name, value, says string }{
		{"worker", "KAFKA_BROKERS", "", "is missing"},
		{"worker", "KAFKA_BROKERS", "one.example", "host:port"},
		{"worker", "KAFKA_BROKERS", "one.example:90920", "host:port"},
		{"worker", "POSTGRES_URL", "", "is missing"},
		{"worker", "POSTGRES_URL", "mysql://x@y/z", "postgres://"},
		{"worker", "POSTGRES_URL", "postgres://u:hunter2@db.example/x", "holds a password"},
		{"worker", "POSTGRES_URL", "postgres://u@db.example/x?password=hunter2", "holds a password"},
		{"worker", "POSTGRES_URL", "postgres://u:hunter2@db.example:x/y", "no postgres"},
		{"worker", "POSTGRES_URL", "postgres://u@db.example/x?sslmode=perhaps", "no address of PostgreSQL"},
		{"reconcile", "POSTGRES_URL", "postgres://u@db.example/x?pool_max_conns=1", "at least 2"},
		{"worker", "POSTGRES_PASSWORD", "x", "given twice"},
		{"worker", "POSTGRES_PASSWORD_FILE", "/does/not/exist", "cannot be read from its file"},
		{"worker", "PEPPER", "short", "shorter than 32"},
		{"worker", "AUDIT_KEY", "short", "shorter than 32"},
		{"register", "AUDIT_KEY", "", "is missing"},
		{"audit", "AUDIT_KEY", "", "is missing"},
		{"worker", "HSA_ID", "", "is missing"},
		{"portal", "HSA_ID", "CSP1", "is no HSA-id"},
		{"support", "HSA_ID", "urn:hsaid:SE2321000016-CSP1", "is no HSA-id"},
		{"worker", "REGISTER_URL", "http://register.example", "https://"},
		{"worker", "REGISTER_URL", "https://u:hunter2@register.example", "holds a user"},
		{"worker", "REGISTER_PATH", "vp", "no path"},
		{"portal", "REGISTER_PATH", "/vp/{domain}/{minor}", "no path"},
		{"worker", "REGISTER_CERT_FILE", "/dev/null", "is missing"},
		{"worker", "REGISTER_CA_FILE", "/proc/self/cmdline", "no certificate"},
		{"worker", "REGISTER_KEY_FILE", "/proc/self/cmdline", ""},
		{"worker", "REGISTER_CODES", "mobile=tel/mobile", "no pair of its own"},
		{"worker", "REGISTER_CODES", "mobile=tel/mobile,email=tel/mobile", "no pair of its own"},
		{"worker", "REGISTER_CODES", "mobile=tel/mobile,email=mail/personal,fax=tel/fax", "no pair of its own"},
		{"worker", "REGISTER_READ_LAG", "3", "no time from"},
		{"worker", "REGISTER_READ_LAG", "-1s", "no time from"},
		{"worker", "PUSH_CONCURRENCY", "0", "no whole number from 1"},
		{"worker", "PUSH_CONCURRENCY", "1e3", "no whole number"},
		{"worker", "REGISTER_CONTRACT", "contactsv1", "VERSION_SETTLE must be 0s"},
		{"worker", "PUSH_LEASE", "5s", "too short"},
		{"worker", "LOG_LEVEL", "loud", "none of debug"},
		{"worker", "OPS_LISTEN", "9400", "host:port"},
		{"worker", "KAFKA_BROKER", "one.example:9092", "not known"},
		{"worker", "KAFKA_USER", "worker", "belong together"},
		{"worker", "KAFKA_MECHANISM", "GSSAPI", "none of PLAIN"},
		{"worker", "KAFKA_CA_FILE", "/proc/self/cmdline", "KAFKA_TLS=true"},
		{"worker", "KAFKA_KEY", "x", "belong together"},
		{"portal", "PORTAL_KEY", "short", "shorter than 32"},
		{"portal", "PORTAL_SECURE", "yes", "none of true, false"},
		{"portal", "PORTAL_PERSONS", "{", "no list of test persons"},
		{"register", "REGISTER_CALLERS", "SE1=read", "not known"}, // it was, before the table
		{"register", "REGISTER_OFF", "GetPersonContactInformation/4", "no deprecated contract"},
		{"register", "REGISTER_OFF", "GetPersonContactInformation", "no deprecated contract"},
		{"register", "REGISTER_OFF", "GetPersonContactInformation/3, UpdatePersons/3", `"UpdatePersons/3"`},
		{"register", "REGISTER_ADMIN_LISTEN", "here", "host:port"},
		{"register", "PEPPER", "short", "shorter than 32"},
		{"migrate", "POSTGRES_URL", "", "is missing"},
	} {
		env := complete(t)
		if _, was := env[row.name+"_FILE"]; row.value == "" && was {
			delete(env, row.name+"_FILE")
		}
		env[row.name] = row.value
		settings, err := config.Of(row.service, environ(env))
		for _, s := range settings {
			if strings.Contains(s.Value, "hunter2") {
				t.Errorf("a password is shown of %s", s.Name)
			}
		}
		if err == nil {
			t.Errorf("%s with %s=%q is accepted", row.service, row.name, row.value)
			continue
		}
		name := "CONTACTSYNC_" + strings.TrimSuffix(row.name, "_FILE")
		if !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s=%q: %v; want %s and %q", row.name, row.value, err, name, row.says)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Error("a password is told")
		}
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := config.Of("worker", environ(map[string]string{"PUSH_CONCURRENCY": "many", "COLOUR": "red"}))
	for _, name := range []string{"POSTGRES_URL", "KAFKA_BROKERS", "HSA_ID", "PEPPER", "REGISTER_URL", "REGISTER_CA", "REGISTER_CERT",
		"REGISTER_KEY", "PUSH_CONCURRENCY", "COLOUR"} {
		if !strings.Contains(err.Error(), "CONTACTSYNC_"+name+" ") {
			t.Errorf("%s is not named in: %v", name, err)
		}
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	env := complete(t)
	key, err := os.ReadFile(env["REGISTER_KEY_FILE"])
	if err != nil {
		t.Fatal(err)
	}
	for _, service := range config.Services() {
		settings, _ := config.Of(service, environ(env))
		for _, s := range settings {
			for _, secret := range []string{"secret", env["PEPPER"], env["AUDIT_KEY"], env["PORTAL_KEY"], string(key)[30:60]} {
				if strings.Contains(s.Value, secret) {
					t.Errorf("%s shows %s", service, s.Name)
				}
			}
		}
	}
}

// TestEveryVariableIsDocumented reads cmd/README.md.
func TestEveryVariableIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range config.KnownNames() {
		if !strings.Contains(string(text), "`CONTACTSYNC_"+name+"`") {
			t.Errorf("cmd/README.md says nothing of CONTACTSYNC_%s", name)
		}
	}
}
