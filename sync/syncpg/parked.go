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
	// Of one that is not refused: where it is kept, which one it is, and whether it is a withdrawal.
	Place      ParkedPlace
	Mark       plan.Mark
	Withdrawal bool
}

// ParkedPlace is where a parked decision is kept. The zero value lies before all.
type ParkedPlace struct {
	Person  int64 // internal number
	Channel contact.Channel
}

// ParkedGroups counts all that is parked, by reason, the most frequent first.
func (s *Store) ParkedGroups(ctx context.Context) ([]ParkedGroup, error) {
	rows, err := s.Pool.Query(ctx, `
		select reason, count(*), min(since) from (
			select blocked as reason, changed_at as since from sync.channel where blocked not in ('', '`+string(reason.Dropped)+`')
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
	read, err := s.parkedRows(ctx, `order by waits desc limit $4`, why, limit)
	if err != nil {
		return nil, err
	}
	return decisionsOf(read, why)
}

// ParkedAfter returns what is parked in the next limit places behind one, and the last of these. Refused decisions are not among them.
// None is left when last is after.
func (s *Store) ParkedAfter(ctx context.Context, why reason.Code, after ParkedPlace, limit int) (_ []ParkedDecision, last ParkedPlace, err error) {
	read, err := s.parkedRows(ctx, `and (person_id, channel) > ($5, $6) order by person_id, channel limit $4`, why, limit, after.Person, string(after.Channel))
	if err != nil {
		return nil, after, fmt.Errorf("read what is parked: %w", err)
	}
	if len(read) == 0 {
		return nil, after, nil
	}
	all, err := decisionsOf(read, why)
	return all, read[len(read)-1].key().place(), err
}

func (s *Store) parkedRows(ctx context.Context, rest string, why reason.Code, args ...any) ([]parkedRow, error) {
	rows, err := s.Pool.Query(ctx, `
		select `+columns+`, root, extension, changed_at, case when parked <> '' then coalesce(since, changed_at) else changed_at end as waits
		from sync.channel join sync.person using (person_id) left join sync.due using (person_id)
		where ($1 = '' and (blocked not in ('', $3) or parked <> '' or waiting <> '[]')
			or $1 <> '' and (blocked = $1 or parked = $1 or waiting <> '[]' and $1 = $2)) `+rest,
		append([]any{string(why), string(reason.GuardianUnconfirmed), string(reason.Dropped)}, args...)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[parkedRow])
}

func decisionsOf(read []parkedRow, why reason.Code) (out []ParkedDecision, err error) {
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
	for _, p := range s.AllParked() {
		d := ParkedDecision{Channel: contact.Channel(r.Channel), Reason: p.Reason, Since: r.Changed, Place: r.key().place(), Mark: p.Mark}
		under := s.Want().Under
		if p.Share != nil {
			under, d.EventID = p.Share.Under, p.Share.EventID
		} else {
			d.Withdrawal, d.Since, d.EventID = true, r.Waits, s.Want().EventID
		}
		if d.Person = under; under.IsZero() {
			d.Person = contact.KnownPersonID(r.Root, r.Extension)
		}
		out = append(out, d)
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
