package mockregister

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"

	"contactsync/contracts/personv4"
)

// maxAdminBody bounds what is sent to the admin listener.
const maxAdminBody = 64 << 10

// Codes of the admin listener beside those of FieldError, each in the field "code" of a problem.
const (
	CodeMalformed     = "malformed"       // no JSON object, or more than one
	CodeTooLarge      = "too_large"       // more than 64 KiB
	CodeUnknownField  = "unknown_field"   // a field that there is not
	CodeTooManyFaults = "too_many_faults" // see ErrTooManyFaults
	CodeFaultUnknown  = "fault_unknown"   // no fault of this id
	CodePersonUnknown = "person_unknown"  // nobody of this identity
	CodeInternal      = "internal"        // the cause is in the register's log
)

// Problem is what the admin listener answers when it does not do what it was asked for (RFC 9457).
type Problem struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Code   string `json:"code"`
	Field  string `json:"field,omitempty"` // of the body that was sent
}

// FaultList is what is dialled.
type FaultList struct {
	Faults  []DialledFault `json:"faults"`
	Pending int            `json:"pending"` // calls that are still to be carried out by a fault
}

// FaultID answers a fault that was dialled.
type FaultID struct {
	ID string `json:"id"`
}

// Admin serves what is not for callers: dialled faults, counts of calls, stored records. It asks nobody who he is: give it
// a listener of its own that only those can reach who may do all this. Identities come in bodies, never in addresses.
func (r *Register) Admin() http.Handler {
	mux := http.NewServeMux()
	for pattern, serve := range map[string]func(*http.Request) (status int, body any){
		"GET /faults":         r.serveFaults,
		"POST /faults":        r.serveSetFault,
		"DELETE /faults":      r.serveClearFaults,
		"DELETE /faults/{id}": r.serveClearFault,
		"GET /calls":          func(*http.Request) (int, any) { return http.StatusOK, r.Calls() },
		"POST /calls/reset":   r.serveResetCalls,
		"POST /persons/show":  r.serveShowPerson,
		"POST /persons/reset": r.serveResetPersons,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, request *http.Request) {
			request.Body = http.MaxBytesReader(w, request.Body, maxAdminBody)
			status, body := serve(request)
			writeJSON(w, status, body)
		})
	}
	return http.NewCrossOriginProtection().Handler(mux) // no page of another site may use a visitor's browser for it
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	if body == nil {
		w.WriteHeader(status)
		return
	}
	kind := "application/json"
	if _, ok := body.(Problem); ok {
		kind = "application/problem+json"
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(body) // a client that has gone needs no answer
}

func adminProblem(status int, code, field string) (int, any) {
	return status, Problem{status, http.StatusText(status), code, field}
}

func (r *Register) serveFaults(*http.Request) (int, any) {
	faults, pending := r.faults.List()
	return http.StatusOK, FaultList{faults, pending}
}

func (r *Register) serveSetFault(request *http.Request) (int, any) {
	var fault Fault
	if status, p := readJSON(request.Body, &fault); p != nil {
		return status, p
	}
	id, err := r.faults.Set(fault)
	if wrong, ok := errors.AsType[*FieldError](err); ok {
		return adminProblem(http.StatusBadRequest, wrong.Code, wrong.Field)
	}
	if err != nil {
		return adminProblem(http.StatusConflict, CodeTooManyFaults, "")
	}
	return http.StatusCreated, FaultID{id}
}

func (r *Register) serveClearFaults(*http.Request) (int, any) {
	r.faults.ClearAll()
	return http.StatusNoContent, nil
}

func (r *Register) serveClearFault(request *http.Request) (int, any) {
	if !r.faults.Clear(request.PathValue("id")) {
		return adminProblem(http.StatusNotFound, CodeFaultUnknown, "")
	}
	return http.StatusNoContent, nil
}

func (r *Register) serveResetCalls(*http.Request) (int, any) {
	r.ResetCalls()
	return http.StatusNoContent, nil
}

// wantedPerson is the body of /persons/show.
type wantedPerson struct {
	Root      string `json:"root"`
	Extension string `json:"extension"`
}

func (r *Register) serveShowPerson(request *http.Request) (int, any) {
	var wanted wantedPerson
	if status, p := readJSON(request.Body, &wanted); p != nil {
		return status, p
	}
	switch {
	case wanted.Root == "":
		return adminProblem(http.StatusBadRequest, CodeMissing, "root")
	case wanted.Extension == "":
		return adminProblem(http.StatusBadRequest, CodeMissing, "extension")
	}
	id := personv4.ID{Root: wanted.Root, Extension: wanted.Extension}
	shown, err := r.showPerson(request.Context(), id)
	if err == nil {
		err = r.logReads(request.Context(), []accessEntry{adminEntry(classRead, id, shown != nil, "")})
	}
	switch {
	case err != nil:
		return r.internal(request, err)
	case shown == nil:
		return adminProblem(http.StatusNotFound, CodePersonUnknown, "")
	}
	return http.StatusOK, shown
}

func (r *Register) serveResetPersons(request *http.Request) (int, any) {
	reset, err := r.resetPersons(request.Context())
	if err != nil {
		return r.internal(request, err)
	}
	return http.StatusOK, ResetPersons{reset}
}

// ResetPersons tells how many persons are as they were seeded.
type ResetPersons struct {
	Persons int `json:"persons"`
}

func (r *Register) internal(request *http.Request, err error) (int, any) {
	r.log.ErrorContext(request.Context(), "register admin", "cause", causeText(err))
	return adminProblem(http.StatusInternalServerError, CodeInternal, "")
}

// readJSON reads one JSON object without fields that there are not. The second result is nil, or what is wrong.
func readJSON(body io.Reader, into any) (status int, wrong any) {
	decoder := json.NewDecoder(body)
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil {
		if _, end := decoder.Token(); errors.Is(end, io.EOF) {
			return 0, nil
		}
		return adminProblem(http.StatusBadRequest, CodeMalformed, "")
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return adminProblem(http.StatusRequestEntityTooLarge, CodeTooLarge, "")
	}
	if wrongType, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrongType.Field != "" {
		return adminProblem(http.StatusBadRequest, CodeInvalid, wrongType.Field)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return adminProblem(http.StatusBadRequest, CodeUnknownField, fieldName(name))
	}
	return adminProblem(http.StatusBadRequest, CodeMalformed, "")
}

var fieldText = regexp.MustCompile(`^"([A-Za-z]{1,40})"$`)

// fieldName is the name of a field if it looks like one: anything may stand where a name belongs.
func fieldName(quoted string) string {
	if match := fieldText.FindStringSubmatch(quoted); match != nil {
		return match[1]
	}
	return ""
}
