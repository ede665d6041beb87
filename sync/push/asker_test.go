package push_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"contactsync/consent/contact"
	"contactsync/sync/plan"
	"contactsync/sync/push"
)

// someone is a person by a number of our own.
func someone(i int) contact.PersonID {
	return contact.KnownPersonID(contact.RootPersonnummer, fmt.Sprintf("19%010d", i))
}

// questions is a store of questions, and keeps the answers.
type questions struct {
	left     []push.Question
	answered []push.Answered
}

func (q *questions) Questions(_ context.Context, limit int) ([]push.Question, error) {
	n := min(limit, len(q.left))
	out := q.left[:n]
	q.left = q.left[n:]
	return out, nil
}

func (q *questions) Answer(_ context.Context, answered []push.Answered) error {
	q.answered = append(q.answered, answered...)
	return nil
}

func queueOf(persons int) *questions {
	q := &questions{}
	for i := range persons {
		q.left = append(q.left, push.Question{ID: int64(i), Person: someone(i)})
	}
	return q
}

// oracle is the register's profile contract; it will not have some persons, and may be away for some time.
type oracle struct {
	bad       map[contact.PersonID]bool
	until     time.Time
	calls     []int // persons in each call
	relations []bool
}

func (o *oracle) Profiles(_ context.Context, ids []contact.PersonID, relations bool) (map[contact.PersonID]plan.Profile, error) {
	o.calls, o.relations = append(o.calls, len(ids)), append(o.relations, relations)
	if time.Now().Before(o.until) {
		return nil, &push.Error{Class: push.Retry, Err: errors.New("away")}
	}
	out := map[contact.PersonID]plan.Profile{}
	for _, id := range ids {
		if o.bad[id] {
			return nil, &push.Error{Class: push.Refused, Unnamed: true, Err: errors.New("one of them is no good")}
		}
		out[id] = plan.Profile{Primary: id}
	}
	return out, nil
}

func newAsker(t *testing.T, q *questions, o *oracle, log *slog.Logger) *push.Asker {
	t.Helper()
	a, err := push.NewAsker(push.AskerConfig{Store: q, Register: o, Log: log, Answered: func() {}})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestManyAreAskedAboutInOneCall(t *testing.T) {
	t.Parallel()
	q, o := queueOf(3), &oracle{}
	q.left[0].Guardians = []contact.PersonID{someone(8), someone(9)}
	q.left[1].Guardians = []contact.PersonID{someone(9)}
	newAsker(t, q, o, slog.New(slog.DiscardHandler)).Round(t.Context())
	if fmt.Sprint(o.calls, o.relations) != "[5] [true]" {
		t.Errorf("calls %v, with relations %v", o.calls, o.relations)
	}
	if len(q.answered) != 3 || q.answered[0].Answer.Person == nil || len(q.answered[0].Answer.Guardians) != 2 || len(q.answered[1].Answer.Guardians) != 1 {
		t.Errorf("answered %+v", q.answered)
	}
}

func TestOneCallAsksAboutNoMoreThanTheRegisterTakes(t *testing.T) {
	t.Parallel()
	q, o := queueOf(250), &oracle{}
	for i := range q.left {
		q.left[i].Guardians = []contact.PersonID{someone(1000 + i), someone(2000 + i)}
	}
	newAsker(t, q, o, slog.New(slog.DiscardHandler)).Round(t.Context())
	if fmt.Sprint(o.calls) != "[500 250]" || len(q.answered) != 250 {
		t.Errorf("calls about %v persons, %d answered", o.calls, len(q.answered))
	}
}

func TestOnePersonKeepsNobodyElseFromAnAnswer(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	q, o := queueOf(100), &oracle{bad: map[contact.PersonID]bool{someone(17): true, someone(60): true}}
	a := newAsker(t, q, o, slog.New(slog.NewJSONHandler(&log, nil)))
	a.Round(t.Context())
	refused := 0
	for _, x := range q.answered {
		if x.Refused != o.bad[x.Question.Person] || !x.Refused && x.Answer.Person == nil {
			t.Errorf("question %d: %+v", x.Question.ID, x)
		}
		if x.Refused {
			refused++
		}
	}
	if len(q.answered) != 100 || refused != 2 || strings.Contains(log.String(), "19000000") {
		t.Errorf("%d answered, %d of them refused; log %s", len(q.answered), refused, log.String())
	}
}

func TestARegisterThatWillHaveNobodyIsNotAskedAboutEach(t *testing.T) {
	t.Parallel()
	q, o := queueOf(200), &oracle{bad: map[contact.PersonID]bool{}}
	for i := range 200 {
		o.bad[someone(i)] = true
	}
	newAsker(t, q, o, slog.New(slog.DiscardHandler)).Round(t.Context())
	if len(o.calls) > 60 || len(q.answered) != 200 {
		t.Errorf("%d calls, %d of 200 put off", len(o.calls), len(q.answered))
	}
}

func TestAskerIsPatientAndComesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, o := &endless{}, &oracle{until: time.Now().Add(10 * time.Minute)}
		a, err := push.NewAsker(push.AskerConfig{Store: q, Register: o, Log: slog.New(slog.DiscardHandler), Answered: func() {}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), 12*time.Minute)
		defer stop()
		a.Run(ctx)
		if len(o.calls) > 300 || q.answers < 100 {
			t.Errorf("%d calls, of which %d were answered", len(o.calls), q.answers)
		}
	})
}

// endless always has one question.
type endless struct{ answers int }

func (*endless) Questions(context.Context, int) ([]push.Question, error) {
	return []push.Question{{ID: 1, Person: someone(1)}}, nil
}

func (e *endless) Answer(context.Context, []push.Answered) error {
	e.answers++
	return nil
}
