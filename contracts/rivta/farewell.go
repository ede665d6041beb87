package rivta

import (
	"fmt"
	"net/http"
)

// announce tells in HTTP headers that the contract has an end, when, and what comes after it (RFC 9745, RFC 8594, RFC 5829).
func (e *Endpoint) announce(header http.Header) {
	l := e.Lifecycle
	if !l.Deprecated.IsZero() {
		header.Set("Deprecation", fmt.Sprintf("@%d", l.Deprecated.Unix()))
	}
	if !l.Sunset.IsZero() {
		header.Set("Sunset", l.Sunset.UTC().Format(http.TimeFormat))
	}
	if l.Successor != 0 {
		header.Set("Link", fmt.Sprintf(`<%s>; rel="successor-version"`, e.successor().Path()))
	}
}

func (e *Endpoint) successor() Operation {
	op := e.Operation
	op.Major = e.Lifecycle.Successor
	return op
}

// farewell is the text of the fault for a contract that is switched off: to its callers the platform's VP004, as when a
// contract is taken out of its routes.
func (e *Endpoint) farewell() string {
	text := e.Operation.Contract().String() + " is no longer served"
	if e.Lifecycle.Successor == 0 {
		return text
	}
	next := e.successor()
	return fmt.Sprintf("%s: its successor is %s, at %s", text, next.Contract(), next.Path())
}
