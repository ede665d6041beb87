package mockregister

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"contactsync/contracts/personprofilev5"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// Rights is what a system may do through a contract beyond calling it. The zero value is nothing more than that.
type Rights struct {
	Protected bool // be told of protected persons, and change them; the Unrestricted contracts ask for it
	Support   bool // change persons in the name of staff, such as the support desk; without it a system speaks for residents only
	Write     bool // change persons through a contract that both reads and writes: contactsv1
}

// rightWord is a right as the table and people write it.
type rightWord struct {
	word string
	of   func(*Rights) *bool
}

func rightWords() []rightWord {
	return []rightWord{
		{"protected", func(r *Rights) *bool { return &r.Protected }},
		{"support", func(r *Rights) *bool { return &r.Support }},
		{"write", func(r *Rights) *bool { return &r.Write }},
	}
}

// Words are the rights as the table has them, in alphabetical order; never nil.
func (r Rights) Words() []string {
	words := []string{}
	for _, w := range rightWords() {
		if *w.of(&r) {
			words = append(words, w.word)
		}
	}
	return words
}

// ParseRights reads words. The error is of those that are no right, and names those there are; the others are read all the same.
func ParseRights(words []string) (rights Rights, err error) {
	for _, word := range words {
		i := slices.IndexFunc(rightWords(), func(w rightWord) bool { return w.word == word })
		if i < 0 {
			err = errors.Join(err, fmt.Errorf("%q is no right: there are %s", word, strings.Join(allRights().Words(), ", ")))
			continue
		}
		*rightWords()[i].of(&rights) = true
	}
	return rights, err
}

func allRights() Rights { return Rights{true, true, true} }

// contractREST is the one contract that is not of the WSDL's.
const contractREST = "contactsv1"

// unrestrictedSuffix ends the name of each contract that also tells of protected persons.
const unrestrictedSuffix = "Unrestricted"

// Contracts are those that one may be allowed to use. A row of the table is for all majors of its contract: which of them a
// system speaks changes with its version, and what it may see does not.
func Contracts() []string {
	return []string{
		personv4.GetOperation(false).Name, personv4.GetOperation(true).Name,
		personv4.UpdateOperation(false).Name, personv4.UpdateOperation(true).Name,
		personprofilev5.Operation(false).Name, personprofilev5.Operation(true).Name,
		contractREST,
	}
}

// Grant lets a system use a contract at a logical address.
type Grant struct {
	System         string // HSA-id
	Contract       string // one of Contracts
	LogicalAddress string
	Rights         Rights
}

// Idle tells whether the contract refuses the system all the same: an Unrestricted one asks for a ground of its own, which is
// the right to be told of protected persons.
func (g Grant) Idle() bool { return !enough(g.Contract, g.Rights) }

func enough(contract string, rights Rights) bool {
	return rights.Protected || !strings.HasSuffix(contract, unrestrictedSuffix)
}

// Access tells who may what. An error means that it cannot be told now: then nobody may anything.
type Access interface {
	// Rights tells whether the system may use the contract at the logical address, and with which rights.
	Rights(ctx context.Context, system, contract, logicalAddress string) (rights Rights, allowed bool, err error)
	// Knows tells whether the system may use anything.
	Knows(ctx context.Context, system string) (bool, error)
}

// FixedAccess never changes, for tests and measurements. A Grant without a logical address is for all of them.
type FixedAccess []Grant

// MayAll lets the systems do everything.
func MayAll(systems ...string) FixedAccess {
	var all FixedAccess
	for _, system := range systems {
		for _, contract := range Contracts() {
			all = append(all, Grant{system, contract, "", allRights()})
		}
	}
	return all
}

// Rights implements Access.
func (a FixedAccess) Rights(_ context.Context, system, contract, logicalAddress string) (Rights, bool, error) {
	for _, g := range a {
		if g.System == system && g.Contract == contract && (g.LogicalAddress == "" || g.LogicalAddress == logicalAddress) {
			return g.Rights, true, nil
		}
	}
	return Rights{}, false, nil
}

// Knows implements Access.
func (a FixedAccess) Knows(_ context.Context, system string) (bool, error) {
	return slices.ContainsFunc(a, func(g Grant) bool { return g.System == system }), nil
}

// rightsOf is what a system may do through a contract at a logical address. It is what every contract asks before it looks at
// a call; an error means that nobody can tell, and the call must be refused as trouble of ours.
func (r *Register) rightsOf(ctx context.Context, system, contract, logicalAddress string) (Rights, bool, error) {
	rights, allowed, err := r.access.Rights(ctx, system, contract, logicalAddress)
	if err != nil {
		return Rights{}, false, fmt.Errorf("look up who may what: %w", err)
	}
	return rights, allowed && enough(contract, rights), nil
}

// Authorize implements rivta.Authorizer.
func (r *Register) Authorize(ctx context.Context, caller rivta.Caller, op rivta.Operation, logicalAddress string) error {
	_, allowed, err := r.rightsOf(ctx, caller.HSAID, op.Name, logicalAddress)
	if err != nil {
		return err
	}
	if !allowed {
		return rivta.NotAllowed(caller.HSAID)
	}
	return nil
}

// judgeActor refuses an update by somebody whom the access log cannot name, or in the name of staff by a system that may not act for support,
// and logs it. Who acts stands in the message, so that this is judged after all else that lets a caller in.
func (r *Register) judgeActor(ctx context.Context, c call, update personv4.Update) error {
	if !nameable(update.Actor) {
		_, err := r.refuseForm(ctx, c, update, unnameable())
		return err
	}
	if !byStaff(update) {
		return nil
	}
	rights, _, err := r.rightsOf(ctx, c.caller.HSAID, c.operation.Name, r.address)
	if err != nil || rights.Support {
		return err
	}
	fault := rivta.NotAllowed(c.caller.HSAID)
	fault.String += " i personals namn"
	_, err = r.refuseForm(ctx, c, update, fault)
	return err
}

// nameable tells whether the access log can tell who acts, and for whom.
func nameable(a personv4.Actor) bool {
	return loggable(a.ID) && (a.Professional == nil || loggable(a.Professional.Organization))
}

// unnameable is the fault for an update that would be made by nobody: TKB leaves open what identities of staff and organisations look like.
func unnameable() *rivta.Fault {
	return &rivta.Fault{Code: rivta.FaultClient, String: "actor: malformed identity"}
}

// byStaff tells whether an update is in the name of staff. Residents and those who act for them, such as guardians, have a
// personal identity and no organisation (TKB 5.1 ch. 6); who has neither is somebody only if it is the person itself.
func byStaff(update personv4.Update) bool {
	id := update.Actor.ID
	personal := id.Root == personv4.RootPersonnummer || id.Root == personv4.RootSamordningsnummer
	self := id.Root == update.Person.Root && id.Extension == update.Person.Extension
	return update.Actor.Professional != nil || !personal && !self
}

// knows tells whether a system may call at all. One of which that cannot be told now is taken for unknown.
func (r *Register) knows(system string) bool {
	known, err := r.access.Knows(r.faults.life, system)
	return err == nil && known
}
