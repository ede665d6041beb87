package mockregister

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"contactsync/contracts/contracttest"
	"contactsync/contracts/personv4"
)

// admin asks the admin handler, and returns status, content type and body.
func (w world) admin(t *testing.T, method, path, body string) (status int, kind, answer string) {
	t.Helper()
	recorder := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	w.Admin().ServeHTTP(recorder, request)
	return recorder.Code, recorder.Header().Get("Content-Type"), strings.TrimSpace(recorder.Body.String())
}

func (w world) answers(t *testing.T, method, path, body string, status int, want string) {
	t.Helper()
	got, _, answer := w.admin(t, method, path, body)
	if diff := cmp.Diff(want, answer); got != status || diff != "" {
		t.Errorf("%s %s: status %d, want %d; answer (-want +got):\n%s", method, path, got, status, diff)
	}
}

func TestAdminDialsListsAndClears(t *testing.T) {
	t.Parallel()
	w := seeded(t, slog.DiscardHandler)
	w.answers(t, "GET", "/faults", "", 200, `{"faults":[],"pending":0}`)
	all := `"kind":"late_write","contract":"UpdatePersonContactInformationUnrestricted","operation":"write",` +
		`"person":"197205179802","caller":"` + worker + `","count":3,"probability":0.5,"seed":7,"duration":"1.5s","hold":"200ms"`
	w.answers(t, "POST", "/faults", "{"+all+"}", 201, `{"id":"f1"}`)
	w.answers(t, "POST", "/faults", ` {"kind":"rate","rate":10} `, 201, `{"id":"f2"}`)
	w.answers(t, "POST", "/faults", `{"kind":"reset","probability":0}`, 201, `{"id":"f3"}`)
	w.answers(t, "DELETE", "/faults/f2", "", 204, "")
	w.answers(t, "DELETE", "/faults/f2", "", 404, `{"status":404,"title":"Not Found","code":"fault_unknown"}`)
	w.answers(t, "GET", "/faults", "", 200,
		`{"faults":[{"id":"f1",`+all+`,"hits":0},{"id":"f3","kind":"reset","probability":0,"hits":0}],"pending":0}`)
	w.answers(t, "DELETE", "/faults", "", 204, "")
	w.answers(t, "GET", "/faults", "", 200, `{"faults":[],"pending":0}`)
}

func TestAdminRefusesBadInput(t *testing.T) {
	t.Parallel()
	w := seeded(t, slog.DiscardHandler)
	long := `{"kind":"` + strings.Repeat("x", maxAdminBody) + `"}`
	for _, tt := range []struct {
		path, body string
		status     int
		code       string
		field      string
	}{
		{"/faults", "", 400, CodeMalformed, ""},
		{"/faults", "kind=reset", 400, CodeMalformed, ""},
		{"/faults", `{"kind":"reset"`, 400, CodeMalformed, ""},
		{"/faults", `{"kind":"reset"} {}`, 400, CodeMalformed, ""},
		{"/faults", `["reset"]`, 400, CodeMalformed, ""},
		{"/faults", `null`, 400, CodeMissing, "kind"},
		{"/faults", `{}`, 400, CodeMissing, "kind"},
		{"/faults", `{"kind":"flood"}`, 400, CodeInvalid, "kind"},
		{"/faults", `{"kind":1}`, 400, CodeInvalid, "kind"},
		{"/faults", `{"kind":"reset","id":"f7"}`, 400, CodeUnknownField, "id"},
		{"/faults", `{"kind":"reset","hits":0}`, 400, CodeUnknownField, "hits"},
		{"/faults", `{"kind":"reset","` + plantedPerson + `":1}`, 400, CodeUnknownField, ""},
		{"/faults", `{"kind":"reset","person":"` + plantedMail + `"}`, 400, CodeInvalid, "person"},
		{"/faults", `{"kind":"reset","person":201701012393}`, 400, CodeInvalid, "person"},
		{"/faults", `{"kind":"reset","count":1.5}`, 400, CodeInvalid, "count"},
		{"/faults", `{"kind":"reset","seed":-1}`, 400, CodeInvalid, "seed"},
		{"/faults", `{"kind":"delay","duration":"` + plantedPerson + `"}`, 400, CodeInvalid, "duration"},
		{"/faults", `{"kind":"delay","duration":3}`, 400, CodeInvalid, "duration"},
		{"/faults", `{"kind":"delay"}`, 400, CodeMissing, "duration"},
		{"/faults", `{"kind":"reset","duration":"3s"}`, 400, CodeNotForKind, "duration"},
		{"/faults", long, 413, CodeTooLarge, ""},
		{"/persons/show", `{"root":"1.2"}`, 400, CodeMissing, "extension"},
		{"/persons/show", `{"extension":"` + plantedPerson + `"}`, 400, CodeMissing, "root"},
		{"/persons/show", `{"person":"` + plantedPerson + `"}`, 400, CodeUnknownField, "person"},
		{"/persons/show", `{"root":"1.2","extension":"` + plantedPerson + `"}`, 404, CodePersonUnknown, ""},
		{"/persons/show", `{"root":"` + strings.Repeat("x", maxAdminBody) + `"}`, 413, CodeTooLarge, ""},
	} {
		status, kind, answer := w.admin(t, "POST", tt.path, tt.body)
		var p Problem
		err := json.Unmarshal([]byte(answer), &p)
		if diff := cmp.Diff(Problem{tt.status, http.StatusText(tt.status), tt.code, tt.field}, p); diff != "" || err != nil {
			t.Errorf("%s %.60s: error %v, problem (-want +got):\n%s", tt.path, tt.body, err, diff)
		}
		if status != tt.status || kind != "application/problem+json" {
			t.Errorf("%s %.60s: status %d, %s", tt.path, tt.body, status, kind)
		}
		checkNoPersonalData(t, answer)
	}
	if faults, _ := w.Faults().List(); len(faults) != 0 {
		t.Errorf("%d faults were dialled", len(faults))
	}
}

func TestAdminIsBounded(t *testing.T) {
	t.Parallel()
	w := seeded(t, slog.DiscardHandler)
	for range maxFaults {
		w.admin(t, "POST", "/faults", `{"kind":"reset"}`)
	}
	w.answers(t, "POST", "/faults", `{"kind":"reset"}`, 409, `{"status":409,"title":"Conflict","code":"too_many_faults"}`)
}

func TestAdminIsNoneOfAnotherSitesBusiness(t *testing.T) {
	t.Parallel()
	w := seeded(t, slog.DiscardHandler)
	recorder := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), "POST", "/faults", strings.NewReader(`{"kind":"reset"}`))
	request.Header.Set("Sec-Fetch-Site", "cross-site")
	w.Admin().ServeHTTP(recorder, request)
	if faults, _ := w.Faults().List(); recorder.Code != http.StatusForbidden || len(faults) != 0 {
		t.Errorf("status %d, %d faults", recorder.Code, len(faults))
	}
}

func TestAdminTroubleIsLoggedWithoutPersonalData(t *testing.T) {
	t.Parallel()
	lines := make(chan string, 10)
	w := seeded(t, slog.NewJSONHandler(lineWriter(lines), nil))
	must(w.pool.Exec(t.Context(), `alter table register.persons rename to gone`))(t)
	w.answers(t, "POST", "/persons/show", `{"root":"1.2","extension":"`+plantedPerson+`"}`, 500,
		`{"status":500,"title":"Internal Server Error","code":"internal"}`)
	line := <-lines
	if !strings.Contains(line, "SQLSTATE 42P01") {
		t.Errorf("logged %s", line)
	}
	checkNoPersonalData(t, line)
}

func TestAdminShowsWhatIsStored(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.dial(t, Fault{Kind: KindReadLag, Duration: Duration(time.Minute)}) // does not matter here
	must(s.client(t).Update(t.Context(), withMobile(s.stands(t, "protected_registration"), newNumber)))(t)
	p := s.persons["protected_registration"]
	status, _, answer := s.admin(t, "POST", "/persons/show", `{"root":"`+p.Root+`","extension":"`+p.Extension+`"}`)
	var shown map[string]any
	if err := json.Unmarshal([]byte(answer), &shown); err != nil || status != 200 {
		t.Fatalf("status %d, error %v", status, err)
	}
	if xml, _ := shown["xml"].(string); !strings.Contains(xml, newNumber) {
		t.Error("the content in XML is another")
	}
	delete(shown, "xml")
	want := map[string]any{
		"person":  map[string]any{"root": p.Root, "extension": p.Extension},
		"version": s.stands(t, "protected_registration").Version, "deceased": false,
		"protectedPerson": false, "protectedPopulation": true, "optoutPaper": nil,
		"entries": []any{map[string]any{"type": "tel", "use": "mobile", "value": newNumber, "digitalNotification": nil}},
	}
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Error("(-want +got)\n" + diff)
	}
}

func TestAdminPutsTestPersonsBack(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.dial(t, Fault{Kind: KindReadLag, Duration: Duration(time.Minute)})
	before := map[string]personv4.Record{}
	for state := range s.persons {
		before[state] = s.stands(t, state)
		if state != "deceased" {
			if result := must(s.client(t).Update(t.Context(), withMobile(before[state], newNumber)))(t); !result.OK {
				t.Fatal(result.Code)
			}
		}
	}
	s.now.pass(366 * 24 * time.Hour) // the children of today are others than those that were seeded
	versions := map[string]string{}
	for state := range s.persons {
		versions[state] = s.stands(t, state).Version
	}
	s.answers(t, "POST", "/persons/reset", "", 200, `{"persons":24}`)
	for state := range s.persons {
		after := s.stands(t, state)
		if after.Version <= versions[state] {
			t.Errorf("%s: version %s follows %s", state, after.Version, versions[state])
		}
		if diff := cmp.Diff(contracttest.Rest(t, before[state]), contracttest.Rest(t, after)); diff != "" {
			t.Errorf("%s: (-seeded +reset)\n%s", state, diff)
		}
	}
	must(s.client(t).Update(t.Context(), withMobile(s.stands(t, "empty"), newNumber)))(t)
	s.answers(t, "POST", "/persons/reset", "", 200, `{"persons":24}`)
	if s.record(t, "empty").Version != s.stands(t, "empty").Version {
		t.Error("reads lag behind the reset")
	}
}

func TestAdminCountsCalls(t *testing.T) {
	t.Parallel()
	s := serve(t)
	none := `{"total":0,"mostInOneSecond":0,"callers":[],"operations":[]}`
	s.answers(t, "GET", "/calls", "", 200, none)
	get := func(caller string) {
		_, _ = s.Client(t, caller, address, false).Get(t.Context(), s.id(t, "empty"))
	}
	stranger := "SE2321000016-CSX1"
	get(worker)
	s.now.pass(999 * time.Millisecond)
	get(worker)
	get(stranger) // refused, and yet a call
	s.dial(t, Fault{Kind: KindReset, Count: 1})
	s.now.pass(time.Millisecond)
	get(worker) // cut off
	s.now.pass(10 * time.Second)
	_, _ = s.client(t).Update(t.Context(), withMobile(s.stands(t, "empty"), newNumber))
	s.post(t.Context(), t, s.HTTP(t, ""), "", soapHeaders())                                         // by nobody
	response := must(s.HTTP(t, worker).Get(s.URL + personv4.GetOperation(true).Path() + "?wsdl"))(t) // no call
	_, _ = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	want := `{"total":6,"mostInOneSecond":3,` +
		`"callers":[{"name":"SE2321000016-CSW1","calls":4,"mostInOneSecond":2},{"name":"SE2321000016-CSX1","calls":1,"mostInOneSecond":1}],` +
		`"operations":[{"name":"GetPersonContactInformationUnrestricted","calls":5,"mostInOneSecond":3},` +
		`{"name":"UpdatePersonContactInformationUnrestricted","calls":1,"mostInOneSecond":1}]}`
	s.answers(t, "GET", "/calls", "", 200, want)
	s.answers(t, "POST", "/calls/reset", "", 204, "")
	s.answers(t, "GET", "/calls", "", 200, none)
}
