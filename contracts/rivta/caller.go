package rivta

import (
	"errors"
	"net/http"
)

// Caller is the system that calls.
type Caller struct {
	HSAID            string // of the nearest system, from its client certificate
	OriginalConsumer string // HSA-id of the first system in a chain, as told by the nearest one; not proof of anything
	CorrelationID    string // UUID that follows a call through the chain; a fresh one when the caller gave none
}

// CallerOf tells who sent the request. The error is a *Fault: VP011 without TLS, VP002 without a verified client certificate
// that carries an HSA-id as its subject's SERIALNUMBER.
func CallerOf(r *http.Request) (Caller, error) { return Caller{}, errors.New("not built yet") }
