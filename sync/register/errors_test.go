package register

import (
	"context"
	"errors"
	"net"
	"testing"

	"contactsync/consent/reason"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
	"contactsync/sync/push"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	dial := &net.OpError{Op: "dial", Err: errors.New("refused")}
	tests := []struct {
		name        string
		err         error
		read, write push.Class
		busy        bool
	}{
		{"never connected", dial, push.Retry, push.Retry, false},
		{"connection lost", &net.OpError{Op: "read", Err: errors.New("reset")}, push.Retry, push.Unknown, false},
		{"timeout", context.DeadlineExceeded, push.Retry, push.Unknown, true},
		{"busy", &rivta.StatusError{Status: 429}, push.Retry, push.Retry, true},
		{"down", &rivta.StatusError{Status: 503}, push.Retry, push.Unknown, true},
		{"broken", &rivta.StatusError{Status: 500}, push.Retry, push.Unknown, false},
		{"server fault", &rivta.Fault{Code: rivta.FaultServer}, push.Retry, push.Unknown, false},
		{"client fault", &rivta.Fault{Code: rivta.FaultClient}, push.Refused, push.Refused, false},
		{"no contact in the platform's catalogue", &rivta.Fault{Code: rivta.FaultServer, VP: "VP008"}, push.Retry, push.Retry, false},
		{"the platform got no answer from the register", &rivta.Fault{Code: rivta.FaultServer, VP: "VP009"}, push.Retry, push.Unknown, false},
		{"platform out of resources", &rivta.Fault{Code: rivta.FaultServer, VP: "VP012"}, push.Retry, push.Retry, true},
		{"not allowed", &rivta.Fault{Code: rivta.FaultServer, VP: "VP007"}, push.Refused, push.Refused, false},
		{"wrong address", &rivta.Fault{Code: rivta.FaultClient, VP: "VP004"}, push.Refused, push.Refused, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for write, want := range map[bool]push.Class{false: tt.read, true: tt.write} {
				e, ok := errors.AsType[*push.Error](classify(tt.err, write))
				if !ok || e.Class != want || e.Busy != tt.busy {
					t.Errorf("write %t: %+v, want class %d, busy %t", write, e, want, tt.busy)
				}
				if ok && e.Class == push.Refused && e.Reason == "" {
					t.Error("refused without a reason")
				}
			}
		})
	}
	if classify(nil, true) != nil {
		t.Error("no error became one")
	}
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]push.Error{
		"stale_version":    {Class: push.Stale, Reason: reason.RegisterRefused},
		"person_deceased":  {Class: push.Refused, Reason: reason.PersonDeceased},
		"person_unknown":   {Class: push.Refused, Reason: reason.PersonUnknown},
		"protected_person": {Class: push.Refused, Reason: reason.ProtectedNoAuthority},
		"something else":   {Class: push.Refused, Reason: reason.RegisterRefused},
		"":                 {Class: push.Refused, Reason: reason.RegisterRefused, Unnamed: true},
	} {
		e, ok := errors.AsType[*push.Error](refusal(personv4.Result{Code: code}))
		if !ok || e.Class != want.Class || e.Reason != want.Reason || e.Unnamed != want.Unnamed {
			t.Errorf("%q: %+v, want %+v", code, e, want)
		}
	}
}

func TestClassifyQuestion(t *testing.T) {
	t.Parallel()
	for vp, unnamed := range map[string]bool{"": true, "VP007": false, "VP004": false} {
		e, ok := errors.AsType[*push.Error](classifyQuestion(&rivta.Fault{Code: rivta.FaultClient, VP: vp}))
		if !ok || e.Class != push.Refused || e.Unnamed != unnamed {
			t.Errorf("fault %q: %+v; one person may be to blame: want %t", vp, e, unnamed)
		}
	}
	if e, ok := errors.AsType[*push.Error](classifyQuestion(context.DeadlineExceeded)); !ok || e.Class != push.Retry || e.Unnamed {
		t.Errorf("timeout: %+v", e)
	}
	if classifyQuestion(nil) != nil {
		t.Error("no error became one")
	}
}
