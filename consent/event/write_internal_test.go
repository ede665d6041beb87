package event

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"contactsync/consent/contact"
	"contactsync/consent/reason"
)

// decisionJSON and actorJSON are the contract as encoding/json writes it.
type (
	decisionJSON struct {
		Person    identityJSON    `json:"person"`
		Channel   contact.Channel `json:"channel"`
		Decision  string          `json:"decision"`
		Value     string          `json:"value,omitempty"`
		Notify    *bool           `json:"notify,omitempty"`
		Revision  int64           `json:"revision"`
		DecidedAt time.Time       `json:"decidedAt,omitzero"`
		Actor     *actorJSON      `json:"actor,omitempty"`
		Notice    Notice          `json:"notice,omitzero"`
		Reason    WithdrawReason  `json:"reason,omitempty"`
	}
	actorJSON struct {
		Role Role          `json:"role"`
		ID   *identityJSON `json:"id,omitempty"`
	}
)

// word draws a text that stands in an event, or one that nobody would send.
func word(t *rapid.T, label string, known ...string) string {
	return rapid.OneOf(rapid.SampledFrom(append(known, "", "\xff", `<">&\`, "\u2028", "\x7f")), rapid.String()).Draw(t, label)
}

func instant(t *rapid.T, label string) time.Time {
	at := time.Unix(rapid.Int64Range(-62167219200, 253402300799).Draw(t, label), rapid.Int64Range(0, 1e9-1).Draw(t, label+" ns"))
	return rapid.SampledFrom([]time.Time{at, at, at.In(time.FixedZone("", -12345)).Truncate(time.Second), {}}).Draw(t, label+" as")
}

func sameText(t *rapid.T, got []byte, want any) {
	if text := mustJSON(want); string(got) != string(text) {
		t.Fatalf("written\n%s\nwant\n%s", got, text)
	}
}

func TestDecisionsAreWrittenAsEncodingJSONWould(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := Decision{
			Person:  contact.KnownPersonID(word(t, "root", contact.RootPersonnummer), word(t, "extension", "198507099805")),
			Channel: contact.Channel(word(t, "channel", "mobile", "email")), Share: rapid.Bool().Draw(t, "share"),
			Value: contact.KnownValue(word(t, "value", "+46701740605")), Revision: rapid.Int64().Draw(t, "revision"), DecidedAt: instant(t, "decided"),
			Notify: rapid.SampledFrom([]*bool{nil, new(true), new(false)}).Draw(t, "notify"),
			Actor: Actor{Role: Role(word(t, "role", "resident", "guardian", "support")), HSAID: word(t, "staff", "SE2321000016-A1"),
				ID: contact.KnownPersonID(word(t, "root of guardian", ""), word(t, "guardian", "198507099805"))},
			Notice: Notice{word(t, "version", "2026-01-12"), word(t, "language", "sv")}, Reason: WithdrawReason(word(t, "reason", "resident")),
		}
		want := decisionJSON{
			Person: identityJSON{d.Person.Root(), d.Person.RevealExtension()}, Channel: d.Channel, Decision: "withdraw", Revision: d.Revision,
			DecidedAt: d.DecidedAt.UTC(), Notice: d.Notice, Reason: d.Reason,
		}
		if d.Share {
			want.Decision, want.Value, want.Notify = "share", d.Value.Reveal(), d.Notify
		}
		if a := d.Actor; a.Role != "" && a.Role != RoleResident {
			want.Actor = &actorJSON{Role: a.Role}
			switch {
			case a.HSAID != "":
				want.Actor.ID = &identityJSON{rootHSA, a.HSAID}
			case !a.ID.IsZero():
				want.Actor.ID = &identityJSON{a.ID.Root(), a.ID.RevealExtension()}
			}
		}
		_, got := d.Binary()
		sameText(t, got, want)
	})
}

func anyOutcome(t *rapid.T) Outcome {
	o := Outcome{
		EventID: word(t, "event", "3f0c0f6e-6a53-4c59-9d0a-0f2f6f0e8a01"),
		Person:  AsSent(word(t, "root", contact.RootPersonnummer), word(t, "extension", "198507099805")),
		Channel: contact.Channel(word(t, "channel", "mobile")), Revision: rapid.Int64().Draw(t, "revision"),
		Outcome: OutcomeKind(word(t, "outcome", "pushed")), Reason: reason.Code(word(t, "reason", "value_empty")),
		RegisterVersion: word(t, "version", "20261121120001"), Sequence: rapid.Int64().Draw(t, "sequence"), Time: instant(t, "time"),
	}
	for range rapid.IntRange(0, 2).Draw(t, "effects") {
		o.Effects = append(o.Effects, reason.Code(word(t, "effect", "paper_opt_out_ended")))
	}
	if rapid.Bool().Draw(t, "proved") {
		o.ProvedAt = new(instant(t, "proved at"))
	}
	return o
}

func TestOutcomesAreWrittenAsEncodingJSONWould(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := anyOutcome(t)
		want := outcomeJSON{
			EventID: o.EventID, Person: identityJSON{o.Person.Root(), o.Person.RevealExtension()}, Channel: o.Channel, Revision: o.Revision,
			Outcome: o.Outcome, Reason: o.Reason, Effects: o.Effects, RegisterVersion: o.RegisterVersion, Sequence: o.Sequence, Time: o.Time.UTC(),
		}
		if o.ProvedAt != nil {
			want.ProvedAt = new(o.ProvedAt.UTC())
		}
		_, got := o.Binary()
		sameText(t, got, want)
	})
}

func TestChangesAreWrittenAsEncodingJSONWould(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := anyOutcome(t)
		c := Changed{Person: o.Person, Channel: o.Channel, Version: o.RegisterVersion, Time: o.Time}
		_, got := c.Binary()
		sameText(t, got, changedJSON{identityJSON{c.Person.Root(), c.Person.RevealExtension()}, c.Channel, c.Version, c.Time.UTC()})
	})
}
