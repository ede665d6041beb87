package rivta

import (
	"encoding/xml"
	"strings"
)

const (
	soapNamespace = "http://schemas.xmlsoap.org/soap/envelope/"
	nextActor     = "http://schemas.xmlsoap.org/soap/actor/next" // a header meant for whoever receives it first
	contentType   = "text/xml; charset=utf-8"
	actionHeader  = "Soapaction" // SOAPAction, spelled as net/http keeps it
)

func soapName(local string) xml.Name { return xml.Name{Space: soapNamespace, Local: local} }

// logicalAddress names the header with the HSA-id of the organisation that is addressed (rule 8 of the profile).
func logicalAddress() xml.Name {
	return xml.Name{Space: "urn:riv:itintegration:registry:1", Local: "LogicalAddress"}
}

// envelope writes a whole message around a body in XML. The prefix soap may be used in it.
func envelope(body []byte, headers ...Element) []byte {
	const usual = 512 // bytes around a body
	text := append(make([]byte, 0, usual+len(body)), xml.Header+`<soap:Envelope xmlns:soap="`+soapNamespace+`">`...)
	if len(headers) > 0 {
		text = append(text, "<soap:Header>"...)
		for _, header := range headers {
			text = Append(text, header)
		}
		text = append(text, "</soap:Header>"...)
	}
	text = append(append(text, "<soap:Body>"...), body...)
	return append(text, "</soap:Body></soap:Envelope>"...)
}

// message is an envelope taken apart.
type message struct {
	headers []Element
	body    Element // the one element in the body
}

// openEnvelope takes a SOAP 1.1 message apart.
func openEnvelope(root Element) (message, error) {
	parts := root.Children
	if root.Name != soapName("Envelope") || len(parts) == 0 {
		return message{}, parseError("not a SOAP 1.1 envelope")
	}
	var m message
	if parts[0].Name == soapName("Header") {
		m.headers, parts = parts[0].Children, parts[1:]
	}
	if len(parts) != 1 || parts[0].Name != soapName("Body") {
		return message{}, parseError("not one Body in the envelope")
	}
	if len(parts[0].Children) != 1 {
		return message{}, parseError("not one element in the Body")
	}
	m.body = parts[0].Children[0]
	return m, nil
}

// demandsUnknown tells whether a header that we do not know must be understood by us (SOAP 1.1 §4.2).
func (m message) demandsUnknown() bool {
	for _, header := range m.headers {
		demanded, _ := header.Attr(soapName("mustUnderstand"))
		actor, _ := header.Attr(soapName("actor"))
		ours := actor == "" || actor == nextActor
		if ours && (demanded == "1" || demanded == "true") && header.Name != logicalAddress() {
			return true
		}
	}
	return false
}

// logicalAddress returns the addressed organisation, empty when there is none, and how often it was given.
func (m message) logicalAddress() (address string, times int) {
	for _, header := range m.headers {
		if header.Name == logicalAddress() {
			address = strings.TrimSpace(header.Text)
			times++
		}
	}
	return address, times
}
