package reconcile_test

import (
	"context"
	"testing"
	"time"

	"golang.org/x/time/rate"

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

type paced struct{ *rate.Limiter }

// Take implements reconcile.Limiter.
func (p paced) Take(ctx context.Context) (done func(), err error) { return func() {}, p.Wait(ctx) }

// BenchmarkReconcile compares persons who all have shared, over mutual TLS: as fast as it can, and at ten calls a second, as the national
// service allows. What 10.6 million persons would take is worked out from that.
func BenchmarkReconcile(b *testing.B) {
	const persons, country = 20_000, 10.6e6
	w := newWorld(b, persons)
	w.givesEverybody("+46701740605")
	w.exec(`vacuum analyze`)
	for name, limit := range map[string]rate.Limit{"unlimited": rate.Inf, "10 calls a second": 10} {
		b.Run(name, func(b *testing.B) {
			var r reconcile.Report
			began := time.Now()
			for b.Loop() {
				r = w.reconciles(settings{anew: true, change: func(c *reconcile.Config) { c.Limiter = paced{rate.NewLimiter(limit, 1)} }})
			}
			each := time.Since(began) / time.Duration(b.N)
			if told(r) != "" || r.Run.Persons != persons || r.Run.Calls != persons/500 {
				b.Fatal(told(r), r.Run.Persons, r.Run.Calls)
			}
			b.ReportMetric(persons/each.Seconds(), "persons/s")
			b.ReportMetric(float64(r.Run.Calls)/each.Seconds(), "calls/s")
			b.ReportMetric(country/persons*each.Minutes(), "min/10.6M")
		})
	}
}
