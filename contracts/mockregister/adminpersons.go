package mockregister

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// shownPerson is a stored record, as the admin listener shows it.
type shownPerson struct {
	Person              wantedPerson `json:"person"`
	Version             string       `json:"version"`
	Deceased            bool         `json:"deceased"`
	ProtectedPerson     bool         `json:"protectedPerson"`
	ProtectedPopulation bool         `json:"protectedPopulation"`
	OptoutPaper         *bool        `json:"optoutPaper"`
	Entries             []shownEntry `json:"entries"`
	// XML is the whole content in the contract's own form, contact persons and unknown elements too: equal texts, equal
	// content. Version and flags in it are those of the last write's making. Empty: nothing was ever written.
	XML string `json:"xml"`
}

type shownEntry struct {
	Type                string  `json:"type"`
	Use                 *string `json:"use"`
	Value               *string `json:"value"`
	DigitalNotification *bool   `json:"digitalNotification"`
}

// showPerson returns nil for a person whom the register does not know. No read lag applies.
func (r *Register) showPerson(ctx context.Context, id personv4.ID) (*shownPerson, error) {
	p, err := r.find(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read record: %w", err)
	}
	record, err := p.record()
	if err != nil {
		return nil, err
	}
	shown := &shownPerson{
		Person: wantedPerson{p.id.Root, p.id.Extension}, Version: p.version, Deceased: p.deceased,
		ProtectedPerson: p.secrecy, ProtectedPopulation: p.protectedPopulation, OptoutPaper: record.OptoutPaper,
		Entries: []shownEntry{}, XML: p.content,
	}
	for _, e := range record.Entries {
		shown.Entries = append(shown.Entries, shownEntry{e.Type, e.Use, e.Value, e.DigitalNotification})
	}
	return shown, nil
}

// resetPersons gives the named test persons the content that they were seeded with, under a new version, and returns how
// many there are. They are found by their state: the children among them were born when the register was seeded.
func (r *Register) resetPersons(ctx context.Context) (int, error) {
	seeds := map[string]seedPerson{}
	for _, p := range namedPersons(r.clock.today()) {
		seeds[p.State] = p
	}
	reset := 0
	err := pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			select state, root, extension, version from register.persons
			where state <> $1 order by root, extension for update`, StateGenerated)
		if err != nil {
			return err
		}
		stand, err := pgx.CollectRows(rows, pgx.RowToStructByPos[standing])
		var entries []accessEntry
		for _, s := range stand {
			if seed, ok := seeds[s.State]; ok && err == nil {
				reset++
				var next string
				next, err = r.resetPerson(ctx, tx, seed, s)
				entries = append(entries, adminEntry(classWrite, personv4.ID{Root: s.Root, Extension: s.Extension}, true, next))
			}
		}
		if err != nil || len(entries) == 0 {
			return err
		}
		return r.logWrites(ctx, tx, entries)
	})
	if err != nil {
		return 0, fmt.Errorf("reset test persons: %w", err)
	}
	r.faults.past.forget()
	return reset, nil
}

// standing is where a test person's record stands.
type standing struct{ State, Root, Extension, Version string }

func (r *Register) resetPerson(ctx context.Context, tx pgx.Tx, seed seedPerson, s standing) (version string, err error) {
	next, err := r.clock.nextVersion(s.Version)
	if err != nil {
		return "", err
	}
	content, err := stored(seed.record(next))
	if err != nil {
		return "", err
	}
	o := ownOf(seed.content.Entries)
	_, err = tx.Exec(ctx, `
		update register.persons set version = $3, content = $4,
			own_version = $3, mobile = $5, mobile_notify = $6, email = $7, email_notify = $8
		where root = $1 and extension = $2`,
		s.Root, s.Extension, next, content, o.mobile, o.mobileNotify, o.email, o.emailNotify)
	if err != nil {
		return "", err
	}
	// A test begins anew: its revisions may be those of the last one.
	_, err = tx.Exec(ctx, `delete from register.fence where root = $1 and extension = $2`, s.Root, s.Extension)
	return next, err
}

// adminEntry is of what was done at the admin listener, which does not know by whom.
func adminEntry(action string, id personv4.ID, known bool, version string) accessEntry {
	e := accessEntry{caller: rivta.Caller{HSAID: "admin"}, contract: "admin", action: action, person: id, ground: "admin",
		outcome: personv4.OutcomeOK, version: version}
	if !known {
		e.outcome = personv4.OutcomeNoRecord
	}
	return e
}
