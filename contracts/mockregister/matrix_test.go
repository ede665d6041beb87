package mockregister

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"contactsync/contracts/contactsv1"
	"contactsync/contracts/personv4"
	"contactsync/contracts/problem"
	"contactsync/contracts/rivta"
)

// cell is who asks by which contract about whom. Each has a row in testdata/contracts/access/matrix.tsv.
type cell struct {
	contract string // name/major; of the REST contract, an operation of it
	actor    string // see actorKinds
	system   string // see systemKinds
	rights   string // see rightSets
	person   string // see personKinds
}

// systemKinds is what the table says of a system, given the contract that it calls.
func systemKinds() []string {
	return []string{
		"granted",   // may use the contract
		"elsewhere", // may use it at another register
		"others",    // may use all others
		"stranger",  // may use nothing
	}
}

// actorKinds is in whose name a contract changes a person; "-" where it does not let its caller say so.
func actorKinds(contract string) []string {
	if strings.HasPrefix(contract, "Update") {
		return []string{"resident", "staff"}
	}
	return []string{"-"}
}

func rightSets() map[string]Rights {
	return map[string]Rights{"none": {}, "protected": {Protected: true}, "support": {Support: true}, "write": {Write: true}, "all": allRights()}
}

// personKinds gives the state of the test person; empty: the register knows nobody.
func personKinds() map[string]string {
	return map[string]string{"plain": "both_channels", "child": "child_under_13", "secrecy": "secrecy",
		"protected_registration": "protected_registration", "deceased": "deceased", "unknown": ""}
}

// TestAccessMatrix calls every contract as every kind of system, with all rights, about all kinds of persons, and in the name of
// all kinds of actors. What must come of each call is a row of the file; a contract, a right or a kind that is new needs rows of
// its own.
func TestAccessMatrix(t *testing.T) {
	t.Parallel()
	want := matrixRows(t)
	m := newMatrix(t)
	for _, c := range m.cells() {
		outcome, ok := want[c]
		if !ok {
			t.Errorf("%+v has no row", c)
			continue
		}
		delete(want, c)
		if got := m.call(t, c); got != outcome {
			t.Errorf("%+v: %s, want %s", c, got, outcome)
		}
	}
	for c := range want {
		t.Errorf("%+v has a row, and is nothing that there is", c)
	}
}

func matrixRows(t *testing.T) map[cell]string {
	t.Helper()
	text := string(must(os.ReadFile(filepath.Join("..", "..", "testdata", "contracts", "access", "matrix.tsv")))(t))
	rows := map[cell]string{}
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n")[1:] {
		f := strings.Split(line, "\t")
		if len(f) != 6 {
			t.Fatalf("row %d has %d fields", i+1, len(f))
		}
		c := cell{f[0], f[1], f[2], f[3], f[4]}
		if rows[c] != "" {
			t.Errorf("%+v has two rows", c)
		}
		rows[c] = f[5]
	}
	return rows
}

// matrix is a register with a system for each kind.
type matrix struct {
	tabled
	contracts map[string]string // the contract of the table, by name/major
	clients   map[string]caller
	revision  *int64 // of the last decision
}

func newMatrix(t *testing.T) matrix {
	t.Helper()
	m := matrix{serveTableBy(t, time.Now), map[string]string{}, map[string]caller{}, new(int64(0))}
	for _, e := range m.endpoints() {
		m.contracts[e.Operation.Contract().String()] = e.Operation.Name
	}
	for operation := range contactsv1.Operations() {
		m.contracts[contractOf(contactsOperation(operation))] = contractREST
	}
	var grants []Grant
	for _, c := range m.cells() {
		if c.person == "plain" { // the same for all of them
			grants = append(grants, m.grants(c)...)
		}
	}
	m.grant(t, grants...)
	m.signalEverybody(t)
	return m
}

// signalEverybody puts a signal of each kind of person into the feed, of those too whom nobody can change.
func (m matrix) signalEverybody(t *testing.T) {
	t.Helper()
	for _, state := range personKinds() {
		if state == "" {
			continue
		}
		id := m.id(t, state)
		must(m.pool.Exec(t.Context(), `
			insert into register.change (root, extension, channel, version, at) values ($1, $2, 'mobile', '20260101000000', now())`,
			id.Root, id.Extension))(t)
	}
	m.sequenceAll(t)
}

func (m matrix) cells() (all []cell) {
	for _, contract := range slices.Sorted(maps.Keys(m.contracts)) {
		for _, actor := range actorKinds(contract) {
			for _, system := range systemKinds() {
				for _, rights := range slices.Sorted(maps.Keys(rightSets())) {
					for _, person := range slices.Sorted(maps.Keys(personKinds())) {
						all = append(all, cell{contract, actor, system, rights, person})
					}
				}
			}
		}
	}
	return all
}

func (m matrix) grants(c cell) (grants []Grant) {
	g := Grant{m.system(c), m.contracts[c.contract], address, rightSets()[c.rights]}
	switch c.system {
	case "granted":
		return []Grant{g}
	case "elsewhere":
		g.LogicalAddress = "SE2321000016-ELSE"
		return []Grant{g}
	case "others":
		for _, other := range Contracts() {
			if other != g.Contract {
				grants = append(grants, Grant{g.System, other, address, g.Rights})
			}
		}
	}
	return grants
}

// system is the HSA-id of the cell's system: each contract has its own.
func (m matrix) system(c cell) string {
	contract := slices.Index(slices.Sorted(maps.Keys(m.contracts)), c.contract)
	return "SE2321000016-" + c.system + c.rights + strconv.Itoa(contract)
}

// caller carries out a contract as a system, and tells what came of it: "whole" (the record), "blanked" or "absent", "told" (a
// version, or a change), "written", or the code of a refusal.
type caller func(t *testing.T, id personv4.ID) (string, error)

// call tells what came of a call, or its fault.
func (m matrix) call(t *testing.T, c cell) string {
	t.Helper()
	key := c.contract + c.actor + m.system(c)
	if m.clients[key] == nil {
		m.clients[key] = m.newCaller(t, c)
	}
	id := personv4.ID{Root: personv4.RootPersonnummer, Extension: plantedPerson}
	if state := personKinds()[c.person]; state != "" {
		id = m.id(t, state)
	}
	outcome, err := m.clients[key](t, id)
	if fault, isFault := errors.AsType[*rivta.Fault](err); isFault {
		return fault.VP
	}
	if p, isProblem := errors.AsType[*problem.Problem](err); isProblem {
		return code(p)
	}
	if err != nil {
		t.Fatal(err)
	}
	return outcome
}
