package syncpg

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"contactsync/consent/contact"
	"contactsync/consent/reason"
	"contactsync/sync/plan"
)

// ParkedGroup counts what is parked for one reason.
type ParkedGroup struct {
	Reason reason.Code
	Count  int64
	Oldest time.Time
}

// ParkedDecision is one decision that was not carried out, and why.
type ParkedDecision struct {
	Person  contact.PersonID // zero: a refused decision whose person could not be told
	Channel contact.Channel  // empty: a refused decision that named none
	Reason  reason.Code
	// Since is when it was parked; of a withdrawal, which is tried on, since when it waits; of a guardian's share at the latest.
	Since   time.Time
	EventID string // as its sender chose it: any text, unless it is a UUID
	Refused bool   // takes no part in what the person wants; false: it holds, and cannot be pushed yet
}

// ParkedGroups counts all that is parked, by reason, the most frequent first.
func (s *Store) ParkedGroups(ctx context.Context) ([]ParkedGroup, error) {
	rows, err := s.Pool.Query(ctx, `
		select reason, count(*), min(since) from (
			select blocked as reason, changed_at as since from sync.channel where blocked <> ''
			union all select parked, coalesce(d.since, changed_at)
				from sync.channel left join sync.due d using (person_id) where parked <> ''
			union all select $1, changed_at from sync.channel, jsonb_array_elements(waiting)
			union all select reason, refused_at from sync.refused) as p
		group by reason order by count(*) desc, reason`, string(reason.GuardianUnconfirmed))
	if err != nil {
		return nil, fmt.Errorf("count what is parked: %w", err)
	}
	groups, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ParkedGroup])
	if err != nil {
		return nil, fmt.Errorf("count what is parked: %w", err)
	}
	return groups, nil
}

// Parked returns up to limit parked decisions, the newest first; an empty reason asks for all.
func (s *Store) Parked(ctx context.Context, why reason.Code, limit int) ([]ParkedDecision, error) {
	waiting, err := s.parkedYet(ctx, why, limit)
	if err != nil {
		return nil, fmt.Errorf("read what is parked: %w", err)
	}
	refused, err := s.parkedForGood(ctx, why, limit)
	if err != nil {
		return nil, fmt.Errorf("read what is refused: %w", err)
	}
	all := slices.Concat(waiting, refused)
	slices.SortStableFunc(all, func(a, b ParkedDecision) int { return b.Since.Compare(a.Since) })
	return all[:min(limit, len(all))], nil
}

// parkedRow is a channel with something parked on it.
type parkedRow struct {
	row
	Root, Extension string
	Changed, Waits  time.Time // since when; Waits of a withdrawal
}

// parkedYet returns decisions that hold, of up to limit channels.
func (s *Store) parkedYet(ctx context.Context, why reason.Code, limit int) ([]ParkedDecision, error) {
	rows, err := s.Pool.Query(ctx, `
		select `+columns+`, root, extension, changed_at, case when parked <> '' then coalesce(since, changed_at) else changed_at end as waits
		from sync.channel join sync.person using (person_id) left join sync.due using (person_id)
		where $1 = '' and (blocked <> '' or parked <> '' or waiting <> '[]')
			or $1 <> '' and (blocked = $1 or parked = $1 or waiting <> '[]' and $1 = $2)
		order by waits desc limit $3`, string(why), string(reason.GuardianUnconfirmed), limit)
	if err != nil {
		return nil, err
	}
	read, err := pgx.CollectRows(rows, pgx.RowToStructByPos[parkedRow])
	if err != nil {
		return nil, err
	}
	var out []ParkedDecision
	for _, r := range read {
		state, err := r.state()
		if err != nil {
			return nil, err
		}
		for _, d := range r.decisions(state) {
			if why == "" || d.Reason == why {
				out = append(out, d)
			}
		}
	}
	return out, nil
}

func (r parkedRow) decisions(s plan.State) (out []ParkedDecision) {
	add := func(why reason.Code, since time.Time, eventID string, under contact.PersonID) {
		if under.IsZero() {
			under = contact.KnownPersonID(r.Root, r.Extension)
		}
		out = append(out, ParkedDecision{Person: under, Channel: contact.Channel(r.Channel), Reason: why, Since: since, EventID: eventID})
	}
	if s.Blocked != "" && s.Share != nil {
		add(s.Blocked, r.Changed, s.Share.EventID, s.Share.Under)
	}
	if s.Parked != "" {
		add(s.Parked, r.Waits, s.Want().EventID, s.Want().Under)
	}
	for _, w := range s.Waiting {
		add(reason.GuardianUnconfirmed, r.Changed, w.EventID, w.Under)
	}
	return out
}

// parkedForGood returns refused decisions: only a new one of the person takes their place.
func (s *Store) parkedForGood(ctx context.Context, why reason.Code, limit int) ([]ParkedDecision, error) {
	rows, err := s.Pool.Query(ctx, `
		select coalesce(root, ''), coalesce(extension, ''), channel, reason, refused_at, event_id
		from sync.refused left join sync.person using (person_id)
		where $1 = '' or reason = $1 order by refused_at desc limit $2`, string(why), limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (ParkedDecision, error) {
		d := ParkedDecision{Refused: true}
		var root, extension string
		err := r.Scan(&root, &extension, &d.Channel, &d.Reason, &d.Since, &d.EventID)
		d.Person = contact.KnownPersonID(root, extension)
		return d, err
	})
}
