package audit

import (
	"strings"
	"testing"
	"time"
)

func TestSoundLog(t *testing.T) {
	t.Parallel()
	r := chain(t).verify(Check{})
	if r.Fault != nil || r.Links != 10 || r.Rows != 50 || r.Unsealed != 3 || r.Unsigned != 0 || r.Head.Number != 10 {
		t.Errorf("%d links, %d rows, %d unsealed, %d unsigned, head %d, fault %v", r.Links, r.Rows, r.Unsealed, r.Unsigned, r.Head.Number, r.Fault)
	}
}

func TestEmptyLog(t *testing.T) {
	t.Parallel()
	if r := newWorld(t).verify(Check{}); r.Fault != nil || r.Links+r.Rows+r.Unsealed != 0 || r.Head.String() != "" {
		t.Errorf("%+v", r)
	}
}

// TestWhatNobodyMayDo does what the owner of the database can do, and says which words tell of it.
func TestWhatNobodyMayDo(t *testing.T) {
	t.Parallel()
	// The seventh link has the rows 31 to 35.
	for _, tt := range []struct {
		name       string
		statements []string
		link, row  int64
		says       string
	}{
		{"a column is changed", []string{`update consent.audit set outcome = 'nothing found' where id = 33`}, 7, 33, "row 33 was changed"},
		{"the time is changed by a microsecond", []string{`update consent.audit set at = at + interval '1 microsecond' where id = 33`}, 7, 33, "row 33 was changed"},
		{"a MAC is changed", []string{`update consent.audit set mac = sha256('') where id = 31`}, 7, 31, "row 31 was changed"},
		{"a MAC is emptied", []string{`update consent.audit set mac = '' where id = 31`}, 7, 31, "row 31 was changed"},
		{"a log id is changed", []string{`update consent.audit set log_id = gen_random_uuid() where id = 35`}, 7, 35, "row 35 was changed"},
		{"a column is made null", []string{`alter table consent.audit alter ground drop not null`, `update consent.audit set ground = null where id = 33`},
			7, 33, "row 33 was changed"},
		{"a row is removed", []string{`delete from consent.audit where id = 33`}, 7, 33, "1 rows were removed"},
		{"the first and the last row of a link are removed", []string{`delete from consent.audit where id in (31, 35)`}, 7, 0, "no row has the id 31, 35"},
		{"all rows are removed", []string{`delete from consent.audit`}, 1, 0, "5 rows were removed"},
		{"rows change places", []string{`alter table consent.audit drop constraint audit_pkey`, `alter table consent.audit alter id drop identity`,
			`update consent.audit set id = 66 - id where id between 31 and 35`}, 7, 0, "exchanged"},
		{"a row goes to another link", []string{`update consent.audit set tx = (select tx from consent.audit where id = 31) where id = 36`}, 7, 0, "1 rows were added"},
		{"a row goes out of the chain", []string{`update consent.audit set tx = '9223372036854775807' where id = 36`}, 8, 0, "1 rows were removed"},
		{"a row is copied into a sealed link", []string{copied(`(select tx from consent.audit where id = 31)`, `mac`)}, 7, 54, "row 54 was added behind the log's back"},
		{"a row is copied to the end", []string{copied(`pg_current_xact_id()`, `mac`)}, 0, 54, "row 54, which no link has, was changed or added"},
		{"a row without a MAC is added", []string{copied(`pg_current_xact_id()`, `''`)}, 0, 54, "row 54, which no link has, was changed or added"},
		{"a row that no link has is changed", []string{`update consent.audit set outcome = '' where id = 52`}, 0, 52, "row 52, which no link has"},
		{"a row is copied as it is, without the index that forbids it", []string{`drop index consent.audit_log_id`,
			`insert into consent.audit (at, actor, action, root, extension, channel, ground, outcome, event_id, log_id, mac)
			select at, actor, action, root, extension, channel, ground, outcome, event_id, log_id, mac from consent.audit where id = 33`},
			0, 0, "unique on log_id"},
		{"a link is removed", []string{`delete from consent.audit_link where number = 7`}, 7, 0, "the link was removed"},
		{"links are removed", []string{`delete from consent.audit_link where number in (7, 8)`}, 7, 0, "links 7 to 8 were removed"},
		{"the first links are removed", []string{`delete from consent.audit_link where number < 4`}, 1, 0, "links 1 to 3 were removed"},
		{"a link is removed with its rows", []string{`delete from consent.audit_link where number = 7`, `delete from consent.audit where id between 31 and 35`},
			7, 0, "the link was removed"},
		{"links are numbered anew", []string{`delete from consent.audit_link where number = 7`, `update consent.audit_link set number = number - 1 where number > 7`},
			7, 0, "does not begin where the one before ends"},
		{"a link's time is changed", []string{`update consent.audit_link set sealed_at = sealed_at + interval '1 second' where number = 7`}, 7, 0, "hash does not fit"},
		{"a link's hash is changed", []string{`update consent.audit_link set hash = sha256('') where number = 7`}, 7, 0, "hash does not fit"},
		{"a row is removed and the link made to fit", []string{`delete from consent.audit where id = 33`, `update consent.audit_link set entries = 4 where number = 7`},
			7, 0, "hash does not fit"},
		{"the tail of the links is cut", []string{`delete from consent.audit_link where number > 8`}, 9, 0, "the tail was cut: the head stands at link 10, and the last one there is 8"},
		{"the tail of links and rows is cut", []string{`delete from consent.audit_link where number > 8`, `delete from consent.audit where id > 40`}, 9, 0, "the tail was cut"},
		{"all links are removed", []string{`delete from consent.audit_link`}, 1, 0, "the tail was cut"},
		{"the head is rolled back", []string{`update consent.audit_head set (number, hash) = (select number, hash from consent.audit_link where number = 8)`}, 9, 0, "the head was rolled back"},
		{"the head is removed", []string{`delete from consent.audit_head`}, 1, 0, "the head was rolled back: it stands at link 0"},
		{"the head's hash is changed", []string{`update consent.audit_head set hash = sha256('')`}, 10, 0, "the head was changed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := chain(t)
			w.tamper(tt.statements...)
			r := w.verify(Check{})
			if r.Fault == nil {
				t.Fatal("the log is found sound")
			}
			if r.Fault.Link != tt.link || r.Fault.Row != tt.row || !strings.Contains(r.Fault.Error(), tt.says) {
				t.Errorf("link %d, row %d, %v; want link %d, row %d, and %q", r.Fault.Link, r.Fault.Row, r.Fault, tt.link, tt.row, tt.says)
			}
		})
	}
}

// copied is a statement that copies row 33.
func copied(tx, mac string) string {
	return `insert into consent.audit (at, actor, action, root, extension, channel, ground, outcome, event_id, log_id, tx, mac)
		select at, actor, action, root, extension, channel, ground, outcome, event_id, gen_random_uuid(), ` + tx + `, ` + mac + ` from consent.audit where id = 33`
}

// TestCutTailAndHeadRolledBack is what the database alone cannot show: only a head that was noted elsewhere does.
func TestCutTailAndHeadRolledBack(t *testing.T) {
	t.Parallel()
	w := chain(t)
	noted := w.verify(Check{}).Head
	w.tamper(`delete from consent.audit_link where number > 8`, `delete from consent.audit where id > 40`,
		`update consent.audit_head set (number, hash) = (select number, hash from consent.audit_link where number = 8)`)
	if r := w.verify(Check{}); r.Fault != nil {
		t.Error(r.Fault)
	}
	r := w.verify(Check{Noted: &noted})
	if r.Fault == nil || r.Fault.Link != 9 || !strings.Contains(r.Fault.What, "link 10 was noted, and the last one there is 8") {
		t.Errorf("fault %v", r.Fault)
	}
}

func TestNotedHead(t *testing.T) {
	t.Parallel()
	w := chain(t)
	head := w.verify(Check{}).Head
	again, err := ParseHead(head.String())
	w.must(err)
	w.write(w.pool, "look", 5)
	w.seal()
	if r := w.verify(Check{Noted: &again}); r.Fault != nil {
		t.Errorf("a head noted a link ago: %v", r.Fault)
	}
	again.Hash[0]++
	if r := w.verify(Check{Noted: &again}); r.Fault == nil || r.Fault.Link != 10 || !strings.Contains(r.Fault.What, "made anew") {
		t.Errorf("another hash: %v", r.Fault)
	}
	for _, text := range []string{"", "10", "10:", ":" + strings.Repeat("00", 32), "0:" + strings.Repeat("00", 32), "x:" + strings.Repeat("00", 32), "10:" + strings.Repeat("00", 31)} {
		if _, err := ParseHead(text); err == nil {
			t.Errorf("%q is taken for a head", text)
		}
	}
}

func TestAnotherKey(t *testing.T) {
	t.Parallel()
	key, err := NewKey(strings.Repeat("another", 5))
	if err != nil {
		t.Fatal(err)
	}
	if r := chain(t).verify(Check{Key: key}); r.Fault == nil || !strings.Contains(r.Fault.What, "the key is another one") {
		t.Errorf("fault %v", r.Fault)
	}
}

// TestRowsOfOlderPrograms: rows that were there before the chain, and those of a program of the version before, have no MAC.
func TestRowsOfOlderPrograms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const older = `insert into consent.audit (at, actor, action, root, extension, channel, ground, outcome, event_id)
		select now(), 'support', 'look', '', '', '', '', '', '' from generate_series(1, 7)`
	w.tamper(older)
	if r := w.verify(Check{}); r.Fault != nil || r.Unsigned != 7 || r.Unsealed != 7 {
		t.Errorf("before the first link: %d unsigned, %d unsealed, %v", r.Unsigned, r.Unsealed, r.Fault)
	}
	w.seal()
	if r := w.verify(Check{}); r.Fault != nil || r.Unsigned != 7 || r.Rows != 7 {
		t.Errorf("in the first link: %d unsigned, %d rows, %v", r.Unsigned, r.Rows, r.Fault)
	}
	w.tamper(older)
	w.seal()
	if r := w.verify(Check{}); r.Fault == nil || r.Fault.Link != 2 {
		t.Errorf("later: %v", r.Fault)
	}
	if r := w.verify(Check{UnsignedUntil: 2}); r.Fault != nil || r.Unsigned != 14 {
		t.Errorf("while older programs ran: %d unsigned, %v", r.Unsigned, r.Fault)
	}
}

func TestKeysAreNotShown(t *testing.T) {
	t.Parallel()
	if _, err := NewKey("short"); err == nil {
		t.Error("a short key is taken")
	}
	for _, text := range []string{sprint("%v", DevelopmentKey()), sprint("%+v", DevelopmentKey()), sprint("%#v", DevelopmentKey()), sprint("%s", DevelopmentKey())} {
		if text != "[audit key]" {
			t.Errorf("printed as %s", text)
		}
	}
	if a, b := Micros(time.Unix(1, 999)), Micros(time.Unix(1, 1000)); a != "1000000" || b != "1000001" {
		t.Errorf("microseconds %s and %s", a, b)
	}
}
