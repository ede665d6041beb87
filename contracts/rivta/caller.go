package rivta

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/asn1"
	"net/http"
	"regexp"

	"github.com/google/uuid"
)

// HTTP headers of the service platform, spelled as net/http keeps them.
const (
	correlationHeader      = "X-Skltp-Correlation-Id"
	originalConsumerHeader = "X-Rivta-Original-Serviceconsumer-Hsaid"
)

// Caller is the system that calls.
type Caller struct {
	HSAID            string // of the nearest system, from its client certificate
	OriginalConsumer string // HSA-id of the first system in a chain, as told by the nearest one: no proof of anything, and it gives no right
	CorrelationID    string // UUID that follows a call through the chain; a fresh one when the caller gave none
}

// hsaIDText is the form of an HSA-id. Test systems have other letters than SE before the digits. It keeps out personal
// identity numbers, which certificates of people carry in the same place.
var hsaIDText = regexp.MustCompile(`^[A-Z]{2,8}[0-9]{10,12}-[A-Za-z0-9]{1,20}$`)

// IsHSAID tells whether a text has the form of an HSA-id, by which systems and organisations are named.
func IsHSAID(text string) bool { return hsaIDText.MatchString(text) }

// CallerOf tells who sent the request. The error is a *Fault: VP011 without TLS, VP002 without a verified client certificate
// that carries one HSA-id as its subject's SERIALNUMBER; the caller has no HSAID then. What the headers say is taken only in
// its proper form, since callers are logged.
func CallerOf(r *http.Request) (Caller, error) {
	caller := Caller{CorrelationID: r.Header.Get(correlationHeader)}
	if !isUUID(caller.CorrelationID) {
		caller.CorrelationID = uuid.NewString()
	}
	if original := r.Header.Get(originalConsumerHeader); IsHSAID(original) {
		caller.OriginalConsumer = original
	}
	if r.TLS == nil {
		return caller, clientFault("VP011", "the call was made without TLS")
	}
	hsaID := ""
	if len(r.TLS.VerifiedChains) > 0 {
		hsaID = serialNumber(r.TLS.VerifiedChains[0][0])
	}
	if !IsHSAID(hsaID) {
		return caller, clientFault("VP002", "the client certificate does not tell an HSA-id in SERIALNUMBER")
	}
	caller.HSAID = hsaID
	return caller, nil
}

// isUUID takes the one usual form. uuid.Validate alone takes others too, and of one in braces it does not look at the braces: any two bytes
// could stand there.
func isUUID(text string) bool { return len(text) == 36 && uuid.Validate(text) == nil }

// Tell sends the headers by which the caller follows its call along with an answer; call it before the answer's status is
// written. The original consumer is told only where one was named.
func (c Caller) Tell(answer http.Header) {
	answer.Set(correlationHeader, c.CorrelationID)
	if c.OriginalConsumer != "" {
		answer.Set(originalConsumerHeader, c.OriginalConsumer)
	}
}

// Onward makes calls under the context part of the caller's: they carry the same correlation id, and name as original consumer
// the one that was named here, or else the caller.
func (c Caller) Onward(ctx context.Context) context.Context {
	return WithOriginalConsumer(WithCorrelationID(ctx, c.CorrelationID), cmp.Or(c.OriginalConsumer, c.HSAID))
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

type originalConsumerKey struct{}

// WithOriginalConsumer makes calls under the context name the system, by its HSA-id, for which they are made in the end.
// Without it, or with an empty one, they name nobody: then the caller is the first itself.
func WithOriginalConsumer(ctx context.Context, hsaID string) context.Context {
	return context.WithValue(ctx, originalConsumerKey{}, hsaID)
}

func originalConsumer(ctx context.Context) string {
	hsaID, _ := ctx.Value(originalConsumerKey{}).(string)
	return hsaID
}
