package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"contactsync/consent/pgschema"
	"contactsync/contracts/contactsv1"
)

// change is one change of a record, as PostgreSQL remembers it by itself.
type change struct {
	Person, Replaced, Version, Mobile, Email, Content string
	Tx                                                uint64
}

func (c change) value(channel contactsv1.Channel) string {
	if channel == contactsv1.Mobile {
		return c.Mobile
	}
	return c.Email
}

// logEntry is one entry of the access log.
type logEntry struct {
	Correlation, Person, Contract, Action, Outcome, Version string
	Tx                                                      uint64
}

// carriedOut tells whether the entry says that something was changed.
func (e logEntry) carriedOut() bool {
	return e.Action != "read" && (e.Outcome == "ok" || e.Outcome == string(contactsv1.Applied))
}

// edition names one version of one person's record.
type edition struct{ person, version string }

// verdicts gathers what is wrong by sentence: where one thing is, many are.
type verdicts map[string][]string

func (v verdicts) holds(is bool, sentence string, which ...any) {
	if !is {
		v[sentence] = append(v[sentence], fmt.Sprint(which...))
	}
}

func (v verdicts) tell(t *testing.T) {
	t.Helper()
	for _, sentence := range slices.Sorted(maps.Keys(v)) {
		t.Errorf("%s: %d times, such as %s", sentence, len(v[sentence]), v[sentence][0])
	}
}

// afterlife is what is found in the database in the end, and judged against what the systems know.
type afterlife struct {
	*dying
	verdicts
	history []change // in the order of each person's versions
	entries []logEntry
	changes map[edition]change
	called  map[string][]logEntry // by correlation id, in their order
}

func (d *dying) judge() {
	d.t.Helper()
	a := &afterlife{dying: d, verdicts: verdicts{}, changes: map[edition]change{}, called: map[string][]logEntry{}}
	a.history = collected[change](a, `
		select extension, replaced, version, coalesce(mobile, ''), coalesce(email, ''), content, tx from regdie.history
		order by extension, id`)
	a.entries = collected[logEntry](a, `
		select correlation, extension, contract, action, outcome, version, tx from register.access_log order by id`)
	for _, c := range a.history {
		a.changes[edition{c.Person, c.Version}] = c
	}
	for _, e := range a.entries {
		a.called[e.Correlation] = append(a.called[e.Correlation], e)
	}
	a.judgeHistory()
	a.judgeChanges()
	a.judgeEntries()
	a.judgeWritings()
	a.judgeReadings()
	a.judgeBulks()
	a.judgeFences()
	a.judgeValues()
	a.judgeSignals()
	a.judgeChain()
	a.tellHowMuch()
	a.tell(d.t)
}

func collected[T any](a *afterlife, statement string) []T {
	a.t.Helper()
	conn, err := pgx.Connect(a.t.Context(), a.At.Postgres)
	a.must(err)
	defer conn.Close(context.WithoutCancel(a.t.Context()))
	rows, err := conn.Query(a.t.Context(), statement)
	a.must(err)
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[T])
	a.must(err)
	return all
}

// judgeHistory: versions grow, each change replaces the one before, and the last is what the register shows.
func (a *afterlife) judgeHistory() {
	now := map[string]string{}
	for _, c := range a.history {
		before, changed := now[c.Person]
		a.holds(!changed || before == c.Replaced, "a change replaces another version than the one before it", c.Version)
		a.holds(c.Version > c.Replaced, "a version does not grow", c.Version)
		now[c.Person] = c.Version
	}
	type shown struct{ Person, Version string }
	for _, s := range collected[shown](a, `select extension, version from register.persons`) {
		if last, changed := now[s.Person]; changed {
			a.holds(last == s.Version, "a record is of another version than its last change", s.Version)
		}
	}
}

// judgeChanges: no change without its entry, in the same transaction; of a bulk one for each item that was applied.
func (a *afterlife) judgeChanges() {
	told := map[edition][]logEntry{}
	for _, e := range a.entries {
		if e.carriedOut() {
			told[edition{e.Person, e.Version}] = append(told[edition{e.Person, e.Version}], e)
		}
	}
	for at, c := range a.changes {
		entries := told[at]
		a.holds(len(entries) > 0, "a change is not in the log", at.version)
		for _, e := range entries {
			a.holds(e.Tx == c.Tx, "a change is logged in another transaction", e.Correlation)
			a.holds(e.Correlation == entries[0].Correlation && (len(entries) == 1 || e.Action != "write"),
				"a change is logged twice", e.Correlation)
		}
	}
}

// judgeEntries: no entry that claims what did not happen, or tells of a call that nobody made.
func (a *afterlife) judgeEntries() {
	made := map[string]bool{}
	for correlation := range a.noted.all() {
		made[correlation] = true
	}
	for _, e := range a.entries {
		_, happened := a.changes[edition{e.Person, e.Version}]
		a.holds(happened == e.carriedOut(), "an entry claims what did not happen", e.Correlation, " ", e.Outcome, " ", e.Version)
		a.holds(e.carriedOut() || e.Version == "", "an entry of no change has a version", e.Correlation)
		a.holds(e.Action == "read" || made[e.Correlation], "an entry tells of a write that nobody sent", e.Correlation)
	}
}

// all gives the ids of all calls that write.
func (n *notes) all() map[string]bool {
	ids := map[string]bool{}
	for _, w := range n.writings {
		ids[w.correlation] = true
	}
	for _, b := range n.bulks {
		for _, x := range b.sent {
			ids[x.correlation] = true
		}
	}
	return ids
}

// judgeWritings: what a writer was told is what the log says and what happened; what it was not told is logged if it happened.
func (a *afterlife) judgeWritings() {
	for _, w := range a.noted.writings {
		entries := a.called[w.correlation]
		a.holds(len(entries) <= 1, "a write has several entries", w.correlation)
		if len(entries) == 0 {
			a.holds(w.told == unknown, "an answered write has no entry", w.correlation)
			continue
		}
		e := entries[0]
		a.holds(e.Person == w.person, "a write is logged of another person", w.correlation)
		a.holds(w.told != refused || e.Outcome == "error:"+w.code, "a refused write is logged as "+e.Outcome, w.correlation)
		a.holds(w.told != done || e.Outcome == "ok" && e.Version == w.version, "an answered write is logged as something else", w.correlation)
		if e.carriedOut() {
			c := a.changes[edition{e.Person, e.Version}]
			a.holds(c.Replaced == w.from, "a write has replaced another version than its caller read", w.correlation)
			a.holds(c.value(w.channel) == w.value && strings.Contains(c.Content, w.value), "a write is not in the record's history", w.correlation)
		}
	}
}

// judgeReadings: an answered read has an entry for each person.
func (a *afterlife) judgeReadings() {
	for _, r := range a.noted.readings {
		logged := map[string]bool{}
		for _, e := range a.called[r.correlation] {
			logged[e.Person] = e.Action == "read" && e.Outcome == "ok"
		}
		for _, p := range r.persons {
			a.holds(logged[p], "an answered read has no entry", r.correlation)
		}
	}
}

// judgeBulks: each was carried out once, whoever has not heard so and sent it again, and the log has the outcomes that were answered.
func (a *afterlife) judgeBulks() {
	for _, b := range a.noted.bulks {
		carried := 0
		for _, x := range b.sent {
			for _, entries := range byTransaction(a.called[x.correlation]) {
				carried += a.judgeAttempt(b, x, entries)
			}
			a.holds(x.told != done || len(a.called[x.correlation]) > 0, "an answered bulk has no entry", x.correlation)
			a.holds(x.told != refused || refusedAll(a.called[x.correlation], b, x.code), "a refused bulk is not logged", x.correlation)
		}
		a.holds(carried == 1, "a bulk was not carried out exactly once", b.sent[0].correlation, " but ", carried)
	}
}

// refusedAll tells whether there is an entry for each item; what would be the same one twice is there once.
func refusedAll(entries []logEntry, b bulk, code string) bool {
	return !slices.ContainsFunc(b.items, func(item contactsv1.Change) bool {
		return !slices.ContainsFunc(entries, func(e logEntry) bool {
			return e.Person == item.Person.Extension && e.Action == string(item.Decision) && e.Outcome == "error:"+code
		})
	})
}

// byTransaction splits the entries of one id: a client's HTTP library may send a request with an Idempotency-Key twice by itself.
func byTransaction(entries []logEntry) map[uint64][]logEntry {
	split := map[uint64][]logEntry{}
	for _, e := range entries {
		split[e.Tx] = append(split[e.Tx], e)
	}
	return split
}

// judgeAttempt returns 1 for an attempt that was not only answered as before.
func (a *afterlife) judgeAttempt(b bulk, x sending, entries []logEntry) (carriedOut int) {
	outcomes := b.outcomes()
	for i, e := range entries {
		if x.told == refused || strings.HasPrefix(e.Outcome, "error:") {
			a.holds(x.told != done && (x.told == unknown || e.Outcome == "error:"+x.code), "a bulk is logged as refused and was not", x.correlation)
			return 0
		}
		if e.Outcome == "replayed" {
			continue
		}
		carriedOut = 1
		ok := len(entries) == len(b.items) && i < len(outcomes) && e.Person == b.items[i].Person.Extension &&
			e.Action == string(b.items[i].Decision) && e.Outcome == string(outcomes[i].Outcome) && e.Version == outcomes[i].Version
		a.holds(ok, "an item's outcome is not what was answered", x.correlation)
	}
	return carriedOut
}

// outcomes are those that were answered, whichever attempt it was.
func (b bulk) outcomes() []contactsv1.Outcome {
	for _, x := range b.sent {
		if x.told == done {
			return x.outcomes
		}
	}
	return nil
}

// barrier is how far a channel's decisions have come.
type barrier struct {
	Revision  int64
	Withdrawn bool
	EventID   string
}

func barrierOf(c contactsv1.Change) barrier {
	if c.Decision == contactsv1.Withdraw {
		return barrier{c.Revision, true, ""}
	}
	return barrier{c.Revision, false, c.EventID}
}

func (b barrier) compare(other barrier) int {
	withdrawn := map[bool]int{true: 1}
	return cmp.Or(cmp.Compare(b.Revision, other.Revision), cmp.Compare(withdrawn[b.Withdrawn], withdrawn[other.Withdrawn]),
		cmp.Compare(b.EventID, other.EventID))
}

// personChannel is one person's channel.
type personChannel struct {
	person  string
	channel contactsv1.Channel
}

// applied is an item that was applied.
type applied struct {
	at      personChannel
	version string
	item    contactsv1.Change
}

// judgeFences: what was applied went from one fence to a higher one, the last is the one that stands, and nobody was told that a
// decision came late if none had come before it.
func (a *afterlife) judgeFences() {
	stands := map[personChannel]barrier{}
	for _, x := range a.appliedItems() {
		next := barrierOf(x.item)
		before, any := stands[x.at]
		a.holds(!any || next.compare(before) > 0, "an item was applied behind the fence", x.version)
		stands[x.at] = next
	}
	type row struct {
		Person, Channel string
		Revision        int64
		Withdrawn       bool
		EventID         string
	}
	kept := map[personChannel]barrier{}
	for _, f := range collected[row](a, `select extension, channel, revision, withdrawn, event_id from register.fence`) {
		kept[personChannel{f.Person, contactsv1.Channel(f.Channel)}] = barrier{f.Revision, f.Withdrawn, f.EventID}
	}
	a.holds(maps.Equal(kept, stands), "the fences that stand are not those of the last decisions applied", len(kept), " ", len(stands))
	for _, b := range a.noted.bulks {
		for i, o := range b.outcomes() {
			at := personChannel{b.items[i].Person.Extension, b.items[i].Channel}
			late := o.Outcome == contactsv1.Superseded || o.Outcome == contactsv1.Duplicate
			a.holds(!late || barrierOf(b.items[i]).compare(stands[at]) <= 0, "an item is said to be late and was not", b.sent[0].correlation)
		}
	}
}

// appliedItems are all, in the order in which they were applied to each record.
func (a *afterlife) appliedItems() []applied {
	var all []applied
	for _, b := range a.noted.bulks {
		for i, o := range b.outcomes() {
			if item := b.items[i]; o.Outcome == contactsv1.Applied {
				all = append(all, applied{personChannel{item.Person.Extension, item.Channel}, o.Version, item})
			}
		}
	}
	slices.SortStableFunc(all, func(x, y applied) int { return strings.Compare(x.version, y.version) })
	return all
}

// judgeValues: the last item of each channel that was applied is in the record's history.
func (a *afterlife) judgeValues() {
	type written struct {
		personChannel
		version string
	}
	last := map[written]string{} // one bulk has one version of a person
	for _, x := range a.appliedItems() {
		last[written{x.at, x.version}] = x.item.Value
	}
	for w, value := range last {
		c, happened := a.changes[edition{w.person, w.version}]
		a.holds(happened && c.value(w.channel) == value, "an item that was applied is not in the record's history", w.version)
	}
}

// judgeSignals: the feed has one for each detail that changed, each person's in order; its reader has seen all, each once; and
// all wait to be published.
func (a *afterlife) judgeSignals() {
	type signal struct {
		Seq                      int64
		Person, Channel, Version string
	}
	feed := collected[signal](a, `select seq, extension, channel, version from register.feed order by seq`)
	told, last := map[signal]bool{}, map[string]string{}
	for i, s := range feed {
		_, happened := a.changes[edition{s.Person, s.Version}]
		a.holds(happened, "a signal tells of no change", s.Version)
		a.holds(s.Seq == int64(i+1), "the feed's numbers have a gap", s.Seq)
		a.holds(s.Version >= last[s.Person], "a person's signals are out of order", s.Version)
		last[s.Person] = s.Version
		s.Seq = 0
		a.holds(!told[s], "a signal comes twice", s.Version)
		told[s] = true
	}
	before := map[string]change{}
	for _, c := range a.history {
		for _, channel := range []contactsv1.Channel{contactsv1.Mobile, contactsv1.Email} {
			changed := c.value(channel) != before[c.Person].value(channel)
			a.holds(!changed || told[signal{0, c.Person, string(channel), c.Version}], "a change has no signal", c.Version)
		}
		before[c.Person] = c
	}
	same := slices.EqualFunc(feed, a.noted.signals, func(s signal, read contactsv1.Signal) bool {
		return s.Person == read.Person.Extension && s.Channel == string(read.Channel) && s.Version == read.Version
	})
	a.holds(same, "the feed's reader has seen something else", len(feed), " ", len(a.noted.signals))
	type waits struct{ Seq int64 }
	outbox := collected[waits](a, `select id from register.outbox order by id`)
	a.holds(slices.EqualFunc(feed, outbox, func(s signal, w waits) bool { return s.Seq == w.Seq }),
		"what waits to be published is not the feed", len(feed), " ", len(outbox))
}

// judgeChain: the log verifies, also against the head that was noted last, and no head is gone that stood after a blow.
func (a *afterlife) judgeChain() {
	noted := ""
	if len(a.heads) > 0 {
		noted = a.heads[len(a.heads)-1]
	}
	v := a.verified(noted)
	a.holds(v.Sound && v.Rows == int64(len(a.entries)) && v.Unsealed == 0, "the log does not verify", fmt.Sprintf("%+v", v))
	type head struct{ Head string }
	links := map[string]bool{}
	for _, l := range collected[head](a, `select number || ':' || encode(hash, 'hex') from register.access_link`) {
		links[l.Head] = true
	}
	for _, h := range a.heads {
		a.holds(links[h], "a link of the chain is gone", h)
	}
}

// verified asks the data protection officer's command for the access log; head is empty or was noted before.
func (d *dying) verified(head string) verifiedJSON {
	d.t.Helper()
	args := []string{"audit", "verify", "--json", "--log", "access"}
	if head != "" {
		args = append(args, "--head", head)
	}
	cmd := exec.Command(Binary(d.t), args...)
	cmd.Env = append(d.postgresEnv("register-postgres", pgschema.RoleAuditor), "CONTACTSYNC_AUDIT_KEY="+auditKey)
	output, err := cmd.Output() // code 1 is in what it prints
	var all []verifiedJSON
	if json.Unmarshal(output, &all) != nil || len(all) != 1 {
		d.t.Fatalf("audit verify: %v: %s", err, output)
	}
	return all[0]
}

// tellHowMuch shows that the blows met calls under way.
func (a *afterlife) tellHowMuch() {
	var answered, unanswered, landed, again int
	for _, w := range a.noted.writings {
		switch {
		case w.told != unknown:
			answered++
		case len(a.called[w.correlation]) > 0:
			landed++
		default:
			unanswered++
		}
	}
	for _, b := range a.noted.bulks {
		again += len(b.sent) - 1
	}
	a.t.Logf("%d changes, %d entries, %d signals, %d reads", len(a.history), len(a.entries), len(a.noted.signals), len(a.noted.readings))
	a.t.Logf("%d writes answered, %d logged without an answer, %d without either; %d bulks, sent again %d times",
		answered, landed, unanswered, len(a.noted.bulks), again)
}
