package e2e

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/cmd/internal/devstack"
	"contactsync/consent/audit"
	"contactsync/consent/consentpg"
	"contactsync/consent/contact"
	"contactsync/consent/event"
)

// TestResidentsDecisionsSurviveKill9 makes decisions as the portal does, while the whole stack is killed again and again: relay,
// broker, worker and reader of outcomes die between any two of their writes. In the end the register shows each person's last
// choice, and so does the page: every choice has its outcome.
func TestResidentsDecisionsSurviveKill9(t *testing.T) {
	c := startCrash(t, "40")
	random := rand.New(rand.NewPCG(*crashSeed, 1))
	persons := c.persons("generated")
	last := map[place]consentpg.Choice{}
	for round := range 5 {
		store := c.consent()
		for range 120 {
			p := persons[random.IntN(len(persons))]
			at := place{contact.KnownPersonID(p.Root, p.Extension), contact.Channels[random.IntN(2)]}
			w := consentpg.Wish{Person: at.person, Channel: at.channel, Share: random.IntN(3) > 0}
			if w.Share {
				w.Value = drawValue(random, at.channel)
			}
			choice, err := store.Decide(t.Context(), w)
			if err != nil {
				t.Fatal(err)
			}
			last[at] = choice
		}
		if round < 4 {
			c.killAndRestart()
		}
	}
	store := c.consent()
	eventually(t, "every choice has an outcome", func() bool {
		return c.settled() && c.count(`select count(*) from consent.outbox`) == 0 && allTold(t, store, last)
	})
	for at, choice := range last {
		shown := c.shown(at)
		if choice.Share && !slices.Equal(shown, []string{choice.Value.Reveal()}) || !choice.Share && len(shown) != 0 {
			t.Errorf("the register does not show the last choice (share %t)", choice.Share)
		}
	}
}

func drawValue(random *rand.Rand, channel contact.Channel) contact.Value {
	if channel == contact.Email {
		return contact.KnownValue("resident" + string(rune('a'+random.IntN(26))) + "@example.se")
	}
	return contact.KnownValue("+467017406" + string(rune('1'+random.IntN(9))) + string(rune('0'+random.IntN(10))))
}

// consent is the portal's store on the stack that runs now.
func (s *scene) consent() *consentpg.Store {
	s.t.Helper()
	pool, err := pgxpool.New(s.t.Context(), s.at.Postgres)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(pool.Close)
	store, err := consentpg.New(consentpg.Config{Pool: pool, AuditKey: audit.DevelopmentKey(), Source: "urn:hsaid:" + devstack.PortalHSAID,
		Pepper: []byte(event.DevelopmentPepper), Now: time.Now})
	if err != nil {
		s.t.Fatal(err)
	}
	return store
}

// allTold tells whether each last choice is the one that counts, and is known to be pushed.
func allTold(t *testing.T, store *consentpg.Store, last map[place]consentpg.Choice) bool {
	t.Helper()
	for at, want := range last {
		choices, err := store.Choices(t.Context(), at.person)
		if err != nil {
			t.Fatal(errors.Join(errors.New("read choices"), err))
		}
		got := choices[at.channel]
		if got.EventID != want.EventID || got.Elsewhere != nil || got.Outcome == nil ||
			got.Outcome.Kind != event.Pushed && got.Outcome.Kind != event.Unchanged {
			return false
		}
	}
	return true
}

// shown are the values of the resident's own entries in the register.
func (s *scene) shown(at place) []string {
	s.t.Helper()
	var out []string
	for _, e := range s.record(at.person).Entries {
		if channel, own := channelOf(e); own && channel == at.channel {
			out = append(out, *e.Value)
		}
	}
	return out
}
