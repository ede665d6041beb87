package mockregister

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"contactsync/contracts/contactsv1"
	"contactsync/contracts/personprofilev5"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// behindFaults is the register as callers meet it: each call goes through the faults that are dialled. It implements
// personv4.Service and personprofilev5.Service.
type behindFaults struct{ *Register }

// Get implements personv4.Service.
func (b behindFaults) Get(
	ctx context.Context, caller rivta.Caller, id personv4.ID, unrestricted bool,
) (*personv4.Record, error) {
	return b.read(ctx, readCall(caller, id, unrestricted))
}

func readCall(caller rivta.Caller, id personv4.ID, unrestricted bool) call {
	return call{operation: personv4.GetOperation(unrestricted), class: classRead, caller: caller, person: id, unrestricted: unrestricted}
}

func (b behindFaults) read(ctx context.Context, c call) (*personv4.Record, error) {
	a := b.pass(ctx, c, func(ctx context.Context) answer {
		record, err := b.Register.read(ctx, c)
		return answer{record: record, err: err}
	})
	return a.record, a.err
}

// Update implements personv4.Service.
func (b behindFaults) Update(
	ctx context.Context, caller rivta.Caller, update personv4.Update, unrestricted bool,
) (personv4.Result, error) {
	return b.judgedChange(ctx, writeCall(caller, update, unrestricted), update)
}

// judgedChange is change of a contract that lets its caller say who acts.
func (b behindFaults) judgedChange(ctx context.Context, c call, update personv4.Update) (personv4.Result, error) {
	if err := b.judgeActor(ctx, c, update); err != nil {
		return personv4.Result{}, err
	}
	return b.change(ctx, c, update)
}

func writeCall(caller rivta.Caller, update personv4.Update, unrestricted bool) call {
	return call{operation: personv4.UpdateOperation(unrestricted), class: classWrite, caller: caller, person: update.Person,
		unrestricted: unrestricted}
}

func (b behindFaults) change(ctx context.Context, c call, update personv4.Update) (personv4.Result, error) {
	a := b.pass(ctx, c, func(ctx context.Context) answer {
		settle := b.keep(ctx, update)
		result, err := b.Register.change(ctx, c, update)
		settle(err != nil || result.OK, b.clock.now()) // after an error it may have been carried out
		return answer{result: result, err: err}
	})
	return a.result, a.err
}

// Persons implements personprofilev5.Service.
func (b behindFaults) Persons(
	ctx context.Context, caller rivta.Caller, query personprofilev5.Query,
) ([]personprofilev5.Answer, error) {
	c := bulkCall(caller, query)
	a := b.pass(ctx, c, func(ctx context.Context) answer {
		persons, err := b.Register.persons(ctx, c, query)
		return answer{persons: persons, err: err}
	})
	return a.persons, a.err
}

func (b behindFaults) pass(ctx context.Context, c call, do carry) answer {
	a := b.faults.around(c, do)(ctx)
	if p := passageOf(ctx); p != nil {
		p.answer = a
	}
	return a
}

// keep puts what an update is about to replace among the past, if reads lag. An update that reads an older version here
// than it replaces in the end would have had to guess the version between.
func (b behindFaults) keep(ctx context.Context, update personv4.Update) (settle func(bool, time.Time)) {
	if b.faults.past.keeps() {
		if old, err := b.find(ctx, update.Person); err == nil {
			return b.faults.past.keep(old)
		}
	}
	return func(bool, time.Time) {}
}

// passage takes what the faults have made of a call to the HTTP side of it.
type passage struct{ answer }

type passageKey struct{}

// passageOf is nil for a call that did not come by HTTP.
func passageOf(ctx context.Context) *passage {
	p, _ := ctx.Value(passageKey{}).(*passage)
	return p
}

// interfered sends what the faults want sent instead of the answer.
func interfered(contracts http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		p := &passage{}
		ctx := context.WithValue(request.Context(), passageKey{}, p)
		contracts.ServeHTTP(mutedWriter{w, p}, request.WithContext(ctx))
		switch {
		case p.cut:
			panic(http.ErrAbortHandler) // net/http closes the connection, and logs nothing
		case p.status != 0:
			if strings.HasPrefix(request.URL.Path, contactsv1.Path) {
				turnAway(w, p.status, p.retryAfter)
				return
			}
			if p.retryAfter > 0 {
				seconds := (p.retryAfter + time.Second - 1) / time.Second
				w.Header().Set("Retry-After", strconv.Itoa(int(seconds)))
			}
			http.Error(w, errDialled.Error(), p.status)
		}
	})
}

// mutedWriter drops an answer that is not to be sent.
type mutedWriter struct {
	http.ResponseWriter
	passage *passage
}

func (w mutedWriter) muted() bool { return w.passage.cut || w.passage.status != 0 }

// Unwrap serves http.ResponseController.
func (w mutedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w mutedWriter) WriteHeader(status int) {
	if !w.muted() {
		w.ResponseWriter.WriteHeader(status)
	}
}

func (w mutedWriter) Write(text []byte) (int, error) {
	if w.muted() {
		return len(text), nil
	}
	return w.ResponseWriter.Write(text)
}

// amend makes a call's log line tell what the faults did. The outcome stays what came of the call in the register, even
// if its caller was not told.
func (p *passage) amend(l *line) {
	l.dialled = strings.Join(p.dialled, " ")
	if p.instead != "" {
		l.outcome, l.blame = p.instead, blameOf(cmp.Or(p.status, http.StatusInternalServerError))
		l.logID, l.cause = "", ""
	}
}

// tell logs a call that was carried out when its caller no longer waited.
func (r *Register) tell(c call, a answer) {
	x := rivta.Exchange{Operation: c.operation, Caller: c.caller, Outcome: personv4.OutcomeOK}
	switch fault, isFault := errors.AsType[*rivta.Fault](a.err); {
	case isFault:
		x.Fault = fault
	case c.rest:
		r.tellContacts(c, a)
		return
	case a.err != nil:
		x.Fault, x.Cause = &rivta.Fault{Code: rivta.FaultServer}, a.err
	case c.persons != nil:
		x.Outcome = personprofilev5.Outcome(a.persons)
	case c.class == classRead && a.record == nil:
		x.Outcome = personv4.OutcomeNoRecord
	case c.class == classWrite && !a.result.OK:
		x.Outcome = personv4.OutcomeError + ":" + a.result.Code
	}
	l := line{operation: c.operation, caller: c.caller, cause: causeText(x.Cause)}
	l.outcome, l.blame = judge(x)
	(&passage{a}).amend(&l)
	r.write(r.faults.life, l)
}
