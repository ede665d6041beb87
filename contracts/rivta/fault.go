package rivta

import "fmt"

// FaultCode says who must change something before the same call can succeed.
type FaultCode string

// The fault codes of SOAP 1.1. A fault read with a code that is none of these counts as FaultServer.
const (
	FaultClient          FaultCode = "Client"          // the caller: the same message will be refused again
	FaultServer          FaultCode = "Server"          // the service: the same message may succeed later
	FaultMustUnderstand  FaultCode = "MustUnderstand"  // the caller demanded a header that we do not know
	FaultVersionMismatch FaultCode = "VersionMismatch" // not SOAP 1.1
)

// Fault is a SOAP fault: the call was not carried out, or not as far as the service knows. It travels as HTTP 500 whatever
// its code, and never holds personal data. Look at VP before Code: the platform answers a caller without permission (VP007)
// with FaultServer.
type Fault struct {
	Code   FaultCode
	VP     string // error code of the service platform, such as "VP007"; empty for all other faults
	String string // stable text for people; no personal data
	LogID  string // UUID under which the service logged what happened; empty when it gave none
}

// Error implements error.
func (f *Fault) Error() string {
	text := f.String
	if f.VP != "" {
		text = f.VP + " " + text
	}
	return fmt.Sprintf("fault %s: %s (log-id %s)", f.Code, text, f.LogID)
}

// NotAllowed is the fault for a caller without permission for a contract and logical address.
func NotAllowed(hsaID string) *Fault {
	return &Fault{Code: FaultServer, VP: "VP007", String: "Obehörigt anrop för system " + hsaID}
}
