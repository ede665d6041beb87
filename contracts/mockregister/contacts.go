package mockregister

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"contactsync/contracts/contactsv1"
	"contactsync/contracts/personv4"
	"contactsync/contracts/problem"
	"contactsync/contracts/rivta"
)

// contactsService is the register as callers of the REST contract meet it: behind the dialled faults, on the same records
// as the SOAP contracts. It implements contactsv1.Service.
type contactsService struct{ behindFaults }

// contactsHandler serves the REST contract.
func (r *Register) contactsHandler() http.Handler {
	return contactsv1.NewHandler(contactsService{behindFaults{r}}, contactsv1.HandlerConfig{
		Rights:  r.contactsRights,
		Begun:   func(caller rivta.Caller, operation string) { r.calls.add(caller.HSAID, operation) },
		Observe: r.observeContacts,
	})
}

// contactsRights also logs a call that will not be let in. About whom it was stands in a body that nobody reads then.
func (r *Register) contactsRights(ctx context.Context, caller rivta.Caller, operation string) (contactsv1.Rights, error) {
	rights, allowed, err := r.rightsOf(ctx, caller.HSAID, contractREST, r.address)
	if err != nil {
		return contactsv1.Rights{}, err
	}
	if !allowed || contactsv1.Operations()[operation] && !rights.Write {
		c := contactsv1.Call{Operation: operation, Caller: caller, Unrestricted: allowed && rights.Protected}
		err = r.logReads(ctx, []accessEntry{restEntry(c, personv4.ID{}, personv4.OutcomeError+":"+contactsv1.CodeNotAllowed)})
	}
	return contactsv1.Rights{Read: allowed, Write: allowed && rights.Write, Unrestricted: allowed && rights.Protected}, err
}

// restCall is a call of the REST contract as the faults see it.
func restCall(c contactsv1.Call, persons ...personv4.ID) call {
	class := classRead
	if contactsv1.Operations()[c.Operation] {
		class = classWrite
	}
	return call{operation: contactsOperation(c.Operation), class: class, caller: c.Caller, unrestricted: c.Unrestricted,
		rest: true, persons: persons}
}

// contactsOperation names an operation of the REST contract as those of the SOAP contracts are named.
func contactsOperation(name string) rivta.Operation { return rivta.Operation{Name: name, Major: 1} }

// passed has a call of the REST contract carried out behind the faults.
func passed[T any](ctx context.Context, b behindFaults, c call, do func(context.Context) (T, error)) (T, error) {
	a := b.pass(ctx, c, func(ctx context.Context) answer {
		value, err := do(ctx)
		return answer{value: value, err: err}
	})
	value, _ := a.value.(T)
	if a.err == nil && a.value == nil { // a fault has answered with a Result
		return value, refusedWrite(a.result.Code)
	}
	return value, a.err
}

func ids(persons []contactsv1.Person) []personv4.ID {
	out := make([]personv4.ID, len(persons))
	for i, p := range persons {
		out[i] = p.ID()
	}
	return out
}

// row is a person as the REST contract needs it.
type row struct {
	person
	name string
	own  own
}

// rows reads the persons that there are, at the places of those asked for; nil stands for nobody. whole asks for the records'
// content too. It is one statement that reads no XML, unless a record was last written by somebody who does not keep the own
// details beside it.
func (r *Register) rows(ctx context.Context, asked []personv4.ID, whole bool) ([]*row, error) {
	roots, extensions := columnsOf(asked)
	found, err := r.pool.Query(ctx, `
		select a.n, p.name, p.deceased, p.protected_person, p.protected_population, p.version,
			p.own_version = p.version, case when $3 or p.own_version <> p.version then p.content else '' end,
			p.mobile, p.mobile_notify, p.email, p.email_notify
		from unnest($1::text[], $2::text[]) with ordinality as a (root, extension, n)
		join register.persons p on p.root = a.root and p.extension = a.extension`, roots, extensions, whole)
	if err != nil {
		return nil, err
	}
	rows, block := make([]*row, len(asked)), make([]row, len(asked)) // one allocation for all
	var n int64
	var known bool
	var next row
	_, err = pgx.ForEachRow(found, []any{&n, &next.name, &next.deceased, &next.secrecy, &next.protectedPopulation, &next.version,
		&known, &next.content, &next.own.mobile, &next.own.mobileNotify, &next.own.email, &next.own.emailNotify}, func() error {
		next.id = personv4.ID{Root: asked[n-1].Root, Extension: asked[n-1].Extension}
		block[n-1] = next
		rows[n-1] = &block[n-1]
		next.own = own{} // the pointers belong to the row now
		if known {
			return nil
		}
		return rows[n-1].readOwn()
	})
	return rows, err
}

func columnsOf(asked []personv4.ID) (roots, extensions []string) {
	roots, extensions = make([]string, len(asked)), make([]string, len(asked))
	for i, id := range asked {
		roots[i], extensions[i] = id.Root, id.Extension
	}
	return roots, extensions
}

// readOwn takes the own details from the content.
func (p *row) readOwn() error {
	record, err := p.record()
	if err == nil {
		p.own = ownOf(record.Entries)
	}
	return err
}

// contact is the row as a caller sees it; nil: nobody was found.
func (p *row) contact(asked personv4.ID, x *refs, unrestricted bool) contactsv1.Contact {
	c := contactsv1.Contact{Person: contactsv1.PersonOf(asked)}
	if p == nil {
		c.Code = contactsv1.CodePersonUnknown
		if asked.Check() != nil {
			c.Code = contactsv1.CodeIdentityMalformed
		}
		return c
	}
	c.Found, c.Ref, c.Version, c.Deceased = true, x.seal(p.id), p.version, p.deceased
	c.ProtectedPerson, c.ProtectedPopulation = p.secrecy, p.protectedPopulation
	if c.Blanked = p.protected() && !unrestricted; !c.Blanked {
		c.Name = p.name
		c.Mobile, c.Email = detail(p.own.mobile, p.own.mobileNotify), detail(p.own.email, p.own.emailNotify)
	}
	return c
}

func detail(value *string, notify bool) *contactsv1.Detail {
	if value == nil {
		return nil
	}
	return &contactsv1.Detail{Value: *value, Notify: notify}
}

// Lookup implements contactsv1.Service.
func (s contactsService) Lookup(ctx context.Context, c contactsv1.Call, persons []contactsv1.Person) ([]contactsv1.Contact, error) {
	asked := ids(persons)
	call := restCall(c, asked...)
	call.lagged = func(a answer, before func(personv4.ID) (person, bool)) answer {
		contacts, _ := a.value.([]contactsv1.Contact)
		for i := range contacts {
			if old, ok := before(asked[i]); ok && contacts[i].Found {
				a.err = errors.Join(a.err, s.turnBack(ctx, &contacts[i], old, c.Unrestricted))
			}
		}
		return a
	}
	return passed(ctx, s.behindFaults, call, func(ctx context.Context) ([]contactsv1.Contact, error) {
		return s.lookup(ctx, c, asked)
	})
}

// turnBack shows a contact as it was before.
func (s contactsService) turnBack(ctx context.Context, c *contactsv1.Contact, old person, unrestricted bool) error {
	x, err := s.refsOf(ctx)
	if err != nil {
		return err
	}
	p := row{person: old, name: c.Name}
	err = p.readOwn()
	*c = p.contact(old.id, x, unrestricted)
	return err
}

func (r *Register) lookup(ctx context.Context, c contactsv1.Call, asked []personv4.ID) ([]contactsv1.Contact, error) {
	x, err := r.refsOf(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := r.rows(ctx, asked, false)
	if err != nil {
		return nil, fmt.Errorf("look persons up: %w", err)
	}
	contacts, entries := make([]contactsv1.Contact, len(asked)), make([]accessEntry, len(asked))
	for i, p := range rows {
		contacts[i] = p.contact(asked[i], x, c.Unrestricted)
		entries[i] = readEntry(c, asked[i], contacts[i])
	}
	return contacts, r.logReads(ctx, entries)
}

func readEntry(c contactsv1.Call, id personv4.ID, contact contactsv1.Contact) accessEntry {
	outcome := personv4.OutcomeNoRecord
	if contact.Found {
		outcome = shownAs(contact.Blanked)
	}
	return restEntry(c, id, outcome)
}

// ChangedSince implements contactsv1.Service.
func (s contactsService) ChangedSince(ctx context.Context, c contactsv1.Call, held []contactsv1.Held) ([]contactsv1.Newer, error) {
	asked := make([]personv4.ID, len(held))
	for i, h := range held {
		asked[i] = h.Person.ID()
	}
	call := restCall(c, asked...)
	versions := map[personv4.ID]string{} // of records that are shown as they were
	call.lagged = func(a answer, before func(personv4.ID) (person, bool)) answer {
		for _, id := range asked {
			if old, ok := before(id); ok {
				versions[id] = old.version
			}
		}
		newer, err := s.compare(ctx, c, held, asked, versions)
		return answer{value: newer, err: errors.Join(a.err, err)}
	}
	return passed(ctx, s.behindFaults, call, func(ctx context.Context) ([]contactsv1.Newer, error) {
		return s.compare(ctx, c, held, asked, versions)
	})
}

func (r *Register) compare(
	ctx context.Context, c contactsv1.Call, held []contactsv1.Held, asked []personv4.ID, instead map[personv4.ID]string,
) ([]contactsv1.Newer, error) {
	rows, err := r.rows(ctx, asked, false)
	if err != nil {
		return nil, fmt.Errorf("compare versions: %w", err)
	}
	newer, entries := []contactsv1.Newer{}, make([]accessEntry, len(asked))
	for i, p := range rows {
		entries[i] = readEntry(c, asked[i], contactsv1.Contact{Found: p != nil})
		version := ""
		if p != nil {
			version = p.version
			if old, ok := instead[asked[i]]; ok {
				version = old
			}
		}
		if version != held[i].Version {
			newer = append(newer, contactsv1.Newer{Person: held[i].Person, Found: p != nil, Version: version})
		}
	}
	return newer, r.logReads(ctx, entries)
}

// opened gives the identity that a ref names.
func (r *Register) opened(ctx context.Context, ref string) (personv4.ID, error) {
	x, err := r.refsOf(ctx)
	if err != nil {
		return personv4.ID{}, err
	}
	id, ok := x.open(ref)
	if !ok {
		return id, refUnknown()
	}
	return id, nil
}

func refUnknown() *problem.Problem {
	return problem.New(http.StatusNotFound, contactsv1.CodeRefUnknown, "There is no record of this ref. Look the person up.")
}

// Read implements contactsv1.Service.
func (s contactsService) Read(ctx context.Context, c contactsv1.Call, ref string) (contactsv1.Contact, error) {
	id, err := s.opened(ctx, ref)
	if err != nil {
		return contactsv1.Contact{}, err
	}
	contacts, err := s.Lookup(ctx, c, []contactsv1.Person{contactsv1.PersonOf(id)})
	switch {
	case err != nil:
		return contactsv1.Contact{}, err
	case !contacts[0].Found:
		return contactsv1.Contact{}, refUnknown()
	}
	return contacts[0], nil
}

// Write implements contactsv1.Service.
func (s contactsService) Write(ctx context.Context, c contactsv1.Call, ref string, w contactsv1.Write) (contactsv1.Written, error) {
	id, err := s.opened(ctx, ref)
	if err != nil {
		return contactsv1.Written{}, err
	}
	if wrong := judgeWrite(w); wrong != nil {
		return contactsv1.Written{}, s.refused(ctx, c, id, wrong)
	}
	call := restCall(c, id)
	return passed(ctx, s.behindFaults, call, func(ctx context.Context) (contactsv1.Written, error) {
		written, err := s.write(ctx, call, id, w)
		if errors.Is(err, errNobody) {
			err = s.refused(ctx, c, id, refUnknown())
		}
		return written, err
	})
}

// errNobody is returned by write for a ref whose person there is no longer.
var errNobody = errors.New("no such person")

// refused logs a write that does not come to the record, and returns what is answered.
func (r *Register) refused(ctx context.Context, c contactsv1.Call, id personv4.ID, p *problem.Problem) error {
	if err := r.logReads(ctx, []accessEntry{restEntry(c, id, personv4.OutcomeError+":"+p.Code)}); err != nil {
		return err
	}
	return p
}

func judgeWrite(w contactsv1.Write) *problem.Problem {
	for _, x := range []struct {
		channel contactsv1.Channel
		setting contactsv1.Setting
	}{{contactsv1.Mobile, w.Mobile}, {contactsv1.Email, w.Email}} {
		if x.setting.Detail != nil && !contactsv1.ValidValue(x.channel, x.setting.Detail.Value) {
			p := problem.New(http.StatusUnprocessableEntity, contactsv1.CodeValueInvalid, "The channel cannot have this value.")
			p.InvalidParameters = []problem.InvalidParameter{{Property: string(x.channel) + ".value", Reason: "form"}}
			return p
		}
	}
	return nil
}

// write reads the record, changes the own details in it, and replaces it as every contract does.
func (s contactsService) write(ctx context.Context, c call, id personv4.ID, w contactsv1.Write) (contactsv1.Written, error) {
	rows, err := s.rows(ctx, []personv4.ID{id}, true)
	if err != nil {
		return contactsv1.Written{}, fmt.Errorf("read record: %w", err)
	}
	p := rows[0]
	if p == nil {
		return contactsv1.Written{}, errNobody
	}
	record, err := p.record()
	if err != nil {
		return contactsv1.Written{}, err
	}
	update, effects := s.rewritten(*record, w)
	settle := s.keep(ctx, update)
	result, err := s.Register.change(ctx, c, update)
	settle(err != nil || result.OK, s.clock.now())
	switch fault, isFault := errors.AsType[*rivta.Fault](err); {
	case isFault && fault.Code == rivta.FaultClient:
		return contactsv1.Written{}, problem.New(http.StatusRequestEntityTooLarge, contactsv1.CodeRecordTooLarge, fault.String)
	case err != nil:
		return contactsv1.Written{}, err
	case !result.OK:
		return contactsv1.Written{}, refusedWrite(result.Code)
	}
	x, err := s.refsOf(ctx)
	p.version, p.own = result.Record.Version, ownOf(result.Record.Entries)
	return contactsv1.Written{Contact: p.contact(id, x, c.unrestricted), Effects: effects}, err
}

// rewritten is the update that changes nothing of a record but the own details, and what follows from them.
func (r *Register) rewritten(record personv4.Record, w contactsv1.Write) (update personv4.Update, effects []string) {
	if w.Mobile.Given {
		record.Entries = setOwn(record.Entries, contactsv1.Mobile, w.Mobile.Detail)
	}
	if w.Email.Given {
		record.Entries = setOwn(record.Entries, contactsv1.Email, w.Email.Detail)
	}
	if endPaperOptOut(&record) {
		effects = append(effects, contactsv1.EffectPaperOptOutEnded)
	}
	return personv4.Update{
		Actor: personv4.Actor{ID: record.Person}, Person: record.Person, VersionToUpdate: w.Version,
		Entries: record.Entries, ContactPersons: record.ContactPersons, OptoutPaper: record.OptoutPaper, Unknown: record.Unknown,
	}, effects
}

// refusedWrite is the problem of a write that the register refuses with a code.
func refusedWrite(code string) *problem.Problem {
	switch code {
	case contactsv1.CodeProtectedPerson:
		return problem.New(http.StatusForbidden, code, "The person is protected, and the system may not change protected persons.")
	case contactsv1.CodePersonDeceased:
		return problem.New(http.StatusConflict, code, "The person is deceased.")
	case contactsv1.CodePersonUnknown:
		return refUnknown()
	}
	return problem.New(http.StatusPreconditionFailed, contactsv1.CodeStaleVersion, "The record has changed. Read it again.")
}

// observeContacts logs a call of the REST contract.
func (r *Register) observeContacts(ctx context.Context, x contactsv1.Exchange) {
	if logged, ok := ctx.Value(loggedKey{}).(*bool); ok {
		*logged = true
	}
	l := line{operation: contactsOperation(x.Operation), caller: x.Caller, duration: x.Duration, logID: x.LogID, cause: causeText(x.Cause)}
	l.outcome, l.blame = personv4.OutcomeOK, blameOf(x.Status)
	if x.Code != "" {
		l.outcome = "problem:" + x.Code
	}
	if errors.Is(x.Cause, context.Canceled) {
		l.outcome, l.blame = "caller_left", blameClient
	}
	if p := passageOf(ctx); p != nil {
		p.amend(&l)
	}
	r.write(ctx, l)
}

// tellContacts logs a call that was carried out when its caller no longer waited.
func (r *Register) tellContacts(c call, a answer) {
	l := line{operation: c.operation, caller: c.caller, outcome: personv4.OutcomeOK, blame: blameNone}
	if p, ok := errors.AsType[*problem.Problem](a.err); ok {
		l.outcome, l.blame = "problem:"+p.Code, blameOf(p.Status)
	} else if a.err != nil {
		l.outcome, l.blame, l.cause = "problem:"+contactsv1.CodeInternal, blameUs, causeText(a.err)
	}
	(&passage{a}).amend(&l)
	r.write(r.faults.life, l)
}

// turnAway sends a dialled status as this contract would.
func turnAway(w http.ResponseWriter, status int, retryAfter time.Duration) {
	code := contactsv1.CodeUnavailable
	if status == http.StatusTooManyRequests {
		code = contactsv1.CodeTooManyRequests
	}
	p := problem.New(status, code, errDialled.Error())
	p.RetryAfter = retryAfter
	p.Write(w)
}
