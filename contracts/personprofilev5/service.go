package personprofilev5

import (
	"context"
	"net/http"
	"slices"

	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
	"contactsync/contracts/xsd"
)

// Operation names the contract; the unrestricted one also shows protected persons.
func Operation(unrestricted bool) rivta.Operation {
	name := "GetPersonsForProfile"
	if unrestricted {
		name += "Unrestricted"
	}
	return rivta.Operation{Domain: "strategicresourcemanagement:persons:person", Name: name, Major: 5}
}

// Query is what a call asks for.
type Query struct {
	rivta.Redacted
	Persons        []personv4.ID // 1 to MaxPersons; the same one may be among them several times
	Profile        Profile       // P1 to P5
	IgnoreReferred bool          // answer of the very identity, even if another one has replaced it
	Unrestricted   bool          // show protected persons
}

// Service is what a register implements. It is asked only by callers that the Authorizer let through, and only about
// well-formed identities and a profile that has a meaning. A *rivta.Fault is sent as it is, any other error as a Server fault
// without its text.
type Service interface {
	// Persons returns one answer for each person of the query, in its order.
	Persons(ctx context.Context, caller rivta.Caller, query Query) ([]Answer, error)
}

// HandlerConfig is what a handler needs: the same for all contracts of the domain.
type HandlerConfig = personv4.HandlerConfig

// NewHandler serves the two operations alone; see rivta.NewHandler.
func NewHandler(service Service, config HandlerConfig) http.Handler {
	return rivta.NewHandler(Endpoints(service, config)...)
}

// Endpoints are those of the two operations.
func Endpoints(service Service, config HandlerConfig) []*rivta.Endpoint {
	var all []*rivta.Endpoint
	for _, unrestricted := range []bool{false, true} {
		op := Operation(unrestricted)
		all = append(all, &rivta.Endpoint{Operation: op, LogicalAddress: config.LogicalAddress, Authorizer: config.Authorizer,
			Answer: server{service, unrestricted}.persons, Document: documents(op).Find, Observe: config.Observe,
			NewLogID: config.NewLogID})
	}
	return all
}

// server turns messages into calls of the service, for one of the twins.
type server struct {
	service      Service
	unrestricted bool
}

func (s server) persons(ctx context.Context, caller rivta.Caller, message rivta.Element) (rivta.Reply, error) {
	op := Operation(s.unrestricted)
	var asked request
	if err := xsd.Decode(op.Request(), &asked, message); err != nil {
		return rivta.Reply{}, refused(err.Error())
	}
	if err := asked.check(); err != nil {
		return rivta.Reply{}, err
	}
	answers, err := s.service.Persons(ctx, caller, Query{Persons: asked.Persons, Profile: asked.Profile,
		IgnoreReferred: asked.IgnoreReferred, Unrestricted: s.unrestricted})
	if err != nil {
		return rivta.Reply{}, err
	}
	body, err := xsd.Encode(op.Response(), &response{answers})
	return rivta.Reply{Body: body, Outcome: Outcome(answers)}, err
}

// Outcome is the word for answers that is told to HandlerConfig.Observe: personv4.OutcomeOK, or OutcomeNoRecord when the
// register knows none of the persons.
func Outcome(answers []Answer) string {
	for _, a := range answers {
		if a.Person != nil {
			return personv4.OutcomeOK
		}
	}
	return personv4.OutcomeNoRecord
}

// check judges what the schema leaves open.
func (x request) check() error {
	if len(x.Persons) > MaxPersons {
		return refused("personId: more than 500 persons are asked for")
	}
	if !slices.Contains([]Profile{P1, P2, P3, P4, P5}, x.Profile) {
		return refused("profile: this one is reserved, use P1 to P5")
	}
	for _, id := range x.Persons {
		if err := id.Check(); err != nil {
			return refused(err.Error())
		}
	}
	return nil
}

// refused is the fault for a request that breaks a rule. The text holds names of the schema only.
func refused(text string) error { return &rivta.Fault{Code: rivta.FaultClient, String: text} }
