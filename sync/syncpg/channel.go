package syncpg

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"contactsync/consent/contact"
	"contactsync/consent/reason"
	"contactsync/sync/plan"
)

// key names a channel row.
type key struct {
	person  int64
	channel contact.Channel
}

func compareKeys(a, b key) int {
	return cmp.Or(cmp.Compare(a.person, b.person), cmp.Compare(a.channel, b.channel))
}

// row is a channel row as the database has it.
type row struct {
	PersonID           int64
	Channel            string
	ShareRevision      *int64
	ShareEvent         *string
	ShareSource        *string
	ShareValue         *string
	ShareNotify        *bool
	ShareDecidedAt     *time.Time
	WithdrawalRevision *int64
	WithdrawalEvent    *string
	WithdrawalSource   *string
	Scoped             []byte
	Waiting            []byte
	RegisteredRevision int64
	RegisteredSource   string
	Settled            string
	Blocked            string
	Parked             string
	ShareUnder         string
	WithdrawalUnder    string
	MovedTo            *int64
}

const columns = `person_id, channel, share_revision, share_event, share_source, share_value, share_notify, share_decided_at,
	withdrawal_revision, withdrawal_event, withdrawal_source, scoped, waiting, registered_revision, registered_source,
	settled, blocked, parked, share_under, withdrawal_under, moved_to`

// scopedJSON and waitingJSON are the stored forms of what is rare.
type scopedJSON struct {
	Revision int64  `json:"revision"`
	EventID  string `json:"event"`
	Under    string `json:"under,omitempty"`
}

type waitingJSON struct {
	Revision  int64     `json:"revision"`
	EventID   string    `json:"event"`
	Source    string    `json:"source"`
	Value     string    `json:"value"`
	Notify    *bool     `json:"notify,omitempty"`
	DecidedAt time.Time `json:"decidedAt"`
	Root      string    `json:"guardianRoot"`
	Extension string    `json:"guardian"`
	Under     string    `json:"under,omitempty"`
}

// underText stores the number that a decision was made under; underOf reads it back.
func underText(p contact.PersonID) string {
	if p.IsZero() {
		return ""
	}
	return p.Root() + "|" + p.RevealExtension()
}

func underOf(stored string) contact.PersonID {
	root, extension, _ := strings.Cut(stored, "|")
	return contact.KnownPersonID(root, extension)
}

func (r row) key() key { return key{r.PersonID, contact.Channel(r.Channel)} }

func (r row) state() (plan.State, error) {
	s := plan.State{
		Registered: plan.Registered{Revision: r.RegisteredRevision, Source: r.RegisteredSource},
		Settled:    plan.Mark(r.Settled), Blocked: reason.Code(r.Blocked), Parked: reason.Code(r.Parked),
	}
	if r.ShareRevision != nil {
		s.Share = &plan.Share{Revision: *r.ShareRevision, EventID: text(r.ShareEvent), Source: text(r.ShareSource),
			Value: contact.KnownValue(text(r.ShareValue)), Notify: r.ShareNotify, Under: underOf(r.ShareUnder)}
		if r.ShareDecidedAt != nil {
			s.Share.DecidedAt = *r.ShareDecidedAt
		}
	}
	if r.WithdrawalRevision != nil {
		s.Withdrawal = &plan.Withdrawal{Revision: *r.WithdrawalRevision, EventID: text(r.WithdrawalEvent),
			Source: text(r.WithdrawalSource), Under: underOf(r.WithdrawalUnder)}
	}
	return s, r.rare(&s)
}

func (r row) rare(s *plan.State) error {
	if string(r.Scoped) == "{}" && string(r.Waiting) == "[]" {
		return nil
	}
	var scoped map[string]scopedJSON
	if err := json.Unmarshal(r.Scoped, &scoped); err != nil {
		return fmt.Errorf("read scoped withdrawals of person %d: %w", r.PersonID, err)
	}
	for source, w := range scoped {
		if s.Scoped == nil {
			s.Scoped = map[string]plan.Withdrawal{}
		}
		s.Scoped[source] = plan.Withdrawal{Revision: w.Revision, EventID: w.EventID, Source: source, Scoped: true,
			Under: underOf(w.Under)}
	}
	var waiting []waitingJSON
	if err := json.Unmarshal(r.Waiting, &waiting); err != nil {
		return fmt.Errorf("read waiting shares of person %d: %w", r.PersonID, err)
	}
	for _, w := range waiting {
		s.Waiting = append(s.Waiting, plan.Share{Revision: w.Revision, EventID: w.EventID, Source: w.Source,
			Value: contact.KnownValue(w.Value), Notify: w.Notify, DecidedAt: w.DecidedAt,
			Guardian: contact.KnownPersonID(w.Root, w.Extension), Under: underOf(w.Under)})
	}
	return nil
}

func rowOf(k key, s plan.State) (row, error) {
	r := row{PersonID: k.person, Channel: string(k.channel),
		RegisteredRevision: s.Registered.Revision, RegisteredSource: s.Registered.Source,
		Settled: string(s.Settled), Blocked: string(s.Blocked), Parked: string(s.Parked)}
	if sh := s.Share; sh != nil {
		r.ShareRevision, r.ShareEvent, r.ShareSource, r.ShareNotify, r.ShareDecidedAt = &sh.Revision, &sh.EventID, &sh.Source, sh.Notify, &sh.DecidedAt
		r.ShareUnder = underText(sh.Under)
		if !sh.Value.IsZero() {
			value := sh.Value.Reveal()
			r.ShareValue = &value
		}
	}
	if w := s.Withdrawal; w != nil {
		r.WithdrawalRevision, r.WithdrawalEvent, r.WithdrawalSource = &w.Revision, &w.EventID, &w.Source
		r.WithdrawalUnder = underText(w.Under)
	}
	err := r.keepRare(s)
	return r, err
}

func (r *row) keepRare(s plan.State) (err error) {
	r.Scoped, r.Waiting = []byte("{}"), []byte("[]")
	if len(s.Scoped) > 0 {
		scoped := map[string]scopedJSON{}
		for source, w := range s.Scoped {
			scoped[source] = scopedJSON{w.Revision, w.EventID, underText(w.Under)}
		}
		if r.Scoped, err = json.Marshal(scoped); err != nil {
			return err
		}
	}
	if len(s.Waiting) > 0 {
		waiting := make([]waitingJSON, len(s.Waiting))
		for i, w := range s.Waiting {
			waiting[i] = waitingJSON{w.Revision, w.EventID, w.Source, w.Value.Reveal(), w.Notify, w.DecidedAt,
				w.Guardian.Root(), w.Guardian.RevealExtension(), underText(w.Under)}
		}
		r.Waiting, err = json.Marshal(waiting)
	}
	return err
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// errMoved says that a person was found to have another number while we waited for a row: the work begins anew, and finds the
// rows under that one.
var errMoved = errors.New("the person has another number now")

// lockRows returns the rows of the keys under lock, made where there were none. Keys must be sorted and unique.
func lockRows(ctx context.Context, tx querier, keys []key) (map[key]plan.State, error) {
	read, err := lockedRows(ctx, tx, keys)
	if err != nil {
		return nil, err
	}
	return unmovedStates(read)
}

func unmovedStates(read []row) (map[key]plan.State, error) {
	if slices.ContainsFunc(read, func(r row) bool { return r.MovedTo != nil }) {
		return nil, errMoved
	}
	return statesOf(read)
}

func lockedRows(ctx context.Context, tx querier, keys []key) (read []row, err error) {
	var batch pgx.Batch
	queueLocks(&batch, keys, &read)
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return nil, fmt.Errorf("lock channel rows: %w", err)
	}
	return read, nil
}

func queueLocks(batch *pgx.Batch, keys []key, read *[]row) {
	persons, channels := split(keys)
	batch.Queue(`
		insert into sync.channel (person_id, channel, changed_at)
		select p, c, now() from unnest($1::bigint[], $2::text[]) as k (p, c)
		on conflict (person_id, channel) do nothing`, persons, channels)
	batch.Queue(rowsSQL+" for update", persons, channels).Query(func(rows pgx.Rows) (err error) {
		*read, err = readRows(rows)
		return err
	})
}

const rowsSQL = `
	select ` + columns + ` from sync.channel
	where (person_id, channel) in (select p, c from unnest($1::bigint[], $2::text[]) as k (p, c))
	order by person_id, channel`

// rowsThere returns the rows that there are.
func rowsThere(ctx context.Context, tx querier, keys []key, locking string) ([]row, error) {
	persons, channels := split(keys)
	rows, err := tx.Query(ctx, rowsSQL+" "+locking, persons, channels)
	if err != nil {
		return nil, fmt.Errorf("lock channel rows: %w", err)
	}
	return readRows(rows)
}

func readRows(rows pgx.Rows) ([]row, error) {
	read, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	if err != nil {
		return nil, fmt.Errorf("read channel rows: %w", err)
	}
	return read, nil
}

func states(rows pgx.Rows) (map[key]plan.State, error) {
	read, err := readRows(rows)
	if err != nil {
		return nil, err
	}
	return statesOf(read)
}

func statesOf(read []row) (_ map[key]plan.State, err error) {
	out := make(map[key]plan.State, len(read))
	for _, r := range read {
		if out[r.key()], err = r.state(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// save writes rows that are locked.
func save(ctx context.Context, tx querier, changed map[key]plan.State) error {
	var batch pgx.Batch
	if err := queueSave(&batch, changed); err != nil {
		return err
	}
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("store channel rows: %w", err)
	}
	return nil
}

// queueSave is save, all by one statement.
func queueSave(batch *pgx.Batch, changed map[key]plan.State) error {
	if len(changed) == 0 {
		return nil
	}
	rows, err := columnsOf(changed)
	if err != nil {
		return err
	}
	batch.Queue(`
		update sync.channel x set share_revision = n.share_revision, share_event = n.share_event, share_source = n.share_source,
			share_value = n.share_value, share_notify = n.share_notify, share_decided_at = n.share_decided_at,
			withdrawal_revision = n.withdrawal_revision, withdrawal_event = n.withdrawal_event, withdrawal_source = n.withdrawal_source,
			scoped = n.scoped::jsonb, waiting = n.waiting::jsonb, registered_revision = n.registered_revision,
			registered_source = n.registered_source, settled = n.settled, blocked = n.blocked, parked = n.parked,
			share_under = n.share_under, withdrawal_under = n.withdrawal_under, changed_at = now()
		from `+given+` where x.person_id = n.person_id and x.channel = n.channel`, rows...)
	return nil
}

// queueInserts makes rows that nobody else can make.
func queueInserts(batch *pgx.Batch, fresh map[key]plan.State) error {
	if len(fresh) == 0 {
		return nil
	}
	rows, err := columnsOf(fresh)
	if err != nil {
		return err
	}
	batch.Queue(`
		insert into sync.channel (person_id, channel, share_revision, share_event, share_source, share_value, share_notify, share_decided_at,
			withdrawal_revision, withdrawal_event, withdrawal_source, scoped, waiting, registered_revision, registered_source, settled, blocked, parked,
			share_under, withdrawal_under, changed_at)
		select person_id, channel, share_revision, share_event, share_source, share_value, share_notify, share_decided_at,
			withdrawal_revision, withdrawal_event, withdrawal_source, scoped::jsonb, waiting::jsonb, registered_revision, registered_source, settled,
			blocked, parked, share_under, withdrawal_under, now()
		from `+given, rows...)
	return nil
}

// given are rows as columnsOf gives them.
const given = `unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::boolean[], $8::timestamptz[],
		$9::bigint[], $10::text[], $11::text[], $12::text[], $13::text[], $14::bigint[], $15::text[], $16::text[], $17::text[], $18::text[],
		$19::text[], $20::text[])
	as n (person_id, channel, share_revision, share_event, share_source, share_value, share_notify, share_decided_at,
		withdrawal_revision, withdrawal_event, withdrawal_source, scoped, waiting, registered_revision, registered_source,
		settled, blocked, parked, share_under, withdrawal_under)`

// columnsOf are the rows of states in the order of their keys, column by column.
func columnsOf(states map[key]plan.State) ([]any, error) {
	rows := make([]row, 0, len(states))
	for _, k := range sortedKeys(states) {
		r, err := rowOf(k, states[k])
		if err != nil {
			return nil, fmt.Errorf("store state of person %d: %w", k.person, err)
		}
		rows = append(rows, r)
	}
	return []any{
		column(rows, func(r row) int64 { return r.PersonID }), column(rows, func(r row) string { return r.Channel }),
		column(rows, func(r row) *int64 { return r.ShareRevision }), column(rows, func(r row) *string { return r.ShareEvent }),
		column(rows, func(r row) *string { return r.ShareSource }), column(rows, func(r row) *string { return r.ShareValue }),
		column(rows, func(r row) *bool { return r.ShareNotify }), column(rows, func(r row) *time.Time { return r.ShareDecidedAt }),
		column(rows, func(r row) *int64 { return r.WithdrawalRevision }), column(rows, func(r row) *string { return r.WithdrawalEvent }),
		column(rows, func(r row) *string { return r.WithdrawalSource }), column(rows, func(r row) string { return string(r.Scoped) }),
		column(rows, func(r row) string { return string(r.Waiting) }), column(rows, func(r row) int64 { return r.RegisteredRevision }),
		column(rows, func(r row) string { return r.RegisteredSource }), column(rows, func(r row) string { return r.Settled }),
		column(rows, func(r row) string { return r.Blocked }), column(rows, func(r row) string { return r.Parked }),
		column(rows, func(r row) string { return r.ShareUnder }), column(rows, func(r row) string { return r.WithdrawalUnder }),
	}, nil
}

// column is one field of all rows.
func column[V any](rows []row, of func(row) V) []V {
	out := make([]V, len(rows))
	for i, r := range rows {
		out[i] = of(r)
	}
	return out
}

func sortedKeys[V any](m map[key]V) []key {
	keys := make([]key, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sortKeys(keys)
	return keys
}

func sortKeys(keys []key) { slices.SortFunc(keys, compareKeys) }

func split(keys []key) (persons []int64, channels []string) {
	for _, k := range keys {
		persons, channels = append(persons, k.person), append(channels, string(k.channel))
	}
	return persons, channels
}
