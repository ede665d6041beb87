package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"contactsync/contracts/contactsv1"
	"contactsync/contracts/problem"
	"contactsync/contracts/rivta"
)

// lookupError says what was tried, and whether it may go better later.
func lookupError(err error) error {
	said := fmt.Errorf("ask the register: %w", inOurWords(err))
	if errors.Is(err, context.DeadlineExceeded) || mayPass(err) {
		return tryAgainError{said}
	}
	return said
}

// inOurWords explains a fault by its code. The text that came with it is not shown: a service that is not ours may not keep
// personal data out of it. Whoever runs the service finds the call by the log id.
func inOurWords(err error) error {
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		return inOurWordsOfREST(p)
	}
	fault, ok := errors.AsType[*rivta.Fault](err)
	if !ok {
		return err
	}
	said := "fault " + string(fault.Code)
	if fault.VP != "" {
		said = fault.VP
	}
	if words := platformWords(fault.VP); words != "" {
		said += ", " + words
	}
	if fault.LogID != "" {
		said += " (log id " + fault.LogID + ")"
	}
	return errors.New(said)
}

// inOurWordsOfREST explains a problem of the REST contract by its code.
func inOurWordsOfREST(p *problem.Problem) error {
	said := "problem " + p.Code
	switch p.Code {
	case contactsv1.CodeCallerUnidentified:
		said += ", " + platformWords("VP002")
	case contactsv1.CodeNotAllowed:
		said += ", the calling system may not use this contract: ask for permission, or see --cert"
	case contactsv1.CodeCursorExpired:
		said += ", what came after the cursor is no longer kept: begin anew with --cursor now"
	case contactsv1.CodeCursorMalformed:
		said += ", the register never gave this cursor"
	}
	if logID, ok := strings.CutPrefix(p.Instance, "urn:uuid:"); ok {
		said += " (log id " + logID + ")"
	}
	return errors.New(said)
}

// platformWords tells what a code of the service platform means to whoever called; "" for one that is not known.
func platformWords(vp string) string {
	return map[string]string{
		"VP001": "the version of the contract is not supported there",
		"VP002": "the client certificate does not tell which system calls: its subject needs one SERIALNUMBER with an HSA-id",
		"VP003": "no logical address was given: see --logical-address",
		"VP004": "nobody serves this contract at the logical address: see --logical-address",
		"VP005": "the service at the logical address does not have this version of the contract",
		"VP006": "the logical address leads to more than one service",
		"VP007": "the calling system may not use this contract at the logical address: ask for permission, or see --cert",
		"VP008": "the platform cannot look up who may call whom at the moment",
		"VP009": "the platform cannot reach the service at the moment",
		"VP010": "the platform has no address for the service",
		"VP011": "the call did not come over TLS",
		"VP012": "the platform lacks something of its own at the moment",
		"VP013": "the calling system may not tell an original caller",
		"VP014": "the call went round in a circle",
		"VP015": "the platform cannot read the request",
	}[vp]
}
