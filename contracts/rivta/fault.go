package rivta

import (
	"encoding/xml"
	"fmt"
	"regexp"
	"strings"
)

// FaultCode says who must change something before the same call can succeed.
type FaultCode string

// The fault codes of SOAP 1.1 that we send and tell apart.
const (
	FaultClient         FaultCode = "Client"         // the caller: the same message will be refused again
	FaultServer         FaultCode = "Server"         // the service: the same message may succeed later
	FaultMustUnderstand FaultCode = "MustUnderstand" // the caller demanded a header that the service does not know
)

// Fault is a SOAP fault: the call was not carried out, or not as far as the service knows. It travels as HTTP 500 whatever
// its code, and never holds personal data. Look at VP before Code: the platform blames Server for a caller without
// permission (VP007).
type Fault struct {
	Code   FaultCode
	VP     string // error code of the service platform, such as "VP007"; empty for all other faults
	String string // stable text for people
	LogID  string // UUID under which the service logged what happened; empty when it gave none
}

// Error implements error. It leaves out String, since a service that is not ours may not keep personal data out of it.
func (f *Fault) Error() string {
	return strings.Join(strings.Fields(fmt.Sprintf("fault %s %s %s", f.Code, f.VP, f.LogID)), " ")
}

// NotAllowed is the fault for a caller without permission for a contract and logical address.
func NotAllowed(hsaID string) *Fault {
	return &Fault{Code: FaultServer, VP: "VP007", String: "Obehörigt anrop för system " + hsaID}
}

func clientFault(vp, text string) *Fault { return &Fault{Code: FaultClient, VP: vp, String: text} }

// faultNamespace is that of our one element in a fault's detail.
const faultNamespace = "urn:contactsync:rivta:fault:1"

// append writes the fault as it stands in an envelope's body.
func (f *Fault) append(dst []byte) []byte {
	dst = append(dst, "<soap:Fault><faultcode>soap:"+string(f.Code)+"</faultcode>"...)
	dst = Append(dst, Element{Name: xml.Name{Local: "faultstring"}, Text: strings.TrimSpace(f.VP + " " + f.String)})
	logID := Element{Name: xml.Name{Space: faultNamespace, Local: "logId"}, Text: f.LogID}
	dst = Append(dst, Element{Name: xml.Name{Local: "detail"}, Children: []Element{logID}})
	return append(dst, "</soap:Fault>"...)
}

// platformText is how the platform begins a faultstring; the brackets name the node that answered.
var platformText = regexp.MustCompile(`^(VP[0-9]{3})(?: \[[^\]]*\])?[ :]*`)

var uuidText = regexp.MustCompile(`(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// faultOf reads a fault of any SOAP 1.1 service: its children may be in a namespace by mistake, its code may have any prefix
// and subcodes behind a dot.
func faultOf(e Element) *Fault {
	f := &Fault{Code: FaultServer}
	for _, child := range e.Children {
		switch child.Name.Local {
		case "faultcode":
			f.Code = faultCodeOf(child.Text)
		case "faultstring":
			f.String = strings.TrimSpace(child.Text)
		case "detail":
			f.LogID = uuidText.FindString(string(Append(nil, child)))
		}
	}
	if match := platformText.FindStringSubmatch(f.String); match != nil {
		f.VP, f.String = match[1], strings.TrimPrefix(f.String, match[0])
	}
	if f.LogID == "" {
		f.LogID = uuidText.FindString(f.String)
	}
	return f
}

func faultCodeOf(text string) FaultCode {
	code := strings.TrimSpace(text)
	code = code[strings.LastIndex(code, ":")+1:]
	code, _, _ = strings.Cut(code, ".")
	switch code {
	case "Client", "Sender", "VersionMismatch":
		return FaultClient
	case "MustUnderstand":
		return FaultMustUnderstand
	}
	return FaultServer
}
