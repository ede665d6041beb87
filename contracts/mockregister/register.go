// Package mockregister is a register of contact details to try things out against: it behaves as the national
// personal-data service does, keeps its records in PostgreSQL (schema "register") and comes with invented test persons.
//
// What it answers follows TKB 5.1; where that is silent the choice is ours and says so. It is no copy of the national
// service: who may what is a table that AccessAdmin changes, and nobody's name, address or family is real.
//
// Every access is logged before it is answered, and with the change it tells of; see AccessLog.
//
// Start with Config and New. Get, Update and Persons are the contracts' rules, clock counts the versions, Seed invents the people.
// Faults are what can be dialled to go wrong on the way to them, Admin is the listener to dial them on.
package mockregister

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/consent/audit"
	"contactsync/contracts"
	"contactsync/contracts/contactsv1"
	"contactsync/contracts/personprofilev5"
	"contactsync/contracts/personv3"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// Config is what a Register needs.
type Config struct {
	Pool           *pgxpool.Pool
	Now            func() time.Time
	Log            *slog.Logger
	LogicalAddress string // HSA-id under which the register is addressed, such as SE165565594230-1000
	// Access tells who may what. Nil: the table register.access in Pool.
	Access Access
	// WholeSeconds lets two writes within a second share a version, as the national service may. False: no version is given twice.
	WholeSeconds bool
	// Off are the contracts that are no longer served. Only those that have a successor can be.
	Off []contracts.Contract
	// Message makes of a signal what its relay publishes; nil: signals are in the feed only.
	Message func(Signal) Message
	// AuditKey makes the MACs of the access log.
	AuditKey audit.Key
}

// Register serves the contracts over its records. It implements personv4.Service and personprofilev5.Service.
type Register struct {
	pool    *pgxpool.Pool
	clock   clock
	log     *slog.Logger
	address string
	access  Access
	off     []contracts.Contract
	faults  *Faults
	calls   *callCounts
	old     *oldCalls
	feed    *feed
	message func(Signal) Message

	refsMu sync.Mutex
	refs   *refs // nil until they are needed

	auditKey audit.Key
	accesses *groupCommit[accessRow]
	updates  *groupCommit[*groupedUpdate]
}

// New checks the configuration and reports all its faults at once. The schema must have been brought up to date by Migrate.
func New(config Config) (*Register, error) {
	zone, err := time.LoadLocation("Europe/Stockholm")
	err = errors.Join(err,
		required(config.Pool != nil, "Pool"),
		required(config.Now != nil, "Now"),
		required(config.Log != nil, "Log"),
		required(config.LogicalAddress != "", "LogicalAddress"),
		required(!config.AuditKey.IsZero(), "AuditKey"),
		replaceable(config.Off))
	if err != nil {
		return nil, err
	}
	r := &Register{pool: config.Pool, clock: clock{config.Now, zone, config.WholeSeconds}, log: config.Log, address: config.LogicalAddress,
		off: slices.Clone(config.Off), calls: newCallCounts(config.Now), old: newOldCalls(),
		access: config.Access, feed: newFeed(), message: config.Message, auditKey: config.AuditKey}
	r.accesses = &groupCommit[accessRow]{write: r.insertAccesses, most: maxCommit, atOnce: commitsAtOnce, beside: worthOneMore}
	r.updates = &groupCommit[*groupedUpdate]{write: r.overwriteAll, most: maxUpdates}
	if r.access == nil {
		r.access = NewAccessTable(config.Pool, time.Now)
	}
	r.faults = newFaults(config.Now, r.knows, r.tell)
	r.faults.shown = r.logRead
	return r, nil
}

func required(given bool, name string) error {
	if given {
		return nil
	}
	return errors.New("mock register: " + name + " is missing")
}

// replaceable checks that what is switched off has something to move to.
func replaceable(off []contracts.Contract) error {
	var faults []error
	for _, c := range off {
		if life, ok := contracts.Of(c); !ok || life.Successor == 0 {
			faults = append(faults, errors.New("mock register: Off names "+c.String()+", which has no successor"))
		}
	}
	return errors.Join(faults...)
}

// Handler serves all contracts at their paths. It must be served with mutual TLS: the client certificate tells who calls.
// Dialled faults meet the calls here; Get, Update and Persons of the Register itself know none.
func (r *Register) Handler() http.Handler {
	endpoints := r.endpoints()
	return r.counted(endpoints, interfered(r.logOthers(byContract(r.contactsHandler(), rivta.NewHandler(endpoints...)))))
}

func (r *Register) endpoints() []*rivta.Endpoint {
	config := personv4.HandlerConfig{LogicalAddress: r.address, Authorizer: r, Observe: r.observe}
	endpoints := slices.Concat(personv4.Endpoints(behindFaults{r}, config), personv3.Endpoints(throughV3{behindFaults{r}}, config),
		personprofilev5.Endpoints(behindFaults{r}, config))
	for _, e := range endpoints {
		e.Lifecycle, _ = contracts.Of(e.Operation.Contract())
		e.Off = slices.Contains(r.off, e.Operation.Contract())
		e.Refused = r.logRefusal
	}
	return endpoints
}

// byContract tells the two kinds of contracts apart by the address. http.ServeMux would redirect addresses that are not clean, of
// which no contract says anything.
func byContract(rest, soap http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // of the call before on this connection
		if strings.HasPrefix(request.URL.Path, contactsv1.Path+"/") {
			rest.ServeHTTP(w, request)
			return
		}
		soap.ServeHTTP(w, request)
	})
}

// Faults are those that can be dialled on the register. A new register has none.
func (r *Register) Faults() *Faults { return r.faults }

// Close sends readers of the feed away who wait for news, ends what dialled faults have left to be done, see Faults.Close, and waits
// for what is being written. Stop serving before, and close the pool after.
func (r *Register) Close(ctx context.Context) error {
	r.feed.close()
	return errors.Join(r.faults.Close(ctx), r.updates.wait(ctx), r.accesses.wait(ctx))
}
