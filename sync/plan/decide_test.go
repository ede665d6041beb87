package plan_test

import (
	"testing"

	"contactsync/consent/contact"
	"contactsync/sync/plan"
)

var (
	old   = contact.KnownValue("+46701740605")
	fresh = contact.KnownValue("+46701740606")
)

func wantShare(v contact.Value, notify *bool) []plan.Target {
	return []plan.Target{{Channel: contact.Mobile, Want: plan.Want{Kind: plan.Shared, Share: plan.Share{Value: v, Notify: notify}}}}
}

func wantNone() []plan.Target {
	return []plan.Target{{Channel: contact.Mobile, Want: plan.Want{Kind: plan.Withdrawn}}}
}

func own(entries ...plan.Entry) map[contact.Channel][]plan.Entry {
	return map[contact.Channel][]plan.Entry{contact.Mobile: entries}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		targets []plan.Target
		record  plan.Record
		unsure  bool
		want    string // "nothing", "burn", "remove", or value and notify of the entry
		endsOpt bool
	}{
		{"a share on an empty record", wantShare(old, nil), plan.Record{}, false, "+46701740605 false", false},
		{"a share that is there", wantShare(old, nil), plan.Record{Own: own(plan.Entry{Value: old})}, false, "nothing", false},
		{"a share that is there, after an attempt whose end is unknown", wantShare(old, nil), plan.Record{Own: own(plan.Entry{Value: old})}, true, "burn", false},
		{"a share keeps the notification that is there", wantShare(fresh, nil), plan.Record{Own: own(plan.Entry{Value: old, Notify: true})}, false, "+46701740606 true", false},
		{"a share ends the notification", wantShare(old, new(false)), plan.Record{Own: own(plan.Entry{Value: old, Notify: true})}, false, "+46701740605 false", false},
		{"a share replaces several own entries", wantShare(old, nil), plan.Record{Own: own(plan.Entry{Value: old}, plan.Entry{Value: fresh})}, false, "+46701740605 false", false},
		{"a withdrawal", wantNone(), plan.Record{Own: own(plan.Entry{Value: old})}, false, "remove", false},
		{"a withdrawal of nothing", wantNone(), plan.Record{}, false, "nothing", false},
		{"a withdrawal of nothing, after an attempt whose end is unknown", wantNone(), plan.Record{}, true, "burn", false},
		{"the last notification goes", wantNone(), plan.Record{PaperOptOut: true, Own: own(plan.Entry{Value: old, Notify: true})}, false, "remove", true},
		{"another party's notification stays", wantNone(), plan.Record{PaperOptOut: true, OthersNotify: true, Own: own(plan.Entry{Value: old, Notify: true})}, false, "remove", false},
		{"the other channel's notification stays", wantNone(), plan.Record{PaperOptOut: true, Own: map[contact.Channel][]plan.Entry{
			contact.Mobile: {{Value: old}}, contact.Email: {{Value: fresh, Notify: true}}}}, false, "remove", false},
		{"a share takes over the notification", wantShare(fresh, new(true)), plan.Record{PaperOptOut: true, Own: own(plan.Entry{Value: old, Notify: true})}, false, "+46701740606 true", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := plan.Decide(tt.targets, tt.record, tt.unsure)
			if got := inWords(w); got != tt.want {
				t.Errorf("decided %q, want %q", got, tt.want)
			}
			if w != nil && w.EndPaperOut != tt.endsOpt {
				t.Errorf("EndPaperOut is %t", w.EndPaperOut)
			}
		})
	}
}

func inWords(w *plan.Write) string {
	switch {
	case w == nil:
		return "nothing"
	case len(w.Changes) == 0:
		return "burn"
	case w.Changes[0].Entry == nil:
		return "remove"
	case w.Changes[0].Entry.Notify:
		return w.Changes[0].Entry.Value.Reveal() + " true"
	default:
		return w.Changes[0].Entry.Value.Reveal() + " false"
	}
}
