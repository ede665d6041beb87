package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/consent/audit"
	"contactsync/consent/pgschema"
	"contactsync/consent/stream"
)

// Migrate is what `migrate` reads.
type Migrate struct {
	Postgres  *pgxpool.Config
	Passwords map[string]string // by role; a role without one cannot log in by itself
}

// ReadMigrate reads the variables of `migrate`; the reader has the faults.
func ReadMigrate(r *Reader) Migrate {
	m := Migrate{Postgres: readPostgres(r, "the owner"), Passwords: map[string]string{}}
	for _, v := range []struct{ name, role string }{
		{"PORTAL_DB_PASSWORD", pgschema.RolePortal}, {"WORKER_DB_PASSWORD", pgschema.RoleWorker},
		{"SUPPORT_DB_PASSWORD", pgschema.RoleSupport}, {"REGISTER_DB_PASSWORD", pgschema.RoleRegister},
		{"AUDITOR_DB_PASSWORD", pgschema.RoleAuditor},
	} {
		password := r.Text(Variable{Name: v.name, Optional: true, Secret: true,
			Meaning: "lets " + v.role + " log in with this password; without it, make a login role of your own a member of it"})
		if password != "" {
			m.Passwords[v.role] = password
		}
	}
	return m
}

// Support is what the commands of the support desk read where no --data names a dev.
type Support struct {
	Postgres *pgxpool.Config
	Source   string
	Pepper   []byte
	AuditKey audit.Key
	Register RegisterClient
}

// ReadSupport reads the variables of `support` and `parked`; the reader has the faults.
func ReadSupport(r *Reader) Support {
	s := Support{Postgres: readPostgres(r, pgschema.RoleSupport), Register: readRegisterClient(r)}
	s.Source, s.Pepper = readIdentity(r)
	s.AuditKey = readAuditKey(r)
	if s.Postgres != nil && s.Postgres.ConnConfig.Password == "" {
		r.Faultf(Variable{Name: "POSTGRES_PASSWORD"}, "is missing: the secret of confirmation tokens is made from it")
	}
	return s
}

// Access is what the command `access` reads where no --data names a dev.
type Access struct {
	Postgres       *pgxpool.Config
	LogicalAddress string
}

// ReadAccess reads the variables of `access`; the reader has the faults.
func ReadAccess(r *Reader) Access {
	return Access{Postgres: readPostgres(r, "the owner"), LogicalAddress: readLogicalAddress(r)}
}

// Audit is what the commands of `audit` read where no --data names a dev.
type Audit struct {
	Postgres *pgxpool.Config
	Key      audit.Key
}

// ReadAudit reads the variables of `audit`; the reader has the faults.
func ReadAudit(r *Reader) Audit {
	a := Audit{Postgres: readPostgres(r, pgschema.RoleAuditor), Key: readAuditKey(r)}
	if a.Postgres != nil { // whoever takes an export may pause, and its session holds nobody up
		delete(a.Postgres.ConnConfig.RuntimeParams, "tcp_user_timeout")
	}
	return a
}

// Reconcile is what the command `reconcile` reads where no --data names a dev: some of what a worker reads.
type Reconcile struct {
	Postgres       *pgxpool.Config
	Source         string
	Pepper         []byte
	AuditKey       audit.Key
	Register       RegisterClient
	ReadLag        time.Duration
	CallsPerSecond int
}

// ReadReconcile reads the variables of `reconcile`; the reader has the faults.
func ReadReconcile(r *Reader) Reconcile {
	c := Reconcile{Postgres: readPostgres(r, pgschema.RoleWorker), Register: readRegisterClient(r)}
	c.Source, c.Pepper = readIdentity(r)
	c.AuditKey = readAuditKey(r)
	c.ReadLag = readReadLag(r)
	c.CallsPerSecond = readCallsPerSecond(r)
	if c.Postgres != nil && c.Postgres.MaxConns < 2 { // it would wait for itself for ever
		r.Faultf(Variable{Name: "POSTGRES_URL"}, "has pool_max_conns=1, and must have at least 2: a run holds one connection until it ends")
	}
	return c
}

// Parked is what the commands `parked release` and `parked drop` read where no --data names a dev: some of what a worker reads.
type Parked struct {
	Postgres *pgxpool.Config
	Source   string
	Pepper   []byte
	AuditKey audit.Key
}

// ReadParked reads the variables of `parked release` and `parked drop`; the reader has the faults.
func ReadParked(r *Reader) Parked {
	c := Parked{Postgres: readPostgres(r, pgschema.RoleWorker)}
	c.Source, c.Pepper = readIdentity(r)
	c.AuditKey = readAuditKey(r)
	return c
}

// ReadTopics reads the variables of `topics`; the reader has the faults.
func ReadTopics(r *Reader) stream.Config { return readKafka(r) }

// readers of all services, by the name of their subcommand.
func readers() map[string]func(*Reader) {
	return map[string]func(*Reader){
		"portal":    func(r *Reader) { ReadPortal(r) },
		"worker":    func(r *Reader) { ReadWorker(r) },
		"register":  func(r *Reader) { ReadRegister(r) },
		"migrate":   func(r *Reader) { ReadMigrate(r) },
		"topics":    func(r *Reader) { ReadTopics(r) },
		"support":   func(r *Reader) { ReadSupport(r) },
		"access":    func(r *Reader) { ReadAccess(r) },
		"audit":     func(r *Reader) { ReadAudit(r) },
		"reconcile": func(r *Reader) { ReadReconcile(r) },
		"parked":    func(r *Reader) { ReadParked(r) },
	}
}

// Services are the subcommands that are told what they need by variables.
func Services() []string { return slices.Sorted(maps.Keys(readers())) }

// Of reads the variables of a service and returns them as they are set, with everything that is wrong with them.
func Of(service string, environ []string) ([]Setting, error) {
	read, known := readers()[service]
	if !known {
		return nil, fmt.Errorf("there is no service %q, only %s", service, strings.Join(Services(), ", "))
	}
	r := NewReader(environ)
	read(r)
	return r.Settings(), r.Err(KnownNames()...)
}

// KnownNames lists every variable, of whatever service or command, without its prefix.
func KnownNames() []string {
	names := []string{"POSTGRES_BIN", "REGISTER_ADMIN_URL"} // of dev and fault
	for _, read := range readers() {
		r := NewReader(nil)
		read(r)
		names = append(names, r.Names()...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
