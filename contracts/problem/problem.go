// Package problem is how our HTTP contracts say no: application/problem+json (RFC 9457), as the Swedish REST profile asks
// (FEL.01, FEL.02).
//
// A Problem is an error: whoever judges returns it, one place writes it. Its code is for programs and never changes its
// meaning; its detail is for people. Neither quotes what a caller sent. SOAP contracts have faults instead: see rivta.
package problem

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// ContentType is the media type of a problem.
const ContentType = "application/problem+json"

// typePrefix begins every type: the code follows. A URN, as it names and is not to be fetched.
const typePrefix = "urn:contactsync:problem:"

// Problem is why a request was not carried out.
type Problem struct {
	Type     string `json:"type"` // typePrefix and Code
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail,omitempty"`
	Instance string `json:"instance,omitempty"` // urn:uuid: and the id under which the service logged what happened
	Code     string `json:"code"`
	// InvalidParameters names what is wrong in the request. More may be wrong than is named.
	InvalidParameters []InvalidParameter `json:"invalid-parameters,omitempty"`

	RetryAfter time.Duration `json:"-"` // sent as the header of that name; 0: not told
	Allow      string        `json:"-"` // of a 405: the methods there are
	Cause      error         `json:"-"` // what lies behind it, for the log; never sent
}

// InvalidParameter is a part of the request that cannot be as it is. The profile's "value" is left out: it may be personal.
type InvalidParameter struct {
	Property string `json:"property"` // such as persons[3].root, or the name of a header or query parameter
	Reason   string `json:"reason"`   // a short stable word, such as missing
}

// New is a problem of that code.
func New(status int, code, detail string) *Problem {
	return &Problem{Type: typePrefix + code, Title: http.StatusText(status), Status: status, Detail: detail, Code: code}
}

// Invalid is a 400 about one part of the request.
func Invalid(code, property, reason string) *Problem {
	p := New(http.StatusBadRequest, code, "The request is not as the contract says.")
	p.InvalidParameters = []InvalidParameter{{property, reason}}
	return p
}

// Error implements error. The detail is left out: a service that is not ours may not keep personal data out of it.
func (p *Problem) Error() string { return fmt.Sprintf("problem %s (HTTP %d)", p.Code, p.Status) }

// Unwrap gives the cause.
func (p *Problem) Unwrap() error { return p.Cause }

// Write answers with the problem.
func (p *Problem) Write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", ContentType)
	h.Set("Cache-Control", "no-store")
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int((p.RetryAfter+time.Second-1)/time.Second)))
	}
	if p.Allow != "" {
		h.Set("Allow", p.Allow)
	}
	w.WriteHeader(p.Status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(p) // a client that has gone needs no answer
}

// maxProblem bounds what a client reads of one.
const maxProblem = 1 << 20

// codeText is what a code looks like. It is part of Error, so that none may say anything else.
var codeText = regexp.MustCompile(`^[a-z_]{1,64}$`)

// Read returns the problem that an answer holds; nil if it holds none. Members that are not known are ignored.
func Read(response *http.Response) *Problem {
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if kind != ContentType {
		return nil
	}
	var p Problem
	if json.NewDecoder(io.LimitReader(response.Body, maxProblem)).Decode(&p) != nil || !codeText.MatchString(p.Code) {
		return nil
	}
	p.Status = response.StatusCode
	if seconds, err := strconv.ParseInt(response.Header.Get("Retry-After"), 10, 32); err == nil {
		p.RetryAfter = time.Duration(max(seconds, 0)) * time.Second
	}
	return &p
}
