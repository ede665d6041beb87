package rivta

import (
	"context"
	"net/http"
	"time"
)

// Authorizer decides whether a caller may use an operation at a logical address: nil when it may, NotAllowed when it may
// not. Any other error becomes a Server fault.
type Authorizer interface {
	Authorize(ctx context.Context, caller Caller, op Operation, logicalAddress string) error
}

// Exchange tells what came of one call, for a log line or a metric. It holds no personal data, save perhaps in Cause.
type Exchange struct {
	Operation Operation
	Caller    Caller // zero fields when the call was refused before they were known
	Outcome   string // what Reply.Outcome said; empty when the call ended in a fault
	Fault     *Fault // nil when the call was answered
	Cause     error  // what lies behind a Server fault; never sent
	Duration  time.Duration
}

// Reply answers a call.
type Reply struct {
	Body    Element
	Outcome string // short stable word for Exchange, such as "ok"
}

// Endpoint serves one operation.
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
	NewLogID func() string                   // nil: random UUIDs
}

// ServeHTTP implements http.Handler.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {}
