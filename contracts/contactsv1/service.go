package contactsv1

import (
	"context"
	"time"

	"contactsync/contracts/rivta"
)

// Names of the operations, for rights, logs and dialled faults.
const (
	OperationLookup       = "contactsv1.lookup"
	OperationChangedSince = "contactsv1.changed-since"
	OperationRead         = "contactsv1.read"
	OperationWrite        = "contactsv1.write"
	OperationChange       = "contactsv1.change"
	OperationChanges      = "contactsv1.changes"
)

// Operations are all of them, and whether they write.
func Operations() map[string]bool {
	return map[string]bool{OperationLookup: false, OperationChangedSince: false, OperationRead: false, OperationWrite: true,
		OperationChange: true, OperationChanges: false}
}

// Call tells who calls and what it may see.
type Call struct {
	Operation    string
	Caller       rivta.Caller
	Unrestricted bool // protected persons are shown and changed
}

// Service is what a register implements. It is asked only by callers that have the right, with requests as the contract
// says. A *problem.Problem is sent as it is, a *rivta.Fault that blames the client as 400, any other error as 500 without
// its text.
type Service interface {
	// Lookup tells of every person asked for, in that order.
	Lookup(context.Context, Call, []Person) ([]Contact, error)
	// ChangedSince tells which records are not of the version held.
	ChangedSince(context.Context, Call, []Held) ([]Newer, error)
	// Read tells of the record that a ref names.
	Read(ctx context.Context, c Call, ref string) (Contact, error)
	// Write changes the record that a ref names, if it still is of the version given.
	Write(ctx context.Context, c Call, ref string, w Write) (Written, error)
	// Change carries out a bulk of decisions, all of them or none.
	Change(context.Context, Call, Bulk) (BulkAnswer, error)
	// Changes reads the feed. It returns an empty page when the time to wait is over.
	Changes(context.Context, Call, From) (Page, error)
}

// Rights is what a caller may do.
type Rights struct {
	Read         bool
	Write        bool
	Unrestricted bool // of protected persons too, as far as Read and Write allow
}

// HandlerConfig is what a handler needs. Rights is required.
type HandlerConfig struct {
	// Rights tells what a caller may do with an operation. An error, after which nobody can tell now, becomes a 503.
	Rights   func(ctx context.Context, caller rivta.Caller, operation string) (Rights, error)
	Begun    func(rivta.Caller, string)      // told of each call of an operation when it comes; nil: nobody
	Observe  func(context.Context, Exchange) // told of each call after it was answered; nil: nobody
	NewLogID func() string                   // nil: random UUIDs
}

// Exchange tells what came of one call, for a log line or a metric. It holds no personal data, save perhaps in Cause.
type Exchange struct {
	Operation string
	Caller    rivta.Caller // zero when the call was refused before the caller was known
	Status    int
	Code      string // of the problem; empty when the call was carried out
	LogID     string // empty when the call was carried out
	Cause     error  // what lies behind a problem; never sent
	Duration  time.Duration
}
