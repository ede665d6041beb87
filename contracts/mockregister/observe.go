package mockregister

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// Who must change something before the same request can do better.
const (
	blameNone   = "none"
	blameClient = "client"
	blameUs     = "us"
)

// line is what is logged of a request, one line each. Nothing in it is text of the caller's own: identities of systems come
// from certificates, correlation ids are UUIDs, and the texts of faults hold names of the schema only.
type line struct {
	operation      rivta.Operation // zero: the request was no call
	caller         rivta.Caller
	outcome, blame string
	logID          string // empty: no fault
	cause          string // of a fault: what lies behind it, or else its own text
	dialled        string // the dialled faults that hit the call, as id:kind
	duration       time.Duration
}

func (r *Register) write(ctx context.Context, l line) {
	level := slog.LevelInfo
	if l.blame == blameUs && l.dialled == "" { // who dials a fault need not be told of trouble
		level = slog.LevelError
	}
	r.log.LogAttrs(ctx, level, "register request",
		slog.String("operation", l.operation.Name),
		slog.Int("major", l.operation.Major),
		slog.String("caller", l.caller.HSAID),
		slog.String("original_consumer", l.caller.OriginalConsumer),
		slog.String("correlation_id", l.caller.CorrelationID),
		slog.String("outcome", l.outcome),
		slog.String("blame", l.blame),
		slog.String("log_id", l.logID),
		slog.String("cause", l.cause),
		slog.String("dialled", l.dialled),
		slog.Float64("duration_seconds", l.duration.Seconds()))
}

// observe logs a call.
func (r *Register) observe(ctx context.Context, x rivta.Exchange) {
	if logged, ok := ctx.Value(loggedKey{}).(*bool); ok {
		*logged = true
	}
	r.old.note(ctx, r, x)
	l := line{operation: x.Operation, caller: x.Caller, duration: x.Duration}
	l.outcome, l.blame = judge(x)
	if x.Fault != nil {
		l.logID, l.cause = x.Fault.LogID, cmp.Or(causeText(x.Cause), x.Fault.String)
	}
	if p := passageOf(ctx); p != nil {
		p.amend(&l)
	}
	r.write(ctx, l)
}

// judge names what came of a call, and who is to blame.
func judge(x rivta.Exchange) (outcome, blame string) {
	fault := x.Fault
	switch {
	case fault == nil && (x.Outcome == personv4.OutcomeOK || x.Outcome == personv4.OutcomeNoRecord):
		return x.Outcome, blameNone
	case fault == nil:
		return x.Outcome, blameClient
	case fault.VP != "":
		return fault.VP, blameClient
	case fault.Code != rivta.FaultServer:
		return "fault_" + string(fault.Code), blameClient
	case errors.Is(x.Cause, context.Canceled):
		return "caller_left", blameClient
	}
	return "fault_" + string(fault.Code), blameUs
}

// causeText is an error without personal data: PostgreSQL's own messages may quote values, its codes do not.
func causeText(err error) string {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return "SQLSTATE " + pg.Code
	}
	if err == nil {
		return ""
	}
	return err.Error()
}

// loggedKey is the context key of a *bool that tells whether a request has its line.
type loggedKey struct{}

// logOthers logs what no contract has observed: documents, wrong paths and methods. The path is not told, as callers may
// write anything there.
func (r *Register) logOthers(contracts http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		begun, logged := time.Now(), false
		ctx := context.WithValue(request.Context(), loggedKey{}, &logged)
		answer := &statusWriter{w, http.StatusOK}
		contracts.ServeHTTP(answer, request.WithContext(ctx))
		if logged {
			return
		}
		caller, _ := rivta.CallerOf(request)
		l := line{caller: caller, outcome: "http_" + strconv.Itoa(answer.status), duration: time.Since(begun)}
		l.blame = blameOf(answer.status)
		r.write(ctx, l)
	})
}

func blameOf(status int) string {
	switch {
	case status >= 500:
		return blameUs
	case status >= 400:
		return blameClient
	}
	return blameNone
}

// statusWriter remembers the status of the answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap serves http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
