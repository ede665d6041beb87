package reconcile_test

import (
	"testing"
	"time"

	"contactsync/consent/contact"
	"contactsync/sync/reconcile"
)

// givesEverybody lets all generated persons have shared the value long ago: what is kept here and what the register shows.
func (w *world) givesEverybody(value string) {
	w.t.Helper()
	w.shares(tove, 1)
	w.works()
	w.settles()
	w.stop()
	w.exec(`delete from sync.due; delete from sync.channel; delete from sync.audit; delete from sync.person`)
	w.exec(`update register.persons p set content = replace(o.content, $1, $2), mobile = $2 from register.persons o
		where p.state = 'generated' and o.extension = $3`, numberOf(1).Reveal(), value, w.persons[tove].RevealExtension())
	w.exec(`insert into sync.person (root, extension, written_version, written_at)
		select root, extension, version, now() - interval '1 hour' from register.persons where state = 'generated' order by position`)
	w.exec(`insert into sync.channel (person_id, channel, share_revision, share_event, share_source, share_value, registered_revision,
			registered_source, settled, changed_at)
		select person_id, $1, 1, 'e', 's', $2, 1, 's', '1 1 s e', now() from sync.person`, string(contact.Mobile), value)
}

// BenchmarkReconcile compares persons who all have shared, over mutual TLS: what a person costs, and what a call of 500.
func BenchmarkReconcile(b *testing.B) {
	const persons = 20_000
	w := newWorld(b, persons)
	w.givesEverybody("+46701740605")
	w.exec(`vacuum analyze`)
	var r reconcile.Report
	began := time.Now()
	for b.Loop() {
		r = w.reconciles(settings{anew: true})
	}
	each := time.Since(began) / time.Duration(b.N)
	if told(r) != "" || r.Run.Persons != persons {
		b.Fatal(told(r), r.Run.Persons)
	}
	b.ReportMetric(persons/each.Seconds(), "persons/s")
	b.ReportMetric(float64(r.Run.Calls)/each.Seconds(), "calls/s")
	b.ReportMetric(float64(r.Run.Calls), "calls")
}
