package mockregister

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"contactsync/contracts/personv3"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// refusal is why an update was not carried out. The codes are ours (the national service has none), the texts fit to show.
type refusal struct{ code, text string }

func (r refusal) result() personv4.Result { return personv4.Result{Code: r.code, Text: r.text} }

// The refusals of an update, the graver ones first.
func personUnknown() refusal {
	return refusal{"person_unknown", "Personen finns inte i registret."}
}

func protectedPerson() refusal {
	return refusal{"protected_person", "Personen har skyddade personuppgifter. Kontaktuppgifterna kan inte ändras här."}
}

func personDeceased() refusal {
	return refusal{"person_deceased", "Personen är avliden. Kontaktuppgifterna kan inte ändras."}
}

func optoutNeedsNotification() refusal {
	return refusal{"optout_needs_notification",
		"Pappersbrev kan väljas bort bara om minst en kontaktuppgift får användas för digitala aviseringar."}
}

func versionMissing() refusal {
	return refusal{"version_missing",
		"Ändringen anger inte vilken version av uppgifterna den utgår från. Läs uppgifterna på nytt."}
}

func staleVersion() refusal {
	return refusal{"stale_version", "Uppgifterna har ändrats av någon annan. Läs uppgifterna på nytt."}
}

// Update implements personv4.Service. It replaces the whole record, if it still is the version that the caller read, and
// gives it a new version even if nothing in it is new: a caller may send an update for just that, to make sure that no
// earlier one of its own can still land.
//
// What a refused caller must know is in the refusal; the record it should have read first is not given along.
func (r *Register) Update(
	ctx context.Context, caller rivta.Caller, update personv4.Update, unrestricted bool,
) (personv4.Result, error) {
	return r.change(ctx, writeCall(caller, update, unrestricted), update)
}

// change carries out a call of any contract that replaces one record.
func (r *Register) change(ctx context.Context, c call, update personv4.Update) (personv4.Result, error) {
	if !personv3.Portable(update) {
		return r.refuseForm(ctx, c, update, unstorable())
	}
	if update.VersionToUpdate == "" {
		return r.refuse(ctx, c, update, versionMissing())
	}
	if optsOut(update) && !mayNotify(update.Entries) {
		return r.refuse(ctx, c, update, optoutNeedsNotification())
	}
	replace := r.replaceGrouped
	if c.over != nil {
		replace = r.replaceAlone
	}
	record, err := replace(ctx, c, update)
	fault, isFault := errors.AsType[*rivta.Fault](err)
	switch {
	case errors.Is(err, errNoVersion), errors.Is(err, pgx.ErrNoRows):
		return r.refuse(ctx, c, update, staleVersion())
	case isFault:
		return r.refuseForm(ctx, c, update, fault)
	case err != nil:
		return personv4.Result{}, fmt.Errorf("update record: %w", err)
	}
	r.feed.wake()
	return personv4.Result{OK: true, Record: record}, nil
}

// replaceAlone carries out the update and logs it, or returns pgx.ErrNoRows. Of two updates of the same version only one can succeed.
func (r *Register) replaceAlone(ctx context.Context, c call, update personv4.Update) (*personv4.Record, error) {
	conn, err := r.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	if c.over == nil {
		return r.overwrite(ctx, conn, c, update, "")
	}
	var record *personv4.Record
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		stored, err := lock(ctx, tx, update)
		if err != nil {
			return err
		}
		record, err = r.overwrite(ctx, tx, c, c.over(*stored), "")
		return err
	})
	return record, err
}

// queryer is a connection, or a transaction on it.
type queryer interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// lock reads the record that the update is of, which nobody else replaces before the transaction is over. Where versions can be
// given twice, it need not be the record that the update's caller read.
func lock(ctx context.Context, tx queryer, update personv4.Update) (*personv4.Record, error) {
	p := person{id: update.Person, version: update.VersionToUpdate}
	err := tx.QueryRow(ctx, `
		select content from register.persons where root = $1 and extension = $2 and version = $3 for update`,
		p.id.Root, p.id.Extension, p.version).Scan(&p.content)
	if err != nil {
		return nil, err
	}
	return p.record()
}

// passOver makes overwrite find nothing where somebody else holds the record.
const passOver = `and ctid = (select ctid from register.persons where root = $1 and extension = $2 for no key update skip locked)`

// overwrite judges, writes and logs in one statement: there is no change without its entry, and no entry without its change. It waits
// for whoever holds the record, unless it is told to pass over.
func (r *Register) overwrite(ctx context.Context, at queryer, c call, update personv4.Update, held string) (*personv4.Record, error) {
	// The version is the time of the change, not of the wait for a connection or a lock before it: others believe that when its
	// second is over, nothing more comes under it.
	next, err := r.clock.nextVersion(update.VersionToUpdate)
	if err != nil {
		return nil, err
	}
	record := r.updated(update, next)
	content, err := stored(record)
	if err != nil || len(content) > maxContent {
		return nil, unstorable()
	}
	o := ownOf(update.Entries)
	var protectedPopulation bool
	access := r.accessRows([]accessEntry{c.entryOf(update, personv4.OutcomeOK, next)})[0]
	err = at.QueryRow(ctx, `
		with changed as (
			update register.persons set version = $4, content = $5,
				own_version = $4, mobile = $7, mobile_notify = $8, email = $9, email_notify = $10
			where root = $1 and extension = $2 and version = $3
				and not deceased and ($6 or not protected_person and not protected_population) `+held+`
			returning protected_person, protected_population
		), logged as (
			insert into register.access_log (`+accessColumns+`)
			select $11::uuid, $12::timestamptz, $13::bytea, $14::text, $15::text, $16::text, $17::text, $18::text, $19::text, $20::text, $21::text,
				$22::text, $23::text, $24::text, $25::text
			from changed
		)
		select protected_person, protected_population from changed`,
		append([]any{update.Person.Root, update.Person.Extension, update.VersionToUpdate, next, content, c.unrestricted,
			o.mobile, o.mobileNotify, o.email, o.emailNotify}, access.values()...)...,
	).Scan(&record.ProtectedPerson, &protectedPopulation)
	record.ProtectedPopulation = &protectedPopulation
	return &record, err
}

// maxContent bounds a record, in bytes of XML, so that it always fits into the update (1 MiB at most) that removes something
// from it: a record too large to be written back could never follow a person's No.
const maxContent = 512 << 10

// unstorable is the fault for an update that is valid by the schema and yet becomes no record: it is too large, or its
// further elements are of a namespace that one of the majors knows, so that not all could show the record and write it back.
func unstorable() *rivta.Fault {
	return &rivta.Fault{Code: rivta.FaultClient, String: "the update holds more than a record can hold"}
}

// updated is the record that the update asks for. The register, not the caller, says when it was made.
func (r *Register) updated(update personv4.Update, version string) personv4.Record {
	actor := update.Actor
	actor.UpdateTime = r.clock.wall()
	return personv4.Record{
		Version:        version,
		Person:         personv4.ID{Root: update.Person.Root, Extension: update.Person.Extension},
		Entries:        update.Entries,
		ContactPersons: update.ContactPersons,
		OptoutPaper:    update.OptoutPaper,
		Actor:          &actor,
		Unknown:        update.Unknown,
	}
}

// refuse looks whether there is a graver reason than the given one, such that another attempt is pointless, and logs it.
func (r *Register) refuse(ctx context.Context, c call, update personv4.Update, otherwise refusal) (personv4.Result, error) {
	why, err := r.gravest(ctx, c, update.Person, otherwise)
	if err != nil {
		return personv4.Result{}, fmt.Errorf("explain refused update: %w", err)
	}
	if err := r.logReads(ctx, []accessEntry{c.entryOf(update, personv4.OutcomeError+":"+why.code, "")}); err != nil {
		return personv4.Result{}, err
	}
	return why.result(), nil
}

// refuseForm answers an update with a fault, once that is logged.
func (r *Register) refuseForm(ctx context.Context, c call, update personv4.Update, fault *rivta.Fault) (personv4.Result, error) {
	if err := r.logReads(ctx, []accessEntry{c.entryOf(update, faultOutcome(fault), "")}); err != nil {
		return personv4.Result{}, err
	}
	return personv4.Result{}, fault
}

func (r *Register) gravest(ctx context.Context, c call, person personv4.ID, otherwise refusal) (refusal, error) {
	p, err := r.find(ctx, person)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return personUnknown(), nil
	case err != nil:
		return refusal{}, err
	case p.protected() && !c.unrestricted:
		return protectedPerson(), nil
	case p.deceased:
		return personDeceased(), nil
	}
	return otherwise, nil
}

func optsOut(update personv4.Update) bool { return update.OptoutPaper != nil && *update.OptoutPaper }

// mayNotify tells whether a letter on paper has something to be replaced by (TKB 5.1 §7.10.3, rule 3).
func mayNotify(entries []personv4.Entry) bool {
	for _, entry := range entries {
		if entry.DigitalNotification != nil && *entry.DigitalNotification {
			return true
		}
	}
	return false
}
