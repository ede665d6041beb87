package mockregister

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// person is a person as stored.
type person struct {
	id                  personv4.ID
	deceased            bool
	secrecy             bool // sekretessmarkering
	protectedPopulation bool // skyddad folkbokföring
	version             string
	content             string // see stored
}

func (p person) protected() bool { return p.secrecy || p.protectedPopulation }

// Get implements personv4.Service.
func (r *Register) Get(
	ctx context.Context, caller rivta.Caller, id personv4.ID, unrestricted bool,
) (*personv4.Record, error) {
	return r.read(ctx, readCall(caller, id, unrestricted))
}

// read answers a call of any contract that reads one record, once that is logged.
func (r *Register) read(ctx context.Context, c call) (*personv4.Record, error) {
	record, err := r.look(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := r.logRead(ctx, c, record); err != nil {
		return nil, err
	}
	return record, nil
}

func (r *Register) look(ctx context.Context, c call) (*personv4.Record, error) {
	p, err := r.find(ctx, c.person)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read record: %w", err)
	}
	return p.shown(c.unrestricted)
}

// shown is the record as one of the twins shows it. The restricted one tells of a protected person only that the record
// exists, its version and the flags (TKB 5.1 §7.8, rule 1).
func (p person) shown(unrestricted bool) (*personv4.Record, error) {
	if p.protected() && !unrestricted {
		p.content = ""
	}
	return p.record()
}

func (r *Register) find(ctx context.Context, id personv4.ID) (person, error) {
	p := person{id: personv4.ID{Root: id.Root, Extension: id.Extension}}
	err := r.pool.QueryRow(ctx, `
		select deceased, protected_person, protected_population, version, content
		from register.persons where root = $1 and extension = $2`, id.Root, id.Extension,
	).Scan(&p.deceased, &p.secrecy, &p.protectedPopulation, &p.version, &p.content)
	return p, err
}

// record puts together what is stored. Columns win over what the content says of the same.
func (p person) record() (*personv4.Record, error) {
	var record personv4.Record
	if p.content != "" {
		var err error
		if record, err = personv4.UnmarshalRecord([]byte(p.content)); err != nil {
			return nil, fmt.Errorf("decode stored record: %w", err)
		}
	}
	record.Person, record.Version = p.id, p.version
	record.ProtectedPerson, record.ProtectedPopulation = p.secrecy, &p.protectedPopulation
	return &record, nil
}

// stored is a record's content as kept in the database: the contract's own canonical XML, so that whatever a caller sent
// comes back byte for byte. An empty record of which nobody is the author takes no room.
func stored(record personv4.Record) (string, error) {
	if len(record.Entries)+len(record.ContactPersons)+len(record.Unknown) == 0 && record.OptoutPaper == nil && record.Actor == nil {
		return "", nil
	}
	text, err := personv4.MarshalRecord(record)
	if err != nil {
		return "", fmt.Errorf("encode record: %w", err)
	}
	return string(text), nil
}
