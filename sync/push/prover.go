package push

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"time"

	"contactsync/consent/contact"
	"contactsync/consent/trouble"
	"contactsync/sync/plan"
)

// Proofs are the removals that are to be seen in the register before they count as done.
type Proofs interface {
	// Proofs hands out up to limit of them. They are not handed out again for the length of a lease.
	Proofs(ctx context.Context, limit int) ([]Proof, error)
	// Proved records what was seen, and all that follows from it. It returns how long ago each decision was made that is now proved, and
	// whose removal is undone. What stands there may also be what the person has decided since.
	Proved(ctx context.Context, looked []Looked) (since []time.Duration, undone []Proof, err error)
}

// Proof is a withdrawal that the register has carried out as far as we know.
type Proof struct {
	ID      int64 // the store's number of the person
	Channel contact.Channel
	Mark    plan.Mark
	Records []Linked // of all numbers of the person
}

// Looked is a proof and what the register shows.
type Looked struct {
	Proof   Proof
	Seen    Seen
	Version string // of the record that shows it
}

// Seen is what a look at the register told.
type Seen int

// What may be seen.
const (
	TooEarly Seen = iota // the record is older than what was written
	Gone                 // nothing of the resident's own stands there
	Present              // something does
)

// Shown is the register's contract that shows many records.
type Shown interface {
	// Shown reads up to MostProfiles records in one call. Whom the register does not know is missing. An error is an *Error.
	Shown(ctx context.Context, ids []contact.PersonID) (map[contact.PersonID]plan.Record, error)
}

// ProverConfig is what a prover needs. Zero durations take the default named beside them.
type ProverConfig struct {
	Store    Proofs
	Register Shown
	Log      *slog.Logger
	// Proved is told how long it took from a decision until the register was seen to show nothing; Failed that something stood there
	// again, Due that somebody is to be pushed. They must not block.
	Proved      func(time.Duration)
	Failed, Due func()
	Every       time.Duration // how often to look for what is to be proved (500 ms)
	CallTimeout time.Duration // of one register call with its retries, and of one visit to the store (4 s)
	MaxBackoff  time.Duration // between two calls while the register does not answer (1 min)
}

// Prover reads withdrawn details back: only when the register shows that they are gone are they called removed. It stands beside the
// Pusher, and reads for many persons at once.
type Prover struct {
	cfg      ProverConfig
	failed   int // rounds in a row
	refused  int // looks in this round
	wake     chan struct{}
	troubles *trouble.Log
}

// NewProver returns a prover that is not running yet.
func NewProver(c ProverConfig) (*Prover, error) {
	if c.Store == nil || c.Register == nil || c.Log == nil || c.Proved == nil || c.Failed == nil || c.Due == nil {
		return nil, errors.New("prover: store, register, log, Proved, Failed and Due are required")
	}
	c.Every = orDefault(c.Every, 500*time.Millisecond)
	c.CallTimeout = orDefault(c.CallTimeout, CallTimeout)
	c.MaxBackoff = orDefault(c.MaxBackoff, time.Minute)
	return &Prover{cfg: c, wake: make(chan struct{}, 1), troubles: trouble.New(c.Log)}, nil
}

// Wake makes the prover look for work at once.
func (p *Prover) Wake() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Run proves until ctx ends.
func (p *Prover) Run(ctx context.Context) {
	ctx = ranked(ctx, rankQuestion)
	for ctx.Err() == nil {
		for p.Round(ctx) == MostProfiles && ctx.Err() == nil { // more may wait
		}
		wait := time.NewTimer(min(p.cfg.MaxBackoff, p.cfg.Every<<min(p.failed, 20)))
		wake := p.wake
		if p.failed > 0 {
			wake = nil
		}
		select {
		case <-wake:
		case <-wait.C:
		case <-ctx.Done():
		}
		wait.Stop()
	}
}

// Round looks once at what is to be proved now; Run does so again and again. It returns how much there was, or 0 if that failed.
func (p *Prover) Round(ctx context.Context) int {
	visit, cancel := context.WithTimeout(ctx, p.cfg.CallTimeout)
	defer cancel()
	p.refused = 0
	proofs, err := p.cfg.Store.Proofs(visit, MostProfiles)
	if err == nil && len(proofs) > 0 {
		err = p.look(ctx, proofs)
	}
	switch {
	case ctx.Err() != nil:
		return 0
	case err != nil:
		p.failed++
		p.troubles.Warn("proof", "the register cannot be read back: removals are not proved", err)
		return 0
	case len(proofs) > 0:
		p.failed = 0
		p.troubles.Over("proof", "removals are proved again")
	}
	return len(proofs)
}

// look looks at all at once. If the register will not show one of them, halves are looked at: one must not keep the others from proof.
func (p *Prover) look(ctx context.Context, proofs []Proof) error {
	shown, err := p.shown(ctx, proofs)
	e, refused := errors.AsType[*Error](err)
	switch {
	case err == nil:
		return p.record(ctx, proofs, shown)
	case refused && e.Class == Refused && e.Unnamed && len(proofs) > 1 && p.refused < mostRefused:
		half := len(proofs) / 2
		return errors.Join(p.look(ctx, proofs[:half]), p.look(ctx, proofs[half:]))
	}
	p.refused++
	return err
}

func (p *Prover) shown(ctx context.Context, proofs []Proof) (map[contact.PersonID]plan.Record, error) {
	shown := map[contact.PersonID]plan.Record{}
	for _, some := range numbersOf(proofs) {
		call, cancel := context.WithTimeout(ctx, p.cfg.CallTimeout)
		got, err := p.cfg.Register.Shown(call, some)
		cancel()
		if err != nil {
			return nil, err
		}
		maps.Copy(shown, got)
	}
	return shown, nil
}

func (p *Prover) record(ctx context.Context, proofs []Proof, shown map[contact.PersonID]plan.Record) error {
	looked := make([]Looked, len(proofs))
	for i, proof := range proofs {
		looked[i] = seen(proof, shown, time.Now())
	}
	visit, cancel := context.WithTimeout(ctx, p.cfg.CallTimeout)
	defer cancel()
	since, undone, err := p.cfg.Store.Proved(visit, looked)
	if err != nil {
		return err
	}
	for _, d := range since {
		p.cfg.Proved(d)
	}
	for _, proof := range undone {
		p.cfg.Failed()
		p.cfg.Log.Error("a withdrawn detail stands in the register: it is removed again, before all else", "person_no", proof.ID, "channel", string(proof.Channel))
	}
	if len(undone) > 0 {
		p.cfg.Due()
	}
	return nil
}

// numbersOf are all numbers of the persons, each once, in parts of one call.
func numbersOf(proofs []Proof) (calls [][]contact.PersonID) {
	known := map[contact.PersonID]bool{}
	for _, proof := range proofs {
		for _, r := range proof.Records {
			if known[r.Person] {
				continue
			}
			known[r.Person] = true
			if last := len(calls) - 1; last >= 0 && len(calls[last]) < MostProfiles {
				calls[last] = append(calls[last], r.Person)
			} else {
				calls = append(calls, []contact.PersonID{r.Person})
			}
		}
	}
	return calls
}

// believed is after how long a read is no longer taken for one that is late, but for what the register has come to: after a restore, say.
const believed = time.Minute

// seen judges all records of the person. A number without a record shows nothing, unless we wrote to it a moment ago. A record older than our
// write proves nothing; where it shows the detail, it is written again in the end.
func seen(proof Proof, shown map[contact.PersonID]plan.Record, now time.Time) Looked {
	out := Looked{Proof: proof, Seen: Gone}
	for i, number := range proof.Records {
		record, known := shown[number.Person]
		if i == 0 {
			out.Version = record.Version
		}
		late := number.Written.Version != "" && now.Sub(number.Written.At) < believed
		shows := len(record.Own[proof.Channel]) > 0
		switch older := record.Version < number.Written.Version; {
		case !known && !late:
		case !known, older && (late || !shows):
			out.Seen = TooEarly
		case shows:
			return Looked{proof, Present, record.Version}
		}
	}
	return out
}
