package personv4

import (
	"context"
	"errors"
	"net/http"

	"contactsync/contracts/rivta"
	"contactsync/contracts/xsd"
)

// GetOperation names the contract that reads; the unrestricted one also shows protected persons.
func GetOperation(unrestricted bool) rivta.Operation {
	return operation("GetPersonContactInformation", unrestricted)
}

// UpdateOperation names the contract that writes; the unrestricted one also changes protected persons.
func UpdateOperation(unrestricted bool) rivta.Operation {
	return operation("UpdatePersonContactInformation", unrestricted)
}

func operation(name string, unrestricted bool) rivta.Operation {
	if unrestricted {
		name += "Unrestricted"
	}
	return rivta.Operation{Domain: "strategicresourcemanagement:persons:person", Name: name, Major: 4}
}

// Service is what a register implements. It is asked only by callers that the Authorizer let through, and only about
// well-formed identities. A *rivta.Fault is sent as it is, any other error as a Server fault without its text.
type Service interface {
	// Get returns the person's record, or nil for a person the register does not know.
	Get(ctx context.Context, caller rivta.Caller, person ID, unrestricted bool) (*Record, error)
	// Update replaces the person's record. A logical refusal is a Result that is not OK, with a text fit to show a user.
	Update(ctx context.Context, caller rivta.Caller, update Update, unrestricted bool) (Result, error)
}

// HandlerConfig is what a handler needs. LogicalAddress and Authorizer are required.
type HandlerConfig struct {
	LogicalAddress string
	Authorizer     rivta.Authorizer
	Observe        func(context.Context, rivta.Exchange) // told of each call after it was answered; nil: nobody
	NewLogID       func() string                         // nil: random UUIDs
}

// Outcomes told to HandlerConfig.Observe. A refused update is "error:" and Result.Code, or "error" without one.
const (
	OutcomeOK       = "ok"
	OutcomeNoRecord = "no_record"
	OutcomeError    = "error"
)

// NewHandler serves the four operations alone; see rivta.NewHandler.
func NewHandler(service Service, config HandlerConfig) http.Handler {
	return rivta.NewHandler(Endpoints(service, config)...)
}

// Endpoints are those of the four operations.
func Endpoints(service Service, config HandlerConfig) []*rivta.Endpoint {
	var all []*rivta.Endpoint
	for _, unrestricted := range []bool{false, true} {
		s := server{service, unrestricted}
		all = append(all,
			endpoint(config, GetOperation(unrestricted), s.get),
			endpoint(config, UpdateOperation(unrestricted), s.update))
	}
	return all
}

func endpoint(config HandlerConfig, op rivta.Operation, answer answerFunc) *rivta.Endpoint {
	return &rivta.Endpoint{Operation: op, LogicalAddress: config.LogicalAddress, Authorizer: config.Authorizer,
		Answer: answer, Document: documents(op).Find, Observe: config.Observe, NewLogID: config.NewLogID}
}

type answerFunc = func(context.Context, rivta.Caller, rivta.Element) (rivta.Reply, error)

// server turns messages into calls of the service, for one of the twins.
type server struct {
	service      Service
	unrestricted bool
}

func (s server) get(ctx context.Context, caller rivta.Caller, request rivta.Element) (rivta.Reply, error) {
	op := GetOperation(s.unrestricted)
	var asked lookup
	if err := xsd.Decode(op.Request(), &asked, request); err != nil {
		return rivta.Reply{}, refused(err)
	}
	if err := asked.Person.Check(); err != nil {
		return rivta.Reply{}, refused(err)
	}
	record, err := s.service.Get(ctx, caller, asked.Person, s.unrestricted)
	if err != nil {
		return rivta.Reply{}, err
	}
	outcome := OutcomeOK
	if record == nil {
		outcome = OutcomeNoRecord
	}
	body, err := xsd.Encode(op.Response(), &found{record})
	return rivta.Reply{Body: body, Outcome: outcome}, err
}

func (s server) update(ctx context.Context, caller rivta.Caller, request rivta.Element) (rivta.Reply, error) {
	op := UpdateOperation(s.unrestricted)
	var update Update
	if err := xsd.Decode(op.Request(), &update, request); err != nil {
		return rivta.Reply{}, refused(err)
	}
	if err := update.Check(); err != nil {
		return rivta.Reply{}, refused(err)
	}
	result, err := s.service.Update(ctx, caller, update, s.unrestricted)
	if err != nil {
		return rivta.Reply{}, err
	}
	body, err := xsd.Encode(op.Response(), &changed{result, resultName(s.unrestricted)})
	return rivta.Reply{Body: body, Outcome: result.Outcome()}, err
}

// Check judges all identities of an update.
func (x Update) Check() error {
	err := errors.Join(x.Person.Check(), x.Actor.ID.Check())
	if x.Actor.Professional != nil {
		err = errors.Join(err, x.Actor.Professional.Organization.Check())
	}
	if err != nil {
		return errIdentity
	}
	return nil
}

// Outcome is what HandlerConfig.Observe is told of a result.
func (x Result) Outcome() string {
	switch {
	case x.OK:
		return OutcomeOK
	case x.Code == "":
		return OutcomeError
	}
	return OutcomeError + ":" + x.Code
}

// refused is the fault for a request that breaks the schema or names nobody. The text holds names of the schema only.
func refused(err error) error { return &rivta.Fault{Code: rivta.FaultClient, String: err.Error()} }
