package register

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"contactsync/consent/reason"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
	"contactsync/sync/push"
)

// classify decides what may be done after an error of a call. A write counts as never sent, or as refused, only where that is
// certain: everything else leaves it unknown whether the register was changed.
func classify(err error, write bool) error {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*rivta.Fault](err); ok {
		return fault(f, write)
	}
	e := &push.Error{Class: push.Retry, Err: err, Busy: errors.Is(err, context.DeadlineExceeded)}
	if s, ok := errors.AsType[*rivta.StatusError](err); ok {
		e.RetryAfter, e.Busy = s.RetryAfter, s.Status == http.StatusTooManyRequests || s.Status == http.StatusServiceUnavailable
		if write && s.Status != http.StatusTooManyRequests {
			e.Class = push.Unknown
		}
		return e
	}
	if write && !neverSent(err) {
		e.Class = push.Unknown
	}
	return e
}

// fault classifies by the platform's code first: RIV-TA, error codes of the service platform.
func fault(f *rivta.Fault, write bool) error {
	e := &push.Error{Class: push.Retry, Err: f}
	switch {
	case f.VP == "VP008" || f.VP == "VP012" || f.VP == "VP014": // not passed on
		e.Busy = f.VP == "VP012"
	case f.VP == "VP009" || f.VP == "" && f.Code == rivta.FaultServer: // passed on, and no answer
		if write {
			e.Class = push.Unknown
		}
	default:
		e.Class, e.Reason = push.Refused, reason.RegisterRefused
		e.Unnamed = write && f.VP == "" // a service without codes may mean a stale version
	}
	return e
}

// refusal classifies an ERROR result: the register did nothing.
func refusal(r personv4.Result) error {
	e := &push.Error{Class: push.Refused, Reason: reason.RegisterRefused, Err: errors.New("the register refused the update")}
	switch r.Code {
	case "stale_version":
		e.Class = push.Stale
	case "person_deceased":
		e.Reason = reason.PersonDeceased
	case "person_unknown":
		e.Reason = reason.PersonUnknown
	case "protected_person":
		e.Reason = reason.ProtectedNoAuthority
	case "":
		e.Unnamed = true
	}
	return e
}

// neverSent tells that the connection was not even made, or the call not begun.
func neverSent(err error) bool {
	if errors.Is(err, push.ErrNoAllowance) {
		return true
	}
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

func (r *PersonV4) observe(operation string, err error, began time.Time) {
	observed(r.Observe, operation, err, began)
}

// observed tells how a call ended.
func observed(observe func(operation, outcome, blame string, took time.Duration), operation string, err error, began time.Time) {
	outcome, blame := "ok", "none"
	if e, ok := errors.AsType[*push.Error](err); ok {
		switch e.Class {
		case push.Stale:
			outcome = "stale"
		case push.Refused:
			outcome, blame = "refused", "us"
		case push.Retry:
			outcome, blame = "unavailable", "register"
		case push.Unknown:
			outcome, blame = "unknown", "register"
		}
	}
	observe(operation, outcome, blame, time.Since(began))
}
