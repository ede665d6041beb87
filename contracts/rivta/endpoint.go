package rivta

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"contactsync/contracts"
)

// maxDrained bounds how much of an oversized request is read and thrown away, so that the caller gets to see the fault
// instead of a broken connection.
const maxDrained = 16 << 20

// Authorizer decides whether a caller may use an operation at a logical address: nil when it may, NotAllowed when it may
// not. Any other error becomes a Server fault.
type Authorizer interface {
	Authorize(ctx context.Context, caller Caller, op Operation, logicalAddress string) error
}

// Exchange tells what came of one call, for a log line or a metric. It holds no personal data, save perhaps in Cause.
type Exchange struct {
	Operation Operation
	Caller    Caller // without HSAID when the call was refused before the caller was known
	Outcome   string // what Reply.Outcome said; empty when the call ended in a fault
	Fault     *Fault // nil when the call was answered
	Cause     error  // what lies behind a Server fault; never sent
	Duration  time.Duration
}

// Reply answers a call.
type Reply struct {
	Body    []byte // an element as Append writes it
	Outcome string // short stable word for Exchange, such as "ok"
}

// Endpoint serves one operation: calls by POST, the WSDL by GET with ?wsdl in any case, its schemas with ?xsd=NAME. In which
// order it judges a call, and by which fault it refuses, stands in contracts/README.md.
type Endpoint struct {
	Operation      Operation
	LogicalAddress string
	Authorizer     Authorizer
	// Answer carries out the call. A *Fault is sent as it is, any other error as a Server fault without its text.
	Answer func(context.Context, Caller, Element) (Reply, error)
	// Document gives the WSDL for name "" and schemas by their file name; address turns a file name into its URL and "" into
	// the endpoint's own. False when there is no such document.
	Document func(name string, address func(name string) string) ([]byte, bool)
	Observe  func(context.Context, Exchange) // nil: nobody is told
	// Lifecycle is told to callers in every answer once the contract has an end. Off answers that it has come.
	Lifecycle contracts.Lifecycle
	Off       bool
	// Refused is told of a call that the Authorizer refused, with the body that nobody has judged yet, before the refusal is sent; nil:
	// nobody is told. An error of its own is sent instead.
	Refused  func(context.Context, Caller, Operation, Element, *Fault) error
	NewLogID func() string // nil: random UUIDs
}

// NewHandler serves the endpoints and their WSDLs at their paths, and names the paths at all others. Serve it with mutual TLS.
func NewHandler(endpoints ...*Endpoint) http.Handler {
	mux := http.NewServeMux()
	nothing := "No service contract is at this address. Here they are, each with its WSDL at ?wsdl:"
	for _, e := range endpoints {
		mux.Handle(e.Operation.Path(), e)
		nothing += "\n" + e.Operation.Path()
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, nothing, http.StatusNotFound) })
	return mux
}

// ServeHTTP implements http.Handler.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.announce(w.Header())
	switch r.Method {
	case http.MethodPost:
		e.serveCall(w, r)
	case http.MethodGet, http.MethodHead:
		e.serveDocument(w, r)
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "SOAP calls are made by POST", http.StatusMethodNotAllowed)
	}
}

func (e *Endpoint) serveCall(w http.ResponseWriter, r *http.Request) {
	begun := time.Now()
	exchange := Exchange{Operation: e.Operation}
	reply, err := e.call(r, &exchange.Caller)
	status, body := http.StatusOK, reply.Body
	if err != nil {
		exchange.Fault, exchange.Cause = e.faultFor(err)
		status, body = http.StatusInternalServerError, exchange.Fault.append(nil)
	} else {
		exchange.Outcome = reply.Outcome
	}
	text := envelope(body)
	exchange.Caller.Tell(w.Header())
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write(text) // a caller that has gone needs no answer
	exchange.Duration = time.Since(begun)
	if e.Observe != nil {
		e.Observe(r.Context(), exchange)
	}
}

// faultFor turns an error into what is sent and what stays here.
func (e *Endpoint) faultFor(err error) (sent *Fault, cause error) {
	if fault, ok := errors.AsType[*Fault](err); ok {
		copied := *fault
		sent = &copied
	} else {
		sent, cause = &Fault{Code: FaultServer, String: "technical error"}, err
	}
	if sent.LogID == "" {
		sent.LogID = e.newLogID()
	}
	return sent, cause
}

func (e *Endpoint) newLogID() string {
	if e.NewLogID != nil {
		return e.NewLogID()
	}
	return uuid.NewString()
}

// call judges the request from the outside in, and has it answered.
func (e *Endpoint) call(r *http.Request, caller *Caller) (reply Reply, err error) {
	if *caller, err = CallerOf(r); err != nil {
		return Reply{}, err
	}
	message, err := readMessage(r)
	if err != nil {
		return Reply{}, err
	}
	if err := e.route(r.Header, message); err != nil {
		return Reply{}, err
	}
	if err := e.Authorizer.Authorize(r.Context(), *caller, e.Operation, e.LogicalAddress); err != nil {
		return Reply{}, e.refused(r.Context(), *caller, message.body, err)
	}
	return e.Answer(caller.Onward(r.Context()), *caller, message.body)
}

// refused returns what is sent to a caller that was not let in.
func (e *Endpoint) refused(ctx context.Context, caller Caller, body Element, err error) error {
	if fault, ok := errors.AsType[*Fault](err); ok && e.Refused != nil {
		if fault := e.Refused(ctx, caller, e.Operation, body, fault); fault != nil {
			return fault
		}
	}
	return err
}

func readMessage(r *http.Request) (message, error) {
	if !isUTF8(r.Header.Get("Content-Type")) {
		return message{}, clientFault("VP015", "the message is not in UTF-8")
	}
	root, err := parseSaid(r.Body, r.ContentLength, Limits{})
	if errors.Is(err, ErrTooLarge) {
		_, _ = io.CopyN(io.Discard, r.Body, maxDrained)
	}
	if err != nil {
		return message{}, clientFault("VP015", err.Error())
	}
	m, err := openEnvelope(root)
	if err != nil {
		return message{}, clientFault("VP015", err.Error())
	}
	return m, nil
}

// isUTF8 tells whether a message of this type is in UTF-8, or does not say.
func isUTF8(declared string) bool {
	if declared == contentType {
		return true
	}
	_, params, _ := mime.ParseMediaType(declared)
	charset := params["charset"]
	return charset == "" || strings.EqualFold(charset, "utf-8")
}

// route checks that the message is meant for this operation and this organisation.
func (e *Endpoint) route(header http.Header, m message) error {
	actions := header.Values(actionHeader)
	address, times := m.logicalAddress()
	switch {
	case m.demandsUnknown():
		return &Fault{Code: FaultMustUnderstand, String: "a SOAP header that must be understood is not known here"}
	case len(actions) > 1:
		return clientFault("VP015", "SOAPAction is given twice")
	case times > 1:
		return clientFault("VP015", "LogicalAddress is given twice")
	case m.body.Name != e.Operation.Request():
		return clientFault("", "the body is of another operation")
	case len(actions) == 1 && !e.accepts(actions[0]):
		return clientFault("", "SOAPAction is of another operation")
	case address == "":
		return clientFault("VP003", "LogicalAddress is missing or empty")
	case address != e.LogicalAddress:
		return clientFault("VP004", "no service at this LogicalAddress")
	case e.Off:
		return clientFault("VP004", e.farewell())
	}
	return nil
}

// accepts judges SOAPAction. An empty one leaves the choice to the address (SOAP 1.1 §6.1.1); some stacks leave out quotes.
func (e *Endpoint) accepts(action string) bool {
	action = strings.Trim(action, `"`)
	return action == "" || action == e.Operation.SOAPAction()
}

func (e *Endpoint) serveDocument(w http.ResponseWriter, r *http.Request) {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		http.Error(w, "a client certificate is needed", http.StatusForbidden)
		return
	}
	if e.Off {
		http.Error(w, e.farewell(), http.StatusGone)
		return
	}
	name, asked := documentIn(r.URL.Query())
	if !asked {
		w.Header().Set("Allow", "POST")
		http.Error(w, "This is "+e.Operation.Name+" "+strconv.Itoa(e.Operation.Major)+
			". Calls are SOAP 1.1, made by POST; the WSDL is at ?wsdl of this address.", http.StatusMethodNotAllowed)
		return
	}
	text, ok := e.Document(name, func(name string) string { return e.address(r, name) })
	if !ok {
		http.Error(w, "There is no such document: begin with ?wsdl.", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(text)
}

// documentIn tells which document is asked for, "" being the WSDL. Tools write ?wsdl and ?WSDL.
func documentIn(query url.Values) (name string, asked bool) {
	for key, values := range query {
		switch strings.ToLower(key) {
		case "xsd":
			return values[0], true
		case "wsdl":
			asked = true
		}
	}
	return "", asked
}

// address is where the caller finds a document, by the name it used for us.
func (e *Endpoint) address(r *http.Request, name string) string {
	u := url.URL{Scheme: "https", Host: r.Host, Path: e.Operation.Path()}
	if name != "" {
		u.RawQuery = url.Values{"xsd": {name}}.Encode()
	}
	return u.String()
}
