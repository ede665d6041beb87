package syncpg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/reason"
	"contactsync/sync/intake"
	"contactsync/sync/plan"
	"contactsync/sync/push"
)

var _ push.Questions = (*Store)(nil)

// Questions implements push.Questions. A worker that dies with questions in its hands delays them by a lease.
func (s *Store) Questions(ctx context.Context, limit int) ([]push.Question, error) {
	rows, err := s.Pool.Query(ctx, `
		with picked as (
			select person_id from sync.ask where due_at <= now() or due_at > now() + interval '20 minutes'
			order by due_at limit $1 for update skip locked)
		update sync.ask a set due_at = now() + $2
		from picked join sync.person p using (person_id) where a.person_id = picked.person_id
		returning p.person_id, p.root, p.extension, a.turn`, limit, s.Lease)
	if err != nil {
		return nil, fmt.Errorf("take questions: %w", err)
	}
	questions, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (q push.Question, err error) {
		var root, extension string
		err = r.Scan(&q.ID, &root, &extension, &q.Turn)
		q.Person = contact.KnownPersonID(root, extension)
		return q, err
	})
	if err != nil || len(questions) == 0 {
		return nil, err
	}
	if err := s.addGuardians(ctx, questions); err != nil {
		return nil, fmt.Errorf("take questions: %w", err)
	}
	return questions, nil
}

// addGuardians adds who has decided for each person, and the numbers that are known already.
func (s *Store) addGuardians(ctx context.Context, questions []push.Question) error {
	at := map[int64]*push.Question{}
	var ids []int64
	for i := range questions {
		at[questions[i].ID], ids = &questions[i], append(ids, questions[i].ID)
	}
	rows, err := s.Pool.Query(ctx, `select `+columns+` from sync.channel where person_id = any ($1) and waiting <> '[]'`, ids)
	if err != nil {
		return err
	}
	waiting, err := states(rows)
	if err != nil {
		return err
	}
	for k, state := range waiting {
		q := at[k.person]
		for _, w := range state.Waiting {
			if !slices.Contains(q.Guardians, w.Guardian) {
				q.Guardians = append(q.Guardians, w.Guardian)
			}
		}
	}
	if rows, err = s.Pool.Query(ctx, `select primary_id, root, extension from sync.person where primary_id = any ($1)`, ids); err != nil {
		return err
	}
	var primary int64
	var root, extension string
	_, err = pgx.ForEachRow(rows, []any{&primary, &root, &extension}, func() error {
		at[primary].Linked = append(at[primary].Linked, contact.KnownPersonID(root, extension))
		return nil
	})
	return err
}

// Answer implements push.Questions. Most answers say that a person has one number and no guardian was asked about: they cost one
// transaction together, every other one its own.
func (s *Store) Answer(ctx context.Context, answered []push.Answered) error {
	var nothingNew, refused []push.Question
	for _, a := range answered {
		switch {
		case a.Refused:
			refused = append(refused, a.Question)
		case len(a.Question.Guardians) == 0 && !news(a):
			nothingNew = append(nothingNew, a.Question)
		default:
			if err := s.learn(ctx, a); err != nil {
				return fmt.Errorf("record answer: %w", err)
			}
		}
	}
	if err := errors.Join(s.putOff(ctx, refused, s.ParkedRetry), s.answeredAll(ctx, nothingNew)); err != nil {
		return fmt.Errorf("record %d answers: %w", len(answered), err)
	}
	return nil
}

// news tells whether an answer names a number that is not known as the person's yet.
func news(a push.Answered) bool {
	p := a.Answer.Person
	return p != nil && (p.Primary != a.Question.Person || slices.ContainsFunc(p.Others, func(id contact.PersonID) bool {
		return id != a.Question.Person && !slices.Contains(a.Question.Linked, id)
	}))
}

func turns(questions []push.Question) (ids, turns []int64) {
	for _, q := range questions {
		ids, turns = append(ids, q.ID), append(turns, q.Turn)
	}
	return ids, turns
}

// putOff asks again later, unless there has been a new reason to ask.
func (s *Store) putOff(ctx context.Context, questions []push.Question, wait time.Duration) error {
	if len(questions) == 0 {
		return nil
	}
	ids, turns := turns(questions)
	_, err := s.Pool.Exec(ctx, `
		update sync.ask a set due_at = now() + $3 from unnest($1::bigint[], $2::bigint[]) as q (p, t) where a.person_id = p and a.turn = t`,
		ids, turns, wait)
	return err
}

// answeredAll takes the questions off, and makes those due whose shares waited. Their due rows are locked before, so that a claim
// that ends meanwhile sees either.
func (s *Store) answeredAll(ctx context.Context, questions []push.Question) error {
	if len(questions) == 0 {
		return nil
	}
	return s.begin(ctx, func(tx *transaction) error { return s.answered(ctx, tx, questions) })
}

func (s *Store) answered(ctx context.Context, tx querier, questions []push.Question) error {
	ids, turns := turns(questions)
	for _, statement := range []string{
		`select from sync.due where person_id = any ($1) and $2::bigint[] is not null order by person_id for update`,
		`update sync.due d set due_at = now() from unnest($1::bigint[], $2::bigint[]) as q (p, t) join sync.ask a on a.person_id = p and a.turn = t
			where d.person_id = p and a.first and d.lease is null and d.due_at > now()`,
		`delete from sync.ask a using unnest($1::bigint[], $2::bigint[]) as q (p, t) where a.person_id = p and a.turn = t`,
	} {
		if _, err := tx.Exec(ctx, statement, ids, turns); err != nil {
			return err
		}
	}
	return nil
}

// errBusy says that somebody works on one of the numbers just now.
var errBusy = errors.New("a record is being written to")

// whileBusy is how long to wait for a claim to end before numbers are joined.
const whileBusy = time.Second

// learn records an answer with something in it: the person's numbers become one, guardians' shares are judged.
func (s *Store) learn(ctx context.Context, a push.Answered) error {
	err := unmoved(func() error {
		return s.begin(ctx, func(tx *transaction) error {
			l := &learning{Store: s, tx: tx, question: a.Question, answer: a.Answer, id: a.Question.ID, kept: a.Question.Person}
			return l.run(ctx, news(a))
		})
	})
	if errors.Is(err, errBusy) || errors.Is(err, errMoved) {
		return s.putOff(ctx, []push.Question{a.Question}, whileBusy)
	}
	return err
}

// learning is one answer on its way into the database.
type learning struct {
	*Store
	tx       *transaction
	question push.Question
	answer   plan.Answer
	id       int64            // where the person is kept, after all numbers are joined
	kept     contact.PersonID // under which number
	since    *time.Time       // when the first of the joined numbers began to wait for the register
	outcomes []said
}

func (l *learning) run(ctx context.Context, news bool) error {
	if news {
		if err := l.link(ctx); err != nil {
			return err
		}
	}
	states, err := lockRows(ctx, l.tx, keysOf(l.id))
	if err != nil {
		return err
	}
	asked, err := l.stillAsked(ctx)
	if err != nil || !asked && !news {
		return err
	}
	if asked {
		if err := l.judgeAll(ctx, states); err != nil {
			return err
		}
	}
	if err := l.queue(ctx, states); err != nil {
		return err
	}
	if asked {
		if err := l.askAgain(ctx, states); err != nil {
			return err
		}
	}
	return l.publish(ctx, l.tx, l.outcomes, nil)
}

// stillAsked tells whether the question stands as it was asked. If not there is a newer one, which must not be taken for answered.
func (l *learning) stillAsked(ctx context.Context) (asked bool, err error) {
	err = l.tx.QueryRow(ctx, `select exists (select from sync.ask where person_id = $1 and turn = $2)`, l.question.ID, l.question.Turn).Scan(&asked)
	return asked, err
}

func (l *learning) judgeAll(ctx context.Context, states map[key]plan.State) error {
	for k, state := range states {
		if err := l.judge(ctx, k, &state); err != nil {
			return err
		}
		states[k] = state
	}
	return save(ctx, l.tx, states)
}

// queue makes the person due for what follows from the answer: who the person is need not be asked before.
func (l *learning) queue(ctx context.Context, states map[key]plan.State) error {
	q := queue{}
	for _, state := range states {
		q.add(l.id, l.kept, state)
	}
	p := q[l.id]
	p.ask, p.free = false, true
	q[l.id] = p
	if err := q.put(ctx, l.tx); err != nil || l.since == nil {
		return err
	}
	_, err := l.tx.Exec(ctx, `update sync.due set since = least(since, $2) where person_id = $1`, l.id, *l.since)
	return err
}

// askAgain takes the question off, and asks once more for guardians' shares that wait still: later, if the register does not know
// the child or the guardian yet, or at once about guardians who were not asked about.
func (l *learning) askAgain(ctx context.Context, states map[key]plan.State) error {
	if _, err := l.tx.Exec(ctx, `delete from sync.ask where person_id = any ($1)`, []int64{l.id, l.question.ID}); err != nil {
		return err
	}
	waits, wait := false, l.ParkedRetry
	for _, state := range states {
		for _, w := range state.Waiting {
			waits = true
			if _, asked := l.answer.Guardians[w.Guardian]; !asked {
				wait = 0
			}
		}
	}
	if !waits {
		return nil
	}
	_, err := l.tx.Exec(ctx, `insert into sync.ask (person_id, first, due_at, turn) values ($1, false, now() + $2, nextval('sync.lease'))`, l.id, wait)
	return err
}

// judge applies the answer to the guardians' shares of one channel. One that is refused stays refused when it is replayed.
func (l *learning) judge(ctx context.Context, k key, state *plan.State) error {
	verdicts, judged := state.Judge(l.kept, l.answer)
	for _, v := range verdicts {
		l.outcomes = append(l.outcomes, l.about(l.kept, k.channel, v))
	}
	for _, j := range judged {
		action, outcome, why := "guardian.confirm", "confirmed", reason.Code("")
		if !j.Confirmed {
			action, outcome, why = "guardian.refuse", string(event.Parked), reason.GuardianNotAllowed
			if err := l.refuse(ctx, k, j.Share); err != nil {
				return err
			}
		}
		if err := l.audit(ctx, action, string(k.channel), j.Share.EventID, outcome, why); err != nil {
			return err
		}
	}
	return nil
}

func (l *learning) refuse(ctx context.Context, k key, share plan.Share) error {
	p := l.kept
	if !share.Under.IsZero() {
		p = share.Under
	}
	mark := refusalMark(intake.Entry{Person: event.RawOf(p), Decision: event.Decision{
		EventID: share.EventID, Source: share.Source, Channel: k.channel, Revision: share.Revision}})
	_, err := l.tx.Exec(ctx, refusedSQL, mark, share.EventID, share.Source, &l.id, string(k.channel), share.Revision, string(reason.GuardianNotAllowed))
	if err != nil {
		return fmt.Errorf("record refusal: %w", err)
	}
	return nil
}

// keysOf are the rows of one person, in the order in which they are locked.
func keysOf(person int64) []key {
	keys := make([]key, len(contact.Channels))
	for i, channel := range contact.Channels {
		keys[i] = key{person, channel}
	}
	sortKeys(keys)
	return keys
}
