package rivta

import (
	"context"
	"crypto/x509"
	"encoding/asn1"
	"net/http"
	"regexp"

	"github.com/google/uuid"
)

// HTTP headers of the service platform.
const (
	correlationHeader      = "x-skltp-correlation-id"
	originalConsumerHeader = "x-rivta-original-serviceconsumer-hsaid"
)

// Caller is the system that calls.
type Caller struct {
	HSAID            string // of the nearest system, from its client certificate
	OriginalConsumer string // HSA-id of the first system in a chain, as told by the nearest one: no proof of anything
	CorrelationID    string // UUID that follows a call through the chain; a fresh one when the caller gave none
}

// hsaIDText is the form of an HSA-id. Test systems have other letters than SE before the digits. It keeps out personal
// identity numbers, which certificates of people carry in the same place.
var hsaIDText = regexp.MustCompile(`^[A-Z]{2,8}[0-9]{10,12}-[A-Za-z0-9]{1,20}$`)

// CallerOf tells who sent the request. The error is a *Fault: VP011 without TLS, VP002 without a verified client certificate
// that carries one HSA-id as its subject's SERIALNUMBER. What the headers say is taken only in its proper form, since callers
// are logged.
func CallerOf(r *http.Request) (Caller, error) {
	if r.TLS == nil {
		return Caller{}, clientFault("VP011", "the call was made without TLS")
	}
	hsaID := ""
	if len(r.TLS.VerifiedChains) > 0 {
		hsaID = serialNumber(r.TLS.VerifiedChains[0][0])
	}
	if !hsaIDText.MatchString(hsaID) {
		return Caller{}, clientFault("VP002", "the client certificate does not tell an HSA-id in SERIALNUMBER")
	}
	caller := Caller{HSAID: hsaID, CorrelationID: r.Header.Get(correlationHeader)}
	if _, err := uuid.Parse(caller.CorrelationID); err != nil {
		caller.CorrelationID = uuid.NewString()
	}
	if original := r.Header.Get(originalConsumerHeader); hsaIDText.MatchString(original) {
		caller.OriginalConsumer = original
	}
	return caller, nil
}

// serialNumber returns the subject's SERIALNUMBER, or "" when there is not exactly one.
func serialNumber(cert *x509.Certificate) string {
	found, times := "", 0
	for _, name := range cert.Subject.Names {
		if name.Type.Equal(asn1.ObjectIdentifier{2, 5, 4, 5}) {
			found, _ = name.Value.(string)
			times++
		}
	}
	if times != 1 {
		return ""
	}
	return found
}

type correlationKey struct{}

// WithCorrelationID makes calls under the context carry the id, a UUID, so that one event can be followed from system to
// system. Without it each call gets its own.
func WithCorrelationID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, correlationKey{}, id)
}

// CorrelationID is that of the context, or a fresh one.
func CorrelationID(ctx context.Context) string {
	if id, ok := ctx.Value(correlationKey{}).(string); ok {
		return id
	}
	return uuid.NewString()
}
