package mockregister

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"contactsync/consent/audit"
	"contactsync/contracts/contactsv1"
	"contactsync/contracts/personprofilev5"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// AccessLog describes the log of who read or changed what about whom.
func AccessLog() audit.Log {
	return audit.Log{Name: "access", Schema: "register", Table: "access_log", Links: "access_link", Heads: "audit_head",
		Columns: audit.Columns("log_id", "at", "caller", "original", "correlation", "unit", "actor", "root", "extension", "contract", "action",
			"ground", "outcome", "version")}
}

// accessEntry is what the access log tells of a call and one person.
type accessEntry struct {
	caller   rivta.Caller
	contract string      // name and major, such as GetPersonContactInformation/4
	action   string      // read or write; of a bulk of decisions share or withdraw
	person   personv4.ID // zero: a refused call that did not tell in due form
	actor    string      // of a write; see actorOf
	unit     string      // empty: that of the caller's HSA-id
	ground   string      // what let the caller in
	outcome  string
	version  string // of the record that was written
}

// grounds are told until rights have finer ones.
func groundOf(unrestricted bool) string {
	if unrestricted {
		return "unrestricted"
	}
	return "restricted"
}

func contractOf(op rivta.Operation) string { return op.Name + "/" + strconv.Itoa(op.Major) }

// entry is what is logged of a call to one record.
func (c call) entry(outcome string) accessEntry {
	return accessEntry{caller: c.caller, contract: contractOf(c.operation), action: c.class, person: c.person,
		ground: groundOf(c.unrestricted), outcome: outcome}
}

// entryOf is the same of an update, which also tells who acts.
func (c call) entryOf(u personv4.Update, outcome, version string) accessEntry {
	e := c.entry(outcome)
	e.person, e.actor, e.unit, e.version = u.Person, actorOf(u), unitOf(u), version
	return e
}

// restEntry is what is logged of a call of the REST contract and one person.
func restEntry(c contactsv1.Call, id personv4.ID, outcome string) accessEntry {
	x := restCall(c)
	x.person = id
	return x.entry(outcome)
}

// actorOf tells who makes an update: a member of staff by HSA-id, the resident, or another person by its identity.
func actorOf(u personv4.Update) string {
	id := u.Actor.ID
	switch {
	case u.Actor.Professional == nil && id.Root == u.Person.Root && id.Extension == u.Person.Extension:
		return "resident"
	case loggable(id):
		return id.Extension
	}
	return ""
}

func unitOf(u personv4.Update) string {
	if u.Actor.Professional == nil || !loggable(u.Actor.Professional.Organization) {
		return ""
	}
	return u.Actor.Professional.Organization.Extension
}

// loggable tells whether an identity has the form of one: ^[0-9.]{1,64}$ and ^[0-9A-Za-z-]{1,40}$. Identities come from callers, and their
// form is checked only where it is known. What has none does not go into the log.
func loggable(id personv4.ID) bool {
	if id.Root == "" || len(id.Root) > 64 || id.Extension == "" || len(id.Extension) > 40 {
		return false
	}
	for i := range len(id.Root) {
		if c := id.Root[i]; !isDigit(c) && c != '.' {
			return false
		}
	}
	for i := range len(id.Extension) {
		if c := id.Extension[i]; !isDigit(c) && c != '-' && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// faultOutcome names a fault as the log of requests does.
func faultOutcome(f *rivta.Fault) string { return cmp.Or(f.VP, "fault_"+string(f.Code)) }

// errNotLogged says that the access log cannot be written. Then nothing is shown and nothing changed; it may be over soon.
var errNotLogged = errors.New("the access log cannot be written")

// shownAs is the outcome of a read of somebody whom the register knows. Blanked: next to nothing was told, since the person is protected.
func shownAs(blanked bool) string {
	if blanked {
		return "blanked"
	}
	return personv4.OutcomeOK
}

// logRead is logReads of a call to one record.
func (r *Register) logRead(ctx context.Context, c call, record *personv4.Record) error {
	outcome := personv4.OutcomeNoRecord
	if record != nil {
		outcome = shownAs(record.Protected() && !c.unrestricted)
	}
	return r.logReads(ctx, []accessEntry{c.entry(outcome)})
}

// bulkEntries has one entry for each person who was asked for, and for each who was shown in the place of an identity that it has
// replaced.
func (c call) bulkEntries(query personprofilev5.Query, answers []personprofilev5.Answer, fault *rivta.Fault) []accessEntry {
	var entries []accessEntry
	add := func(id personv4.ID, outcome string) {
		c.person = personv4.ID{Root: id.Root, Extension: id.Extension}
		entries = append(entries, c.entry(outcome))
	}
	for i, id := range query.Persons {
		switch {
		case fault != nil:
			add(id, faultOutcome(fault))
		case answers[i].Person == nil:
			add(id, personv4.OutcomeNoRecord)
		default:
			outcome := shownAs(answers[i].Person.Protected() && !query.Unrestricted)
			add(id, outcome)
			add(answers[i].Person.ID, outcome)
		}
	}
	return entries
}

// logRefusal logs a call that was not let in, with the persons that it names in due form.
func (r *Register) logRefusal(ctx context.Context, caller rivta.Caller, op rivta.Operation, body rivta.Element, refusal *rivta.Fault) error {
	c := call{operation: op, class: classRead, caller: caller, unrestricted: strings.HasSuffix(op.Name, "Unrestricted")}
	if strings.HasPrefix(op.Name, "Update") {
		c.class = classWrite
	}
	var entries []accessEntry
	for _, id := range personsIn(body) {
		c.person = id
		entries = append(entries, c.entry(faultOutcome(refusal)))
	}
	if len(entries) == 0 {
		entries = []accessEntry{c.entry(faultOutcome(refusal))}
	}
	return r.logReads(ctx, entries)
}

// maxRefused bounds the persons that are logged of a refused call: as many as any contract takes.
const maxRefused = 500

// personsIn finds the persons whom a message of any contract is about, before anybody has judged it.
func personsIn(body rivta.Element) (persons []personv4.ID) {
	for _, child := range body.Children {
		if child.Name.Local != "personId" || len(persons) == maxRefused {
			continue
		}
		var id personv4.ID
		for _, part := range child.Children {
			switch part.Name.Local {
			case "root":
				id.Root = part.Text
			case "extension":
				id.Extension = part.Text
			}
		}
		if loggable(id) {
			persons = append(persons, id)
		}
	}
	return persons
}

// logReads makes entries durable, together with those of other calls that wait. What they tell of may be answered when it returns
// nil, and not before. An entry that stands there twice is written once: a call may ask for the same person again and again.
func (r *Register) logReads(ctx context.Context, entries []accessEntry) error {
	known := make(map[accessEntry]bool, len(entries))
	entries = slices.DeleteFunc(entries, func(e accessEntry) bool {
		again := known[e]
		known[e] = true
		return again
	})
	if len(entries) == 0 {
		return nil
	}
	if err := r.accesses.commit(ctx, r.accessRows(entries)...); err != nil {
		return fmt.Errorf("%w: %w", errNotLogged, err)
	}
	return nil
}

// logWrites adds entries to the transaction of what they tell of.
func (r *Register) logWrites(ctx context.Context, tx pgx.Tx, entries []accessEntry) error {
	const each = 400 // about what a row takes
	c := newCopying(each * len(entries))
	for _, row := range r.accessRows(entries) {
		c.row(3 + len(row.text))
		c.bytes(row.id[:])
		c.timestamp(row.at)
		c.bytes(row.mac)
		for _, text := range row.text {
			c.text(text)
		}
	}
	if err := c.into(ctx, tx, "register.access_log ("+accessColumns+")"); err != nil {
		return fmt.Errorf("%w: %w", errNotLogged, err)
	}
	return nil
}

// accessRow is an entry as stored.
type accessRow struct {
	id   uuid.UUID
	at   time.Time
	text []string // the covered columns that follow log_id and at
	mac  []byte
}

type accessRows []accessRow

func (r *Register) accessRows(entries []accessEntry) accessRows {
	const columns = 14 // of AccessLog
	now, mac := r.clock.now(), AccessLog().MACs(r.auditKey)
	micros := audit.Micros(now)
	rows, texts := make(accessRows, len(entries)), make([]string, 0, columns*len(entries)) // one allocation for all
	for i, e := range entries {
		if e.unit == "" {
			e.unit, _, _ = strings.Cut(e.caller.HSAID, "-")
		}
		if !loggable(e.person) {
			e.person = personv4.ID{}
		}
		texts = append(texts, "", micros, e.caller.HSAID, e.caller.OriginalConsumer, e.caller.CorrelationID, e.unit, e.actor,
			e.person.Root, e.person.Extension, e.contract, e.action, e.ground, e.outcome, e.version)
		covered := texts[columns*i:]
		rows[i] = accessRow{id: audit.NewID(), at: now, text: covered[2:]}
		covered[0] = rows[i].id.String()
		rows[i].mac = mac(covered...)
	}
	return rows
}

// accessColumns are those that are written, in the order of columns and values.
const accessColumns = `log_id, at, mac, caller, original, correlation, unit, actor, root, extension, contract, action, ground, outcome, version`

// insertAccesses writes rows in one statement.
func (r *Register) insertAccesses(ctx context.Context, rows []accessRow) error {
	_, err := r.pool.Exec(ctx, `
		insert into register.access_log (`+accessColumns+`)
		select * from unnest($1::uuid[], $2::timestamptz[], $3::bytea[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
			$10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[])`, accessRows(rows).columns()...)
	return err
}

// columns are the rows as arrays, one for each of accessColumns.
func (rows accessRows) columns() []any {
	ids, ats, macs := make([][16]byte, len(rows)), make([]time.Time, len(rows)), make([][]byte, len(rows)) // pgx takes uuid.UUID by its text
	texts := make([][]string, len(AccessLog().Columns)-2)
	for i := range texts {
		texts[i] = make([]string, len(rows))
	}
	for i, row := range rows {
		ids[i], ats[i], macs[i] = row.id, row.at, row.mac
		for column, text := range row.text {
			texts[column][i] = text
		}
	}
	args := []any{ids, ats, macs}
	for _, column := range texts {
		args = append(args, column)
	}
	return args
}

// values are the same of a single row, for a statement that also writes the record.
func (row accessRow) values() []any {
	args := []any{row.id, row.at, row.mac}
	for _, text := range row.text {
		args = append(args, text)
	}
	return args
}
