package devstack

import (
	"encoding/json"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"contactsync/consent/audit"
)

// EndpointsFile and PersonsFile lie in the data folder and are written before dev says it is ready.
const (
	EndpointsFile = "endpoints.json"
	PersonsFile   = "persons.json"
)

// Endpoints tells where the parts of a running stack are.
type Endpoints struct {
	Portal        string `json:"portal"`        // http URL
	Ops           string `json:"ops"`           // http URL
	Register      string `json:"register"`      // https URL, mutual TLS
	RegisterAdmin string `json:"registerAdmin"` // http URL
	Kafka         string `json:"kafka"`         // host:port
	Postgres      string `json:"postgres"`      // URL of the owner, with the password
	RegisterLimit int    `json:"registerLimit"` // calls a second that the register allows; 0: no limit
}

// auditKeyFile lies in the data folder.
const auditKeyFile = "audit-key"

// AuditKey is the key of the audit logs, the same over restarts.
func (f *Folder) AuditKey() (audit.Key, error) {
	text, err := f.secret(auditKeyFile)
	if err != nil {
		return audit.Key{}, err
	}
	return devAuditKey(text)
}

// ReadAuditKey reads the key of the stack on a data folder.
func ReadAuditKey(dir string) (audit.Key, error) {
	text, err := os.ReadFile(filepath.Join(dir, auditKeyFile))
	if err != nil {
		return audit.Key{}, err
	}
	return devAuditKey(string(text))
}

// devAuditKey: what a folder keeps as a secret has 128 bits, in fewer characters than a key has.
func devAuditKey(text string) (audit.Key, error) { return audit.NewKey("contactsync dev " + text) }

// PostgresAs is the URL of a role, which has the owner's password here.
func (e Endpoints) PostgresAs(role string) (string, error) {
	u, err := url.Parse(e.Postgres)
	if err != nil {
		return "", errors.New("the address of PostgreSQL cannot be read") // it holds the password
	}
	password, _ := u.User.Password()
	u.User = url.UserPassword(role, password)
	return u.String(), nil
}

// ReadEndpoints reads where the stack on a data folder is, or was.
func ReadEndpoints(dir string) (Endpoints, error) {
	var e Endpoints
	text, err := os.ReadFile(filepath.Join(dir, EndpointsFile))
	if err != nil {
		return e, err
	}
	return e, json.Unmarshal(text, &e)
}

// lastEndpoints are those of the last run on the folder, empty on the first.
func (f *Folder) lastEndpoints() Endpoints {
	e, err := ReadEndpoints(f.Dir)
	if err != nil {
		return Endpoints{}
	}
	return e
}

// portIn returns the port of a URL or a host:port, 0 if there is none.
func portIn(address string) int {
	if strings.Contains(address, "://") {
		u, err := url.Parse(address)
		if err != nil {
			return 0
		}
		address = u.Host
	}
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		return 0
	}
	port, _ := strconv.Atoi(text)
	return port
}
