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

	"contactsync/contracts/contracttest"
	"contactsync/contracts/personprofilev5"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// cell is who asks by which contract about whom. Each has a row in testdata/contracts/access/matrix.tsv.
type cell struct {
	contract string // name/major
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

func rightSets() map[string]Rights {
	return map[string]Rights{"none": {}, "protected": {Protected: true}, "support": {Support: true}, "write": {Write: true}, "all": allRights()}
}

// personKinds gives the state of the test person; empty: the register knows nobody.
func personKinds() map[string]string {
	return map[string]string{"plain": "both_channels", "child": "child_under_13", "secrecy": "secrecy",
		"protected_registration": "protected_registration", "deceased": "deceased", "unknown": ""}
}

// TestAccessMatrix calls every contract as every kind of system, with all rights, about all kinds of persons. What must come
// of each call is a row of the file; a contract, a right or a kind that is new needs rows of its own.
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
		if len(f) != 5 {
			t.Fatalf("row %d has %d fields", i+1, len(f))
		}
		c := cell{f[0], f[1], f[2], f[3]}
		if rows[c] != "" {
			t.Errorf("%+v has two rows", c)
		}
		rows[c] = f[4]
	}
	return rows
}

// matrix is a register with a system for each kind.
type matrix struct {
	tabled
	contracts map[string]rivta.Operation // by name/major
	clients   map[string]caller
}

func newMatrix(t *testing.T) matrix {
	t.Helper()
	m := matrix{serveTableBy(t, time.Now), map[string]rivta.Operation{}, map[string]caller{}}
	for _, e := range m.endpoints() {
		m.contracts[e.Operation.Contract().String()] = e.Operation
	}
	var grants []Grant
	for _, c := range m.cells() {
		grants = append(grants, m.grants(c)...)
	}
	m.grant(t, grants...)
	return m
}

func (m matrix) cells() (all []cell) {
	for _, contract := range slices.Sorted(maps.Keys(m.contracts)) {
		for _, system := range systemKinds() {
			for _, rights := range slices.Sorted(maps.Keys(rightSets())) {
				for _, person := range slices.Sorted(maps.Keys(personKinds())) {
					all = append(all, cell{contract, system, rights, person})
				}
			}
		}
	}
	return all
}

func (m matrix) grants(c cell) (grants []Grant) {
	g := Grant{m.system(c), m.contracts[c.contract].Name, address, rightSets()[c.rights]}
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

// caller carries out a contract as a system, and tells what came of it: "whole" (the record), "blanked" or "absent", "written",
// or the code of a refusal.
type caller func(t *testing.T, id personv4.ID) (string, error)

// call tells what came of a call, or its fault.
func (m matrix) call(t *testing.T, c cell) string {
	t.Helper()
	key := c.contract + m.system(c)
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
	} else if err != nil {
		t.Fatal(err)
	}
	return outcome
}

// newCaller knows how each contract is called.
func (m matrix) newCaller(t *testing.T, c cell) caller {
	t.Helper()
	name := m.contracts[c.contract].Name
	restricted := !strings.HasSuffix(name, unrestrictedSuffix)
	switch strings.TrimSuffix(name, unrestrictedSuffix) + c.contract[len(name):] {
	case "GetPersonContactInformation/4":
		client := m.Client(t, m.system(c), address, restricted)
		return m.reader(func(t *testing.T, id personv4.ID) (*seen, error) {
			record, err := client.Get(t.Context(), id)
			if record == nil {
				return nil, err
			}
			return &seen{len(record.Entries), record.Protected()}, err
		})
	case "GetPersonContactInformation/3":
		client := m.ClientV3(t, m.system(c), address, restricted)
		return m.reader(func(t *testing.T, id personv4.ID) (*seen, error) {
			record, err := client.Get(t.Context(), id)
			if record == nil {
				return nil, err
			}
			return &seen{len(record.Entries), record.ProtectedPerson}, err
		})
	case "GetPersonsForProfile/5":
		client := m.Profiles(t, m.system(c), address, restricted)
		return m.reader(func(t *testing.T, id personv4.ID) (*seen, error) {
			answers, err := client.Persons(t.Context(), []personv4.ID{id}, personprofilev5.P3, true)
			if err != nil || answers[0].Person == nil {
				return nil, err
			}
			return &seen{len(answers[0].Person.Entries), answers[0].Person.Protected()}, nil
		})
	case "UpdatePersonContactInformation/4":
		client := m.Client(t, m.system(c), address, restricted)
		return m.writer(func(t *testing.T, update personv4.Update) (bool, string, error) {
			result, err := client.Update(t.Context(), update)
			return result.OK, result.Code, err
		})
	case "UpdatePersonContactInformation/3":
		client := m.ClientV3(t, m.system(c), address, restricted)
		return m.writer(func(t *testing.T, update personv4.Update) (bool, string, error) {
			result, err := client.Update(t.Context(), contracttest.UpdateV3(update))
			return result.OK, result.Code, err
		})
	}
	t.Fatalf("the test does not know how to call %s", c.contract)
	return nil
}

// seen is what a contract shows of a record. That what it shows is right, other tests look at.
type seen struct {
	entries   int
	protected bool
}

func (m matrix) stored(t *testing.T, id personv4.ID) *personv4.Record {
	t.Helper()
	return must(m.Get(t.Context(), rivta.Caller{}, id, true))(t)
}

func (m matrix) reader(read func(*testing.T, personv4.ID) (*seen, error)) caller {
	return func(t *testing.T, id personv4.ID) (string, error) {
		t.Helper()
		got, err := read(t, id)
		if err != nil || got == nil {
			return "absent", err
		}
		all := m.stored(t, id)
		switch {
		case got.protected != all.Protected():
			return "another protection", nil
		case got.entries == len(all.Entries):
			return "whole", nil
		case got.entries == 0 && got.protected:
			return "blanked", nil
		}
		return "something else", nil
	}
}

func (m matrix) writer(write func(*testing.T, personv4.Update) (ok bool, code string, err error)) caller {
	return func(t *testing.T, id personv4.ID) (string, error) {
		t.Helper()
		before := m.stored(t, id)
		update := personv4.Update{Actor: personv4.Actor{ID: id}, Person: id, VersionToUpdate: "20200101000000"}
		if before != nil {
			update = contracttest.Unchanged(*before)
		}
		ok, code, err := write(t, update)
		if after := m.stored(t, id); before != nil && (after.Version != before.Version) != ok {
			return "changed, and said not to be", err
		}
		if ok {
			return "written", err
		}
		return code, err
	}
}
