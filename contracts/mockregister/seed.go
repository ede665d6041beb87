package mockregister

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/jackc/pgx/v5"

	"contactsync/contracts/personv4"
)

// TestPerson is one person of the register, as printed by the dev stack for those who try it out.
type TestPerson struct {
	Name      string `json:"name"`  // invented
	State     string `json:"state"` // what the person is there for, such as "paper_opt_out"
	Root      string `json:"root"`
	Extension string `json:"extension"`
}

// StateGenerated is the state of the persons that only make up the numbers.
const StateGenerated = "generated"

// errTooMany tells that there are not enough identities for so many generated persons.
var errTooMany = errors.New("more generated persons than there are identities")

// Seed fills an empty register with the test persons, one for each state, and after them as many generated ones as asked
// for: adults without protection and with empty records. It returns everybody in that order. A register that has been
// seeded stays as it is, whatever number is asked for.
func (r *Register) Seed(ctx context.Context, generated int) ([]TestPerson, error) {
	if err := r.Fill(ctx, generated, false); err != nil {
		return nil, err
	}
	return r.testPersons(ctx)
}

// Fill is Seed without the list, for a register of millions; with details, generated persons have shared both channels.
func (r *Register) Fill(ctx context.Context, generated int, details bool) error {
	err := pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		// Two processes that start together must not both find the register empty.
		if _, err := tx.Exec(ctx, `lock table register.persons in share row exclusive mode`); err != nil {
			return err
		}
		var seeded bool
		if err := tx.QueryRow(ctx, `select exists (select from register.persons)`).Scan(&seeded); err != nil || seeded {
			return err
		}
		return r.fill(ctx, tx, generated, details)
	})
	if err != nil {
		return fmt.Errorf("seed register: %w", err)
	}
	return nil
}

func (r *Register) fill(ctx context.Context, tx pgx.Tx, generated int, details bool) error {
	named := namedPersons(r.clock.today())
	if err := r.copyPersons(ctx, tx, named, generated, details); err != nil {
		return err
	}
	return relate(ctx, tx, named)
}

// copyPersons streams, so that millions of generated persons need no memory.
func (r *Register) copyPersons(ctx context.Context, tx pgx.Tx, named []seedPerson, generated int, details bool) error {
	columns := []string{"root", "extension", "name", "state", "deceased", "protected_person", "protected_population",
		"version", "content", "deregistration", "deregistered_on", "particulars",
		"own_version", "mobile", "mobile_notify", "email", "email_notify"}
	next, stop := iter.Pull(everybody(named, generated, details))
	defer stop()
	version := r.clock.wall()
	both, err := stored(seedPerson{content: bothChannels()}.record(version))
	if err != nil {
		return err
	}
	source := pgx.CopyFromFunc(func() ([]any, error) {
		p, ok := next()
		if !ok {
			return nil, nil
		}
		content, err := both, error(nil)
		if !details || p.State != StateGenerated { // the others are all alike
			content, err = stored(p.record(version))
		}
		particulars, err2 := p.profile()
		o := ownOf(p.content.Entries)
		return []any{p.Root, p.Extension, p.Name, p.State, p.deceased(), p.secrecy, p.protectedPopulation, version, content,
			p.deregistration, p.deregisteredOn, particulars,
			version, o.mobile, o.mobileNotify, o.email, o.emailNotify}, errors.Join(err, err2)
	})
	copied, err := tx.CopyFrom(ctx, pgx.Identifier{"register", "persons"}, columns, source)
	if err == nil && copied != int64(len(named)+generated) {
		return errTooMany
	}
	return err
}

func everybody(named []seedPerson, generated int, details bool) iter.Seq[seedPerson] {
	return func(yield func(seedPerson) bool) {
		taken := map[string]bool{}
		for _, p := range named {
			taken[p.Extension] = true
			if !yield(p) {
				return
			}
		}
		left, numbers := generated, adultNumbers()
		if details { // in their order, so that the index of a register of millions grows at its end
			numbers = sorted(numbers, generated+len(taken))
		}
		for number := range numbers {
			if left == 0 {
				return
			}
			if taken[number] {
				continue
			}
			p := generatedPerson(number, left)
			if details {
				p.content = bothChannels()
			}
			if !yield(p) {
				return
			}
			left--
		}
	}
}

// sorted are the first n in their order.
func sorted(numbers iter.Seq[string], n int) iter.Seq[string] {
	first := make([]string, 0, n)
	for number := range numbers {
		if first = append(first, number); len(first) == n {
			break
		}
	}
	slices.Sort(first)
	return slices.Values(first)
}

// generatedPerson has an invented name; which one depends on n.
func generatedPerson(number string, n int) seedPerson {
	given := [...]string{"Alex", "Bo", "Charlie", "Dani", "Eli", "Kim", "Lo", "Mika", "Noa", "Robin", "Sam", "Tintin", "Vanja"}
	family := [...]string{"Testsson", "Provberg", "Påhittad", "Fingersson", "Exempelgren", "Låtsaslund", "Övningsdal"}
	name := given[n%len(given)] + " " + family[n%len(family)]
	return seedPerson{TestPerson: TestPerson{name, StateGenerated, personv4.RootPersonnummer, number}}
}

// relate makes families of the named persons, and links identities.
func relate(ctx context.Context, tx pgx.Tx, named []seedPerson) error {
	of := map[string]TestPerson{}
	for _, p := range named {
		of[p.State] = p.TestPerson
	}
	batch := &pgx.Batch{}
	for _, x := range custodies() {
		child, guardian := of[x.child], of[x.adult]
		batch.Queue(`
			insert into register.guardianships (child_root, child_extension, guardian_root, guardian_extension, since)
			values ($1, $2, $3, $4, $5)`, child.Root, child.Extension, guardian.Root, guardian.Extension, bornOn(child.Extension))
	}
	for _, x := range parenthoods() {
		child, parent := of[x.child], of[x.adult]
		batch.Queue(`
			insert into register.parents (child_root, child_extension, parent_root, parent_extension, kind)
			values ($1, $2, $3, $4, $5)`, child.Root, child.Extension, parent.Root, parent.Extension, x.kind)
	}
	for _, x := range replacements() {
		old, primary := of[x.old], of[x.primary]
		batch.Queue(`
			insert into register.linked_identities (root, extension, primary_root, primary_extension, replaced_on)
			values ($1, $2, $3, $4, $5)`, old.Root, old.Extension, primary.Root, primary.Extension, x.on)
	}
	return tx.SendBatch(ctx, batch).Close()
}

func (r *Register) testPersons(ctx context.Context) ([]TestPerson, error) {
	rows, err := r.pool.Query(ctx, `select name, state, root, extension from register.persons order by position`)
	if err != nil {
		return nil, fmt.Errorf("list test persons: %w", err)
	}
	persons, err := pgx.CollectRows(rows, pgx.RowToStructByPos[TestPerson])
	if err != nil {
		return nil, fmt.Errorf("list test persons: %w", err)
	}
	return persons, nil
}
