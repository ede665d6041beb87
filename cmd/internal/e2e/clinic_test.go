package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"contactsync/contracts/mockregister"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// clinic is another party that changes records while the workers do: it keeps a number of its own in each. Whatever happens,
// that number must be the one that the clinic wrote last.
type clinic struct {
	client  *personv4.Client
	persons []personv4.ID
	last    map[personv4.ID]string // the number that was written last; empty: none yet
}

const (
	clinicType = "tel"
	clinicUse  = "clinic"
)

func newClinic(s *scene, persons []mockregister.TestPerson) *clinic {
	s.t.Helper()
	client, err := personv4.NewClient(personv4.ClientConfig{ClientConfig: rivta.ClientConfig{
		BaseURL: s.at.Register, LogicalAddress: "SE165565594230-1000", HTTP: clientOf(s.t, s.dir, "journal")}})
	if err != nil {
		s.t.Fatal(err)
	}
	c := &clinic{client: client, last: map[personv4.ID]string{}}
	for _, p := range persons {
		c.persons = append(c.persons, personv4.ID{Root: p.Root, Extension: p.Extension})
	}
	return c
}

// work changes one record after the other until ctx ends, each twice in a row, so that two changes may share a version. Its error
// is a number that is not the clinic's last.
func (c *clinic) work(ctx context.Context, random *rand.Rand) error {
	for i := 0; ctx.Err() == nil; i++ {
		p := c.persons[random.IntN(len(c.persons))]
		for j := range 2 {
			// To the end, whatever happens: else nobody knew what the clinic wrote last.
			if err := c.change(context.WithoutCancel(ctx), p, fmt.Sprintf("+46846%d%06d", j, i)); err != nil {
				return err
			}
			_ = wait(ctx, drawTime(random, 0, 60*time.Millisecond))
		}
	}
	return nil
}

// change writes a number over the version that was read, and reads again until it is known what came of it.
func (c *clinic) change(ctx context.Context, p personv4.ID, number string) error {
	for {
		record, err := c.read(ctx, p)
		if err != nil {
			_ = wait(ctx, 50*time.Millisecond) // the register is away
			continue
		}
		if got := c.number(record); got != c.last[p] {
			return fmt.Errorf("the clinic's number is %q, and it wrote %q last", got, c.last[p])
		}
		result, err := c.client.Update(ctx, c.changed(*record, number))
		if err == nil && result.OK {
			c.last[p] = number
			return nil
		}
		if err != nil {
			return c.look(ctx, p, number)
		}
	}
}

// look finds out whether an update of unknown end was carried out: the register was killed in between, so nothing is under way.
func (c *clinic) look(ctx context.Context, p personv4.ID, number string) error {
	for {
		record, err := c.read(ctx, p)
		if err != nil {
			_ = wait(ctx, 50*time.Millisecond)
			continue
		}
		got := c.number(record)
		if got != number && got != c.last[p] {
			return fmt.Errorf("the clinic's number is %q, and it wrote %q or %q last", got, c.last[p], number)
		}
		c.last[p] = got
		return nil
	}
}

// read does not wait until the second of the version is over, where versions are whole seconds: the workers do, so a clinic that
// is quick can lose nothing to them.
func (c *clinic) read(ctx context.Context, p personv4.ID) (*personv4.Record, error) {
	record, err := c.client.Get(ctx, p)
	if err == nil && record == nil {
		err = errors.New("the register does not know the person")
	}
	return record, err
}

func (c *clinic) number(r *personv4.Record) string {
	for _, e := range r.Entries {
		if e.Type == clinicType && e.Use != nil && *e.Use == clinicUse {
			return *e.Value
		}
	}
	return ""
}

func (c *clinic) changed(r personv4.Record, number string) personv4.Update {
	entries := slices.DeleteFunc(slices.Clone(r.Entries), func(e personv4.Entry) bool {
		return e.Type == clinicType && e.Use != nil && *e.Use == clinicUse
	})
	entries = append(entries, personv4.Entry{Type: clinicType, Use: new(clinicUse), Value: &number})
	return personv4.Update{Actor: personv4.Actor{ID: r.Person}, Person: r.Person, VersionToUpdate: r.Version, Entries: entries,
		ContactPersons: r.ContactPersons, OptoutPaper: r.OptoutPaper, Unknown: r.Unknown}
}

// judge compares every record with what the clinic wrote last.
func (c *clinic) judge(s *scene) {
	s.t.Helper()
	wrong := 0
	for p, want := range c.last {
		record, err := c.client.Get(s.t.Context(), p)
		if err != nil || record == nil {
			s.t.Fatal(err)
		}
		if c.number(record) != want {
			wrong++
		}
	}
	if wrong > 0 || len(c.last) == 0 {
		s.t.Errorf("%d of the clinic's %d numbers are not what it wrote last", wrong, len(c.last))
	}
}
