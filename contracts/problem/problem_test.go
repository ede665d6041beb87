package problem_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"contactsync/contracts/problem"
)

func TestAProblemIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	p := problem.Invalid("invalid", "persons[3].root", "form")
	p.Instance, p.RetryAfter, p.Cause = "urn:uuid:6f1f7f0e-6f0b-4c7e-9f5e-0d5f2f6a1c11", 1500*time.Millisecond, errors.New("secret")
	answer := httptest.NewRecorder()
	p.Write(answer)
	if strings.Contains(answer.Body.String(), "secret") || strings.Contains(p.Error(), "secret") {
		t.Error("the cause is told")
	}
	got := problem.Read(answer.Result())
	want := *p
	want.RetryAfter = 2 * time.Second // whole seconds, and never too early
	if diff := cmp.Diff(&want, got, cmpopts.IgnoreFields(problem.Problem{}, "Cause")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatIsNoProblem(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ kind, body string }{
		"another type":                  {"application/json", `{"code":"x"}`},
		"no JSON":                       {problem.ContentType, `x`},
		"no code":                       {problem.ContentType, `{"title":"Bad Gateway"}`},
		"no type":                       {"", `{"code":"x"}`},
		"a code that tells of somebody": {problem.ContentType, `{"code":"unknown_201701012393"}`},
	} {
		answer := httptest.NewRecorder()
		answer.Header().Set("Content-Type", tt.kind)
		answer.WriteHeader(http.StatusBadGateway)
		_, _ = answer.WriteString(tt.body)
		if p := problem.Read(answer.Result()); p != nil {
			t.Errorf("%s: %v", name, p)
		}
	}
}
