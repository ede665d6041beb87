package contracttest

import (
	"context"
	"encoding/xml"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// pairSentences hold for each two contracts, whichever of them writes and whichever reads.
func pairSentences() map[string]sentence {
	return map[string]sentence{
		"what one contract writes all others read":                  run.writtenAndReadByAll,
		"what one contract has read and another replaced is stale":  run.staleThroughAll,
		"of changes of one version through all, one is carried out": run.oneWinnerOfAll,
		"changes through all contracts at once are all there":       run.nothingLost,
		"a change through one contract keeps what it is not about":  run.keepsThroughAll,
		"protected persons are hidden and shown by all alike":       run.protectedThroughAll,
		"the dead are shown by all and changed by none":             run.deceasedThroughAll,
		"nobody is found by any where there is nobody":              run.unknownThroughAll,
	}
}

// sees reads a person as a way shows it, who must be there.
func (r run) sees(t *testing.T, w way, id personv4.ID) found {
	t.Helper()
	f, err := w.read(t.Context(), id)
	if err != nil || f == nil {
		t.Fatalf("%s: nobody is found: %v", w.name, err)
	}
	return *f
}

// shown checks that all contracts show the same, and returns the version.
func (r run) shown(t *testing.T, ways []way, id personv4.ID, want details, what string) (version string) {
	t.Helper()
	version = r.record(t, id).Version
	for _, w := range ways {
		if got := r.sees(t, w, id); got.own != want || got.version != version {
			t.Errorf("%s, read by %s: version %s and %+v, want %s and %+v", what, w.name, got.version, got.own, version, want)
		}
	}
	return version
}

// numbered are details that no other number gives.
func numbered(n int) details {
	return details{fmt.Sprintf("+46701740%03d", n), fmt.Sprintf("nr%d@example.se", n)}
}

func (r run) writtenAndReadByAll(t *testing.T) {
	ways := r.ways(t)
	for i, w := range ways {
		for _, to := range []details{numbered(i), {mobile: numbered(i).mobile}, {email: numbered(i).email}, {}} {
			before := r.sees(t, w, r.Person)
			if err := before.replace(t.Context(), to); err != nil {
				t.Errorf("written by %s: %s", w.name, said(err))
				continue
			}
			if after := r.shown(t, ways, r.Person, to, "written by "+w.name); after <= before.version {
				t.Errorf("written by %s: version %s does not come after %s", w.name, after, before.version)
			}
		}
	}
}

func (r run) staleThroughAll(t *testing.T) {
	ways := r.ways(t)
	for i, first := range ways {
		for j, second := range ways {
			to, late := numbered(i*len(ways)+j), numbered(900+j)
			held := r.sees(t, first, r.Person)
			if err := r.sees(t, second, r.Person).replace(t.Context(), to); err != nil {
				t.Fatalf("by %s: %s", second.name, said(err))
			}
			want, stands := "stale_version", to
			if first.unguarded {
				want, stands = "ok", late
			}
			if got := said(held.replace(t.Context(), late)); got != want {
				t.Errorf("read by %s, replaced by %s, and then by the first: %s, want %s", first.name, second.name, got, want)
			}
			if got := r.sees(t, ways[0], r.Person).own; got != stands {
				t.Errorf("read by %s, replaced by %s, and then by the first: %+v stands, want %+v", first.name, second.name, got, stands)
			}
		}
	}
}

func (r run) oneWinnerOfAll(t *testing.T) {
	ways := slices.DeleteFunc(r.ways(t), func(w way) bool { return w.unguarded })
	held := make([]found, len(ways))
	for i, w := range ways {
		held[i] = r.sees(t, w, r.Person)
	}
	var rivals sync.WaitGroup
	ends := make([]string, len(ways))
	for i := range ways {
		rivals.Go(func() { ends[i] = said(held[i].replace(t.Context(), numbered(i))) })
	}
	rivals.Wait()
	winner := slices.Index(ends, "ok")
	if winner < 0 {
		t.Fatalf("nobody was told that its change was carried out: %q", ends)
	}
	for i, end := range ends {
		if i != winner && end != "stale_version" {
			t.Errorf("%s: %s beside the change by %s, want stale_version", ways[i].name, end, ways[winner].name)
		}
	}
	r.shown(t, ways, r.Person, numbered(winner), "won by "+ways[winner].name)
}

// nothingLost has each way change something of its own, again and again: those that know other entries add one, the REST contract
// changes the address by version and the number by decisions.
func (r run) nothingLost(t *testing.T) {
	const times = 3
	ways := r.ways(t)
	value := func(way, n int) string { return fmt.Sprintf("+46701740%d%02d", n, way) }
	var all sync.WaitGroup
	for i, w := range ways {
		all.Go(func() {
			for n := range times {
				if err := r.untilItHolds(t.Context(), w, value(i, n)); err != nil {
					t.Errorf("%s: %s", w.name, said(err))
				}
			}
		})
	}
	all.Wait()
	record := r.record(t, r.Person)
	own, lastMobile, lastEmail := ownOf(record.Entries), false, false
	for i, w := range ways {
		f := r.sees(t, w, r.Person)
		for n := range times {
			there := slices.ContainsFunc(record.Entries, func(e personv4.Entry) bool { return e.Use == nil && *e.Value == value(i, n) })
			if f.add != nil && !there {
				t.Errorf("%s was told that its entry %d is there, and it is not", w.name, n)
			}
		}
		lastMobile = lastMobile || w.unguarded && own.mobile == value(i, times-1)
		lastEmail = lastEmail || f.add == nil && !w.unguarded && own.email == mailOf(value(i, times-1))
	}
	if r.Limited != "" && !(lastMobile && lastEmail) {
		t.Errorf("own details are %+v, which is nobody's last change", own)
	}
}

func mailOf(value string) string { return "nr" + value[1:] + "@example.se" }

// untilItHolds makes a change. Whoever is told of a stale version reads again, as any client must; a decision that a newer one has
// overtaken is done.
func (r run) untilItHolds(ctx context.Context, w way, value string) error {
	for {
		f, err := w.read(ctx, r.Person)
		if err != nil {
			return err
		}
		switch {
		case f.add != nil:
			err = f.add(ctx, value)
		case w.unguarded:
			err = f.replace(ctx, details{value, f.own.email})
		default:
			err = f.replace(ctx, details{f.own.mobile, mailOf(value)})
		}
		switch said(err) {
		case "stale_version":
		case "superseded":
			return nil
		default:
			return err
		}
	}
}

// keepsThroughAll gives Rich, beside what it has, what v3 and REST cannot express, in the own entry too.
func (r run) keepsThroughAll(t *testing.T) {
	unknown := []rivta.Element{{Name: xml.Name{Space: "urn:example:own", Local: "kept"}, Text: " as it is\n"}}
	update := Unchanged(r.record(t, r.Rich))
	other := personv4.Entry{Type: "tel", Use: new("work"), Value: new("+46701740698"), DigitalNotification: new(true), Unknown: unknown}
	own := Mobile()
	own.Rank, own.Unknown = new(7), unknown
	mail := personv4.Entry{Type: "mail", Use: new("personal"), Value: new("rik@example.se"), Unknown: unknown}
	update.Entries = append(setOwn(setOwn(update.Entries, "tel", "mobile", ""), "mail", "personal", ""), other, own, mail)
	update.OptoutPaper = new(true)
	before := r.update(t, update)
	if len(before.Unknown) == 0 || len(before.ContactPersons) == 0 || len(before.Entries) < 4 {
		t.Fatal("the record of Rich has nothing that could get lost")
	}
	for i, w := range r.ways(t) {
		if err := r.sees(t, w, r.Rich).replace(t.Context(), numbered(i)); err != nil {
			t.Errorf("%s: %s", w.name, said(err))
		}
		after := r.record(t, r.Rich)
		if got := ownOf(after.Entries); got != numbered(i) {
			t.Errorf("%s: the change is not there", w.name)
		}
		if diff := cmp.Diff(withoutOwn(t, before), withoutOwn(t, after)); diff != "" {
			t.Errorf("changed by %s, all but the own values (-before +after):\n%s", w.name, diff)
		}
	}
}

// withoutOwn is the record as it travels, without what a change of own details changes: their value, and by a contract that has no
// word for it whether one may be notified there.
func withoutOwn(t *testing.T, record personv4.Record) string {
	t.Helper()
	record.Entries = slices.Clone(record.Entries)
	for i, e := range record.Entries {
		if isOwn(e, "tel", "mobile") || isOwn(e, "mail", "personal") {
			record.Entries[i].Value, record.Entries[i].DigitalNotification = nil, nil
		}
	}
	return Rest(t, record)
}

func (r run) protectedThroughAll(t *testing.T) {
	for _, id := range []personv4.ID{r.Protected, r.Registration} {
		for i, w := range r.ways(t) {
			before := r.record(t, id)
			own := ownOf(before.Entries)
			if own.mobile == "" {
				t.Fatal("the suite needs a protected person with a number of its own")
			}
			f := r.sees(t, w, id)
			want, end := own, "ok"
			if w.restricted {
				want, end = details{}, "protected_person"
			}
			if f.own != want || !f.protected {
				t.Errorf("%s: protected %v, details %v, want %v", w.name, f.protected, f.own != details{}, want != details{})
			}
			if f.replace == nil {
				continue // what a profile leaves of a protected person cannot be written back
			}
			if got := said(f.replace(t.Context(), numbered(i))); got != end {
				t.Errorf("changed by %s: %s, want %s", w.name, got, end)
			}
			switch after := r.record(t, id); {
			case w.restricted && !cmp.Equal(before, after):
				t.Errorf("%s: a refused change changed the record", w.name)
			case !w.restricted && ownOf(after.Entries) != numbered(i):
				t.Errorf("%s: the change is not there", w.name)
			}
		}
	}
}

func (r run) deceasedThroughAll(t *testing.T) {
	before := r.record(t, r.Deceased)
	ways := r.ways(t)
	r.shown(t, ways, r.Deceased, ownOf(before.Entries), "of the deceased")
	for _, w := range ways {
		if got := said(r.sees(t, w, r.Deceased).replace(t.Context(), numbered(1))); got != "person_deceased" {
			t.Errorf("changed by %s: %s, want person_deceased", w.name, got)
		}
	}
	if !cmp.Equal(before, r.record(t, r.Deceased)) {
		t.Error("a refused change changed the record")
	}
}

func (r run) unknownThroughAll(t *testing.T) {
	for _, w := range r.ways(t) {
		if f, err := w.read(t.Context(), r.Unknown); f != nil || err != nil {
			t.Errorf("read by %s: somebody %v, %s; want neither a record nor an error", w.name, f != nil, said(err))
		}
	}
}
