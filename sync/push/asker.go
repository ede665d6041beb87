package push

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"contactsync/consent/contact"
	"contactsync/consent/trouble"
	"contactsync/sync/plan"
)

// Questions are the persons about whom the register is to be asked who they are: whether a guardian's share may take part, and
// which other numbers a person has.
type Questions interface {
	// Questions hands out up to limit of them. They are not handed out again for the length of a lease.
	Questions(ctx context.Context, limit int) ([]Question, error)
	// Answer records answers and all that follows from them. One that is not there is asked for again.
	Answer(ctx context.Context, answered []Answered) error
}

// Question is a person to ask about.
type Question struct {
	ID        int64 // the store's number of the person
	Person    contact.PersonID
	Turn      int64              // an answer counts for the question that was asked, not for one that came up meanwhile
	Linked    []contact.PersonID // other numbers of the person that are known already
	Guardians []contact.PersonID // who have decided for the person, and are to be confirmed
}

// Answered is a question with what the register said.
type Answered struct {
	Question Question
	Answer   plan.Answer
	Refused  bool // the register will not say anything: there is no answer, and it is not asked again for a while
}

// Profiles is the register's contract that tells who persons are.
type Profiles interface {
	// Profiles asks about up to MostProfiles persons in one call, with relations only if those are needed. Whom the register does
	// not know is missing. An error is an *Error; Unnamed with Refused says that one of the persons may be to blame.
	Profiles(ctx context.Context, ids []contact.PersonID, relations bool) (map[contact.PersonID]plan.Profile, error)
}

// MostProfiles is how many persons one call asks about.
const MostProfiles = 500

// mostQuestions leaves room for their guardians in the same call, unless there are very many.
const mostQuestions = 250

// AskerConfig is what an asker needs. Zero durations take the default named beside them.
type AskerConfig struct {
	Store    Questions
	Register Profiles
	Log      *slog.Logger
	// Answered is called when answers are durable: somebody may be due. It must not block.
	Answered    func()
	Every       time.Duration // how often to look for questions (500 ms): those that come meanwhile share a call
	CallTimeout time.Duration // of one register call with its retries, and of one visit to the store (4 s)
	MaxBackoff  time.Duration // between two calls while the register does not answer (1 min)
}

// Asker asks the register who persons are. It stands beside the Pusher, so that nobody's withdrawal waits for an answer.
type Asker struct {
	cfg      AskerConfig
	failed   int // rounds in a row
	refused  int // persons in this round
	troubles *trouble.Log
}

// NewAsker returns an asker that is not running yet.
func NewAsker(c AskerConfig) (*Asker, error) {
	if c.Store == nil || c.Register == nil || c.Log == nil || c.Answered == nil {
		return nil, errors.New("asker: store, register, log and Answered are required")
	}
	c.Every = orDefault(c.Every, 500*time.Millisecond)
	c.CallTimeout = orDefault(c.CallTimeout, 4*time.Second)
	c.MaxBackoff = orDefault(c.MaxBackoff, time.Minute)
	return &Asker{cfg: c, troubles: trouble.New(c.Log)}, nil
}

// Run asks until ctx ends.
func (a *Asker) Run(ctx context.Context) {
	ctx = ranked(ctx, rankQuestion)
	for pause(ctx, a.wait()) == nil {
		for a.round(ctx) == mostQuestions && ctx.Err() == nil { // more may wait
		}
	}
}

// wait grows while nothing can be asked.
func (a *Asker) wait() time.Duration { return min(a.cfg.MaxBackoff, a.cfg.Every<<min(a.failed, 20)) }

// round asks about those who are to be asked about now. It returns how many there were, or 0 if that failed.
func (a *Asker) round(ctx context.Context) int {
	visit, cancel := context.WithTimeout(ctx, a.cfg.CallTimeout)
	defer cancel()
	a.refused = 0
	questions, err := a.cfg.Store.Questions(visit, mostQuestions)
	if err == nil && len(questions) > 0 {
		err = a.ask(ctx, questions)
	}
	switch {
	case ctx.Err() != nil:
		return 0
	case err != nil:
		a.failed++
		a.troubles.Warn("profiles", "the register cannot be asked who persons are: guardians' shares wait", err)
		return 0
	case len(questions) > 0:
		a.failed = 0
		a.troubles.Over("profiles", "the register tells again who persons are")
	}
	return len(questions)
}

// mostRefused bounds how many calls are spent on finding out whom the register will not have.
const mostRefused = 10

// ask asks about all at once. If the register will not have one of them, halves are asked about: one person must not keep the
// others from an answer.
func (a *Asker) ask(ctx context.Context, questions []Question) error {
	known, err := a.profiles(ctx, questions)
	e, refused := errors.AsType[*Error](err)
	switch {
	case err == nil:
		return a.answer(ctx, answers(questions, known))
	case !refused || e.Class != Refused || !e.Unnamed:
		return err
	case len(questions) > 1 && a.refused < mostRefused:
		half := len(questions) / 2
		return errors.Join(a.ask(ctx, questions[:half]), a.ask(ctx, questions[half:]))
	}
	a.refused++
	a.cfg.Log.Warn("the register does not say who a person is", "person_no", questions[0].ID, "persons", len(questions), "error", err.Error())
	none := make([]Answered, len(questions))
	for i, q := range questions {
		none[i] = Answered{Question: q, Refused: true}
	}
	return a.answer(ctx, none)
}

func (a *Asker) answer(ctx context.Context, answered []Answered) error {
	visit, cancel := context.WithTimeout(ctx, a.cfg.CallTimeout)
	defer cancel()
	if err := a.cfg.Store.Answer(visit, answered); err != nil {
		return err
	}
	a.cfg.Answered()
	return nil
}

func (a *Asker) profiles(ctx context.Context, questions []Question) (map[contact.PersonID]plan.Profile, error) {
	known := map[contact.PersonID]plan.Profile{}
	ids, relations := asked(questions)
	for some := range slices.Chunk(ids, MostProfiles) {
		call, cancel := context.WithTimeout(ctx, a.cfg.CallTimeout)
		got, err := a.cfg.Register.Profiles(call, some, relations)
		cancel()
		if err != nil {
			return nil, err
		}
		for id, p := range got {
			known[id] = p
		}
	}
	return known, nil
}

// asked names each person once, and tells whether anybody's guardians are to be known.
func asked(questions []Question) (ids []contact.PersonID, relations bool) {
	seen := map[contact.PersonID]bool{}
	for _, q := range questions {
		for _, id := range append([]contact.PersonID{q.Person}, q.Guardians...) {
			if !seen[id] {
				seen[id], ids = true, append(ids, id)
			}
		}
		relations = relations || len(q.Guardians) > 0
	}
	return ids, relations
}

func answers(questions []Question, known map[contact.PersonID]plan.Profile) []Answered {
	of := func(id contact.PersonID) *plan.Profile {
		if p, ok := known[id]; ok {
			return &p
		}
		return nil
	}
	out := make([]Answered, len(questions))
	for i, q := range questions {
		out[i] = Answered{Question: q, Answer: plan.Answer{Person: of(q.Person), Guardians: map[contact.PersonID]*plan.Profile{}}}
		for _, g := range q.Guardians {
			out[i].Answer.Guardians[g] = of(g)
		}
	}
	return out
}
