package rivta

import (
	"encoding/xml"
	"regexp"
	"strconv"
	"strings"

	"contactsync/contracts"
)

// Operation is one service interaction (tjänstekontrakt). A contract has exactly one operation, and both have one name.
type Operation struct {
	Domain string // such as "strategicresourcemanagement:persons:person"
	Name   string // such as "GetPersonContactInformation"
	Major  int    // major version of the contract, not of its domain
}

// Contract is the operation's contract.
func (o Operation) Contract() contracts.Contract {
	return contracts.Contract{Name: o.Name, Major: o.Major}
}

// DefaultPath is where our register serves an operation. It carries the major version and the profile, never the minor.
const DefaultPath = "/rivta/{operation}/{major}/rivtabp21"

// Path is where our register serves the operation.
func (o Operation) Path() string { return o.at(DefaultPath) }

// at fills in a path. The words of a domain are parts of it, as on the national service platform.
func (o Operation) at(path string) string {
	return strings.NewReplacer("{domain}", strings.ReplaceAll(o.Domain, ":", "/"), "{operation}", o.Name, "{major}", strconv.Itoa(o.Major)).Replace(path)
}

var pathText = regexp.MustCompile(`^/([A-Za-z0-9._~/-]|\{(domain|operation|major)\})*$`)

// IsPath tells whether a text can be ClientConfig.Path.
func IsPath(text string) bool { return pathText.MatchString(text) }

// Namespace is that of request and response, the responder's namespace.
func (o Operation) Namespace() string {
	return "urn:riv:" + o.Domain + ":" + o.Name + "Responder:" + strconv.Itoa(o.Major)
}

// SOAPAction is the value of the HTTP header of that name, without its quotes.
func (o Operation) SOAPAction() string { return o.Namespace() + ":" + o.Name }

// Request names the element in a request's body.
func (o Operation) Request() xml.Name { return xml.Name{Space: o.Namespace(), Local: o.Name} }

// Response names the element in an answer's body.
func (o Operation) Response() xml.Name {
	return xml.Name{Space: o.Namespace(), Local: o.Name + "Response"}
}
