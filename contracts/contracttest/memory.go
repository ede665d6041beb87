package contracttest

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"contactsync/contracts/personv3"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// Memory is a register without a database. It implements personv4.Service and rivta.Authorizer; V3 is the same register through
// the major before.
type Memory struct {
	mu       sync.Mutex
	records  map[personv4.ID]personv4.Record
	deceased map[personv4.ID]bool
	callers  map[string]bool
	clock    int // versions are this number with 14 digits
}

// NewMemory makes a register that knows the persons of the records and lets the callers (HSA-ids) do everything.
func NewMemory(callers []string, records ...personv4.Record) *Memory {
	m := &Memory{records: map[personv4.ID]personv4.Record{}, deceased: map[personv4.ID]bool{}, callers: map[string]bool{},
		clock: 20261123120000}
	for _, hsaID := range callers {
		m.callers[hsaID] = true
	}
	for _, record := range records {
		record.Version = m.nextVersion()
		m.records[record.Person] = record
	}
	return m
}

// Bury marks a person as deceased.
func (m *Memory) Bury(person personv4.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.deceased[person] = true
}

func (m *Memory) nextVersion() string {
	m.clock++
	return fmt.Sprintf("%014d", m.clock)
}

// Authorize implements rivta.Authorizer.
func (m *Memory) Authorize(_ context.Context, caller rivta.Caller, _ rivta.Operation, _ string) error {
	if !m.callers[caller.HSAID] {
		return rivta.NotAllowed(caller.HSAID)
	}
	return nil
}

// Get implements personv4.Service.
func (m *Memory) Get(_ context.Context, _ rivta.Caller, id personv4.ID, unrestricted bool) (*personv4.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	record, ok := m.records[id]
	if !ok {
		return nil, nil
	}
	if record.Protected() && !unrestricted {
		record = personv4.Record{Version: record.Version, Person: record.Person,
			ProtectedPerson: record.ProtectedPerson, ProtectedPopulation: record.ProtectedPopulation}
	}
	return &record, nil
}

// Update implements personv4.Service.
func (m *Memory) Update(
	_ context.Context, _ rivta.Caller, update personv4.Update, unrestricted bool,
) (personv4.Result, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.replace(update, unrestricted)
}

// V3 implements personv3.Service on the same records.
func (m *Memory) V3() MemoryV3 { return MemoryV3{m} }

// MemoryV3 is a Memory as callers of personv3 meet it.
type MemoryV3 struct{ *Memory }

// Update implements personv3.Service.
func (m MemoryV3) Update(_ context.Context, _ rivta.Caller, update personv3.Update, unrestricted bool) (personv4.Result, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.replace(update.Over(m.records[update.Person]), unrestricted)
}

// Handler serves all majors.
func (m *Memory) Handler(logicalAddress string) http.Handler {
	config := personv4.HandlerConfig{LogicalAddress: logicalAddress, Authorizer: m}
	return rivta.NewHandler(slices.Concat(personv4.Endpoints(m, config), personv3.Endpoints(m.V3(), config))...)
}

func (m *Memory) replace(update personv4.Update, unrestricted bool) (personv4.Result, error) {
	if !personv3.Portable(update) {
		return personv4.Result{}, &rivta.Fault{Code: rivta.FaultClient, String: "the update holds more than a record can hold"}
	}
	record, known := m.records[update.Person]
	if code := m.refusal(record, known, update, unrestricted); code != "" {
		return personv4.Result{Text: "Uppgifterna har inte sparats.", Code: code}, nil
	}
	record.Version = m.nextVersion()
	record.Entries, record.ContactPersons = update.Entries, update.ContactPersons
	record.OptoutPaper, record.Unknown = update.OptoutPaper, update.Unknown
	author := update.Actor
	author.UpdateTime = record.Version
	record.Actor = &author
	m.records[update.Person] = record
	return personv4.Result{OK: true, Record: &record}, nil
}

// refusal is the code of the rule that the update breaks, or "".
func (m *Memory) refusal(record personv4.Record, known bool, update personv4.Update, unrestricted bool) string {
	switch {
	case !known:
		return "person_unknown"
	case record.Protected() && !unrestricted:
		return "protected_person"
	case m.deceased[update.Person]:
		return "person_deceased"
	case update.VersionToUpdate == "":
		return "version_missing"
	case update.VersionToUpdate != record.Version:
		return "stale_version"
	case isTrue(update.OptoutPaper) && !notifiable(update.Entries):
		return "optout_needs_notification"
	}
	return ""
}

func notifiable(entries []personv4.Entry) bool {
	for _, entry := range entries {
		if isTrue(entry.DigitalNotification) {
			return true
		}
	}
	return false
}

func isTrue(b *bool) bool { return b != nil && *b }
