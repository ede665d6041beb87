package personv3

import (
	"context"
	"net/http"

	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
	"contactsync/contracts/xsd"
)

// Major is the one that this package is.
const Major = 3

// GetOperation names the contract that reads; the unrestricted one also shows protected persons.
func GetOperation(unrestricted bool) rivta.Operation {
	return majorOf(personv4.GetOperation(unrestricted))
}

// UpdateOperation names the contract that writes; the unrestricted one also changes protected persons.
func UpdateOperation(unrestricted bool) rivta.Operation {
	return majorOf(personv4.UpdateOperation(unrestricted))
}

func majorOf(op rivta.Operation) rivta.Operation {
	op.Major = Major
	return op
}

// Service is what a register implements, in the newest major's words. It is asked only by callers that the Authorizer let
// through, and only about well-formed identities. A *rivta.Fault is sent as it is, any other error as a Server fault without its
// text.
type Service interface {
	// Get returns the person's record, or nil for a person the register does not know.
	Get(ctx context.Context, caller rivta.Caller, person personv4.ID, unrestricted bool) (*personv4.Record, error)
	// Update puts the update over the person's record: it is update.Over, of the record that VersionToUpdate names, that the
	// register judges and stores. A logical refusal is a Result that is not OK, with a text fit to show a user.
	Update(ctx context.Context, caller rivta.Caller, update Update, unrestricted bool) (personv4.Result, error)
}

// NewHandler serves the four operations alone; see rivta.NewHandler.
func NewHandler(service Service, config personv4.HandlerConfig) http.Handler {
	return rivta.NewHandler(Endpoints(service, config)...)
}

// Endpoints are those of the four operations.
func Endpoints(service Service, config personv4.HandlerConfig) []*rivta.Endpoint {
	var all []*rivta.Endpoint
	for _, unrestricted := range []bool{false, true} {
		s := server{service, unrestricted}
		all = append(all,
			endpoint(config, GetOperation(unrestricted), s.get),
			endpoint(config, UpdateOperation(unrestricted), s.update))
	}
	return all
}

func endpoint(config personv4.HandlerConfig, op rivta.Operation, answer answerFunc) *rivta.Endpoint {
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
	r, err := s.service.Get(ctx, caller, asked.Person, s.unrestricted)
	if err != nil {
		return rivta.Reply{}, err
	}
	outcome := personv4.OutcomeOK
	if r == nil {
		outcome = personv4.OutcomeNoRecord
	}
	body, err := xsd.Encode(op.Response(), &found{maybe(r, shown)})
	return rivta.Reply{Body: body, Outcome: outcome}, err
}

func (s server) update(ctx context.Context, caller rivta.Caller, request rivta.Element) (rivta.Reply, error) {
	op := UpdateOperation(s.unrestricted)
	var update Update
	if err := xsd.Decode(op.Request(), &update, request); err != nil {
		return rivta.Reply{}, refused(err)
	}
	if err := update.canonical().Check(); err != nil {
		return rivta.Reply{}, refused(err)
	}
	result, err := s.service.Update(ctx, caller, update, s.unrestricted)
	if err != nil {
		return rivta.Reply{}, err
	}
	body, err := xsd.Encode(op.Response(), &changed{shownResult(result), resultName(s.unrestricted)})
	return rivta.Reply{Body: body, Outcome: result.Outcome()}, err
}

// refused is the fault for a request that breaks the schema or names nobody. The text holds names of the schema only.
func refused(err error) error { return &rivta.Fault{Code: rivta.FaultClient, String: err.Error()} }
