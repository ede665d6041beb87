// Package rivta is RIV-TA Basic Profile 2.1, the rules by which Swedish health care systems call each other: SOAP 1.1 over
// mutual TLS, one operation per address, the addressed organisation in the LogicalAddress header, the caller in the client
// certificate.
//
// It knows no contract: personv4 and its siblings give it operations and bodies. It does not route, and it does not speak
// SOAP 1.2 or WS-Addressing.
//
// Start with Operation, then Client for calling and Endpoint for answering. Element is the XML between them.
package rivta
