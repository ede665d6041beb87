package contactsv1

import (
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"contactsync/contracts/problem"
	"contactsync/contracts/rivta"
)

//go:embed openapi.yaml
var openAPI []byte

// OpenAPI is the contract as a document (OpenAPI 3.1).
func OpenAPI() []byte { return openAPI }

const (
	correlationHeader = "x-skltp-correlation-id"

	jsonType  = "application/json"
	mergeType = "application/merge-patch+json" // RFC 7396

	// maxDrained bounds how much of a body that is too large is read and thrown away, so that the caller gets to see why.
	maxDrained = 16 << 20

	// answerTimeout is how long a caller may take to read an answer.
	answerTimeout = 30 * time.Second
)

// NewHandler serves the contract at Path. Serve it with mutual TLS: the client certificate tells who calls.
func NewHandler(service Service, config HandlerConfig) http.Handler {
	if config.NewLogID == nil {
		config.NewLogID = uuid.NewString
	}
	return &handler{config, server{service}}
}

type handler struct {
	config HandlerConfig
	server server
}

// reply is an answer that is no problem.
type reply struct {
	body   any
	header map[string]string
	status int // 0: 200
}

// request is a call on its way.
type request struct {
	*http.Request
	call Call
	ref  string // of the record in the address
}

// route is one operation.
type route struct {
	operation string
	write     bool
	media     string // of the body; empty: none
	serve     func(*request, []byte) (reply, error)
}

// routes of a path below Path, by method; nil for a path that there is not.
func (h *handler) routes(path string) (routes map[string]route, ref string) {
	if ref, ok := strings.CutPrefix(path, "/contacts/"); ok {
		switch ref {
		case "lookup":
			return map[string]route{http.MethodPost: {OperationLookup, false, jsonType, h.server.lookup}}, ""
		case "changed-since":
			return map[string]route{http.MethodPost: {OperationChangedSince, false, jsonType, h.server.changedSince}}, ""
		}
		return map[string]route{
			http.MethodGet:   {OperationRead, false, "", h.server.read},
			http.MethodPut:   {OperationWrite, true, jsonType, h.server.put},
			http.MethodPatch: {OperationWrite, true, mergeType, h.server.patch},
		}, ref
	}
	if path == "/changes" {
		return map[string]route{
			http.MethodPost: {OperationChange, true, jsonType, h.server.change},
			http.MethodGet:  {OperationChanges, false, "", h.server.changes},
		}, ""
	}
	return nil, ""
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, Path)
	if path == "/openapi.yaml" || path == "/api-info" {
		h.serveDocument(w, r, path)
		return
	}
	begun := time.Now()
	routes, ref := h.routes(path)
	route, known := routes[r.Method]
	if !known {
		h.problemOf(unrouted(routes)).Write(w)
		return
	}
	x := Exchange{Operation: route.operation}
	answer, err := h.answer(r, route, ref, &x.Caller)
	if x.Caller.CorrelationID != "" {
		w.Header().Set(correlationHeader, x.Caller.CorrelationID)
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTimeout)) // not supported: by tests only
	if err != nil {
		p := h.problemOf(err)
		x.Status, x.Code, x.LogID, x.Cause = p.Status, p.Code, strings.TrimPrefix(p.Instance, "urn:uuid:"), p.Cause
		p.Write(w)
	} else {
		x.Status = answer.write(w)
	}
	x.Duration = time.Since(begun)
	if h.config.Observe != nil {
		h.config.Observe(r.Context(), x)
	}
}

// unrouted is the problem of an address or method that there is not.
func unrouted(routes map[string]route) *problem.Problem {
	if routes == nil {
		return problem.New(http.StatusNotFound, CodeNotFound, "Nothing is at this address: see "+Path+"/openapi.yaml.")
	}
	p := problem.New(http.StatusMethodNotAllowed, CodeMethodNotAllowed, "The address does not take this method.")
	p.Allow = methods(routes)
	return p
}

func methods(routes map[string]route) string {
	var all []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch} {
		if _, ok := routes[method]; ok {
			all = append(all, method)
		}
	}
	return strings.Join(all, ", ")
}

// answer judges the call from the outside in, and has it carried out.
func (h *handler) answer(r *http.Request, route route, ref string, caller *rivta.Caller) (reply, error) {
	var err error
	*caller, err = rivta.CallerOf(r)
	if h.config.Begun != nil {
		h.config.Begun(*caller, route.operation)
	}
	if err != nil {
		p := problem.New(http.StatusUnauthorized, CodeCallerUnidentified, "The client certificate does not tell one HSA-id in SERIALNUMBER.")
		return reply{}, p
	}
	rights, err := h.config.Rights(r.Context(), *caller, route.operation)
	if err != nil {
		return reply{}, rightsUnknown(err)
	}
	if allowed := rights.Read && !route.write || rights.Write && route.write; !allowed {
		return reply{}, problem.New(http.StatusForbidden, CodeNotAllowed, "The calling system may not use this operation.")
	}
	var body []byte
	if route.media != "" {
		if body, err = readBody(r, route.media); err != nil {
			return reply{}, err
		}
	}
	call := Call{Operation: route.operation, Caller: *caller, Unrestricted: rights.Unrestricted}
	return route.serve(&request{Request: r, call: call, ref: ref}, body)
}

// rightsRetry is when a caller whose rights nobody can tell now should ask again.
const rightsRetry = time.Second

// rightsUnknown is a 503 and no 500: the request is as good as it was, and nothing of it has been carried out.
func rightsUnknown(cause error) *problem.Problem {
	p := problem.New(http.StatusServiceUnavailable, CodeUnavailable, "The register cannot tell now what the calling system may do. Ask again.")
	p.RetryAfter, p.Cause = rightsRetry, cause
	return p
}

func readBody(r *http.Request, media string) ([]byte, error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := params["charset"]
	if err != nil || kind != media || charset != "" && !strings.EqualFold(charset, "utf-8") || r.Header.Get("Content-Encoding") != "" {
		return nil, problem.New(http.StatusUnsupportedMediaType, CodeUnsupportedMediaType, "The body must be "+media+" in UTF-8, not compressed.")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxBody+1))
	if network, ok := errors.AsType[net.Error](err); ok && network.Timeout() {
		return nil, problem.New(http.StatusRequestTimeout, CodeTimeout, "The body did not come in time.")
	}
	if err != nil {
		return nil, malformed("The body broke off.")
	}
	if len(body) > MaxBody {
		_, _ = io.CopyN(io.Discard, r.Body, maxDrained)
		return nil, problem.New(http.StatusRequestEntityTooLarge, CodeTooLarge, "The body is larger than 1 MiB.")
	}
	return body, nil
}

// problemOf turns an error into what is sent; what stays here is its cause.
func (h *handler) problemOf(err error) *problem.Problem {
	var p *problem.Problem
	if given, ok := errors.AsType[*problem.Problem](err); ok {
		copied := *given
		p = &copied
	} else if fault, ok := errors.AsType[*rivta.Fault](err); ok && fault.Code != rivta.FaultServer {
		p = problem.New(http.StatusBadRequest, CodeRefused, "The register refuses the request.")
		p.Cause = errors.New(fault.String) // ours, and stable
	} else {
		p = problem.New(http.StatusInternalServerError, CodeInternal, "Something went wrong in the register. It can be found by the instance.")
		p.Cause = err
	}
	if p.Instance == "" {
		p.Instance = "urn:uuid:" + h.config.NewLogID()
	}
	return p
}

func (a reply) write(w http.ResponseWriter) (status int) {
	status = http.StatusOK
	if a.status != 0 {
		status = a.status
	}
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	w.Header().Set("Cache-Control", "no-store")
	if a.body == nil {
		w.WriteHeader(status)
		return status
	}
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(status)
	if bulk, ok := a.body.(changeAnswer); ok {
		_, _ = w.Write(bulk.encode())
		return status
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(a.body) // a caller that has gone needs no answer
	return status
}

// apiInfo is what the profile wants at the root of an API (VER.06).
type apiInfo struct {
	Name          string `json:"apiName"`
	Version       string `json:"apiVersion"`
	Released      string `json:"apiReleased"`
	Documentation string `json:"apiDocumentation"`
	Status        string `json:"apiStatus"`
}

// serveDocument serves what any verified certificate may read.
func (h *handler) serveDocument(w http.ResponseWriter, r *http.Request, path string) {
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		p := problem.New(http.StatusMethodNotAllowed, CodeMethodNotAllowed, "The address does not take this method.")
		p.Allow = "GET, HEAD"
		h.problemOf(p).Write(w)
	case r.TLS == nil || len(r.TLS.VerifiedChains) == 0:
		h.problemOf(problem.New(http.StatusUnauthorized, CodeCallerUnidentified, "A client certificate is needed.")).Write(w)
	case path == "/openapi.yaml":
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write(openAPI)
	default:
		info := apiInfo{"contact-register", version(), "2026-11-25", Path + "/openapi.yaml", "active"}
		reply{body: info}.write(w)
	}
}

var documentVersion = regexp.MustCompile(`(?m)^  version: ([0-9.]+)$`)

// version is that of the document.
func version() string {
	match := documentVersion.FindSubmatch(openAPI)
	if match == nil {
		return "1"
	}
	return string(match[1])
}

// server turns requests into calls of the service.
type server struct{ service Service }

func (s server) lookup(r *request, body []byte) (reply, error) {
	persons, wrong := decodeLookup(body)
	if wrong != nil {
		return reply{}, wrong
	}
	contacts, err := s.service.Lookup(r.Context(), r.call, persons)
	return reply{body: map[string][]Contact{"contacts": contacts}}, err
}

func (s server) changedSince(r *request, body []byte) (reply, error) {
	held, wrong := decodeHeld(body)
	if wrong != nil {
		return reply{}, wrong
	}
	newer, err := s.service.ChangedSince(r.Context(), r.call, held)
	if newer == nil {
		newer = []Newer{}
	}
	return reply{body: map[string][]Newer{"changed": newer}}, err
}

func (s server) read(r *request, _ []byte) (reply, error) {
	contact, err := s.service.Read(r.Context(), r.call, r.ref)
	if err != nil {
		return reply{}, err
	}
	tag := map[string]string{"ETag": etag(contact.Version)}
	if strings.TrimSpace(r.Header.Get("If-None-Match")) == tag["ETag"] {
		return reply{status: http.StatusNotModified, header: tag}, nil
	}
	return reply{body: contact, header: tag}, nil
}

func (s server) put(r *request, body []byte) (reply, error)   { return s.write(r, body, true) }
func (s server) patch(r *request, body []byte) (reply, error) { return s.write(r, body, false) }

func (s server) write(r *request, body []byte, whole bool) (reply, error) {
	version, wrong := ifMatch(r.Header)
	if wrong != nil {
		return reply{}, wrong
	}
	w, wrong := decodeWrite(body, whole)
	if wrong != nil {
		return reply{}, wrong
	}
	w.Version = version
	written, err := s.service.Write(r.Context(), r.call, r.ref, w)
	if err != nil {
		return reply{}, err
	}
	return reply{body: written, header: map[string]string{"ETag": etag(written.Version)}}, nil
}

func etag(version string) string { return strconv.Quote(version) }

var etagText = regexp.MustCompile(`^"([0-9]{14})"$`)

// ifMatch reads the version that a write is about. "*" and lists are refused: a write that does not know what it changes
// would undo what others wrote.
func ifMatch(header http.Header) (version string, wrong *problem.Problem) {
	values := header.Values("If-Match")
	if len(values) == 0 {
		return "", problem.New(http.StatusPreconditionRequired, CodeIfMatchMissing, "Give the version that you have read as If-Match.")
	}
	match := etagText.FindStringSubmatch(values[0])
	if len(values) > 1 || match == nil {
		return "", problem.Invalid(CodeIfMatchMalformed, "If-Match", "form")
	}
	return match[1], nil
}

var keyText = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

func (s server) change(r *request, body []byte) (reply, error) {
	keys := r.Header.Values("Idempotency-Key")
	if len(keys) == 0 {
		return reply{}, problem.Invalid(CodeIdempotencyKeyMissing, "Idempotency-Key", "missing")
	}
	if len(keys) > 1 || !keyText.MatchString(keys[0]) {
		return reply{}, problem.Invalid(CodeIdempotencyKeyMalformed, "Idempotency-Key", "form")
	}
	items, wrong := decodeChanges(body)
	if wrong != nil {
		return reply{}, wrong
	}
	bulk := Bulk{Key: strings.ToLower(keys[0]), Digest: sha256.Sum256(body), Items: items}
	answer, err := s.service.Change(r.Context(), r.call, bulk)
	if err != nil {
		return reply{}, err
	}
	out := reply{body: changeAnswer{answer.Outcomes}}
	if answer.Replayed {
		out.header = map[string]string{"Idempotency-Replayed": "true"}
	}
	return out, nil
}

func (s server) changes(r *request, _ []byte) (reply, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil { // a cursor that cannot be read must not begin the feed anew
		return reply{}, problem.Invalid(CodeInvalid, "query", "form")
	}
	from, wrong := readFrom(query)
	if wrong != nil {
		return reply{}, wrong
	}
	page, err := s.service.Changes(r.Context(), r.call, from)
	if page.Signals == nil {
		page.Signals = []Signal{}
	}
	return reply{body: page}, err
}

// readFrom reads the query of the feed.
func readFrom(query url.Values) (From, *problem.Problem) {
	from := From{Limit: 100, Wait: DefaultWait}
	var c checks
	for name, values := range query {
		known := name == "cursor" || name == "limit" || name == "wait"
		if !known {
			name = "query"
		}
		c.must(known, "unknown_parameter", "%s", name)
		c.must(len(values) == 1, "repeated", "%s", name)
	}
	number := func(name string, least, most, otherwise int) int {
		if !query.Has(name) {
			return otherwise
		}
		n, err := strconv.Atoi(query.Get(name))
		c.must(err == nil && n >= least && n <= most, "value", "%s", name)
		return n
	}
	from.Limit = number("limit", 1, MaxItems, 100)
	from.Wait = time.Duration(number("wait", int(MinWait/time.Second), int(MaxWait/time.Second), int(DefaultWait/time.Second))) * time.Second
	from.Cursor = query.Get("cursor")
	if p := c.problem(); p != nil {
		return from, p
	}
	if query.Has("cursor") && from.Cursor == "" {
		return from, CursorMalformed()
	}
	return from, nil
}

// CursorMalformed is the problem of a cursor that this register never gave.
func CursorMalformed() *problem.Problem {
	return problem.Invalid(CodeCursorMalformed, "cursor", "form")
}

// CursorExpired is the problem of a cursor whose place is no longer kept.
func CursorExpired() *problem.Problem {
	return problem.New(http.StatusGone, CodeCursorExpired, "What came after this cursor is no longer kept. Compare what you hold, and begin anew.")
}
