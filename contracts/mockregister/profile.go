package mockregister

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"contactsync/contracts/personprofilev5"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// Persons implements personprofilev5.Service.
func (r *Register) Persons(
	ctx context.Context, caller rivta.Caller, query personprofilev5.Query,
) ([]personprofilev5.Answer, error) {
	return r.persons(ctx, bulkCall(caller, query), query)
}

func bulkCall(caller rivta.Caller, query personprofilev5.Query) call {
	return call{operation: personprofilev5.Operation(query.Unrestricted), class: classRead, caller: caller,
		unrestricted: query.Unrestricted, persons: query.Persons}
}

// maxBulkContent bounds the contact details in one answer, in bytes as stored. Usual records have a thousandth of it each.
const maxBulkContent = 8 << 20

// tooMuch is the fault for a call whose answer would be too long, though it asks for no more persons than it may.
func tooMuch() *rivta.Fault {
	return &rivta.Fault{Code: rivta.FaultClient, String: "the answer would be too long: ask for fewer persons"}
}

// persons answers a bulk read, once it is logged. All persons are looked up in one statement and logged in another, so that a call
// costs two round trips.
func (r *Register) persons(ctx context.Context, c call, query personprofilev5.Query) ([]personprofilev5.Answer, error) {
	answers, err := r.lookAll(ctx, query)
	fault, isFault := errors.AsType[*rivta.Fault](err)
	if err != nil && !isFault {
		return nil, err
	}
	if err := r.logReads(ctx, c.bulkEntries(query, answers, fault)); err != nil {
		return nil, err
	}
	return answers, err
}

func (r *Register) lookAll(ctx context.Context, query personprofilev5.Query) ([]personprofilev5.Answer, error) {
	answers := make([]personprofilev5.Answer, len(query.Persons))
	for i, id := range query.Persons {
		answers[i].Asked = personv4.ID{Root: id.Root, Extension: id.Extension}
	}
	found, err := r.findPersons(ctx, query)
	if err != nil {
		return nil, err
	}
	err = onAllCores(len(found), func(i int) (err error) {
		answers[found[i].position-1].Person, err = found[i].shownIn(query)
		return err
	})
	return answers, err
}

func (r *Register) findPersons(ctx context.Context, query personprofilev5.Query) ([]profiled, error) {
	rows, err := r.queryPersons(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("read persons: %w", err)
	}
	defer rows.Close()
	found, content := []profiled{}, 0
	for rows.Next() {
		p, err := scanProfiled(rows)
		if err != nil {
			return nil, fmt.Errorf("read persons: %w", err)
		}
		if content += len(p.content); content > maxBulkContent {
			return nil, tooMuch()
		}
		found = append(found, p)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read persons: %w", err)
	}
	return found, nil
}

// onAllCores does n things, few of them on one core. Reading stored XML is most of what a bulk read costs.
func onAllCores(n int, do func(i int) error) error {
	const few = 50
	cores := min(runtime.GOMAXPROCS(0), n/few+1)
	faults := make([]error, cores)
	var all sync.WaitGroup
	for core := range cores {
		all.Go(func() {
			for i := core; i < n && faults[core] == nil; i += cores {
				faults[core] = do(i)
			}
		})
	}
	all.Wait()
	return errors.Join(faults...)
}

// queryPersons finds those who are asked for, or who has replaced them. Contact details and relations are left out of what no
// profile will show.
func (r *Register) queryPersons(ctx context.Context, query personprofilev5.Query) (pgx.Rows, error) {
	roots, extensions := make([]string, len(query.Persons)), make([]string, len(query.Persons))
	for i, id := range query.Persons {
		roots[i], extensions[i] = id.Root, id.Extension
	}
	return r.pool.Query(ctx, `
		with asked as (
			select a.position, coalesce(l.primary_root, a.root) as root, coalesce(l.primary_extension, a.extension) as extension
			from unnest($1::text[], $2::text[]) with ordinality as a (root, extension, position)
			left join register.linked_identities l on not $3 and l.root = a.root and l.extension = a.extension
		)
		select a.position, p.root, p.extension, p.name, p.deceased, p.protected_person, p.protected_population, p.version,
			case when $4 and ($6 or not p.protected_person and not p.protected_population) then p.content else '' end,
			p.deregistration, p.deregistered_on, p.particulars, l.primary_root, l.primary_extension, l.replaced_on,
			linked.list, related.list
		from asked a
		join register.persons p on p.root = a.root and p.extension = a.extension
		left join register.linked_identities l on l.root = p.root and l.extension = p.extension
		left join lateral (
			select jsonb_agg(jsonb_build_object('root', o.root, 'extension', o.extension) order by o.replaced_on, o.root, o.extension) as list
			from register.linked_identities o
			where o.primary_root = coalesce(l.primary_root, p.root) and o.primary_extension = coalesce(l.primary_extension, p.extension)
				and (o.root <> p.root or o.extension <> p.extension)
		) linked on true
		left join lateral (
			select jsonb_agg(jsonb_build_object('type', o.type, 'since', o.since, 'root', q.root, 'extension', q.extension, 'name', q.name,
				'protected', q.protected_person or q.protected_population, 'deregistration', q.deregistration,
				'deregisteredOn', q.deregistered_on) order by o.type, q.root, q.extension) as list
			from (
				select 'V' as type, guardian_root as root, guardian_extension as extension, since
				from register.guardianships where child_root = p.root and child_extension = p.extension
				union all
				select 'VF', child_root, child_extension, since
				from register.guardianships where guardian_root = p.root and guardian_extension = p.extension
				union all
				select kind, parent_root, parent_extension, null
				from register.parents where child_root = p.root and child_extension = p.extension
				union all
				select 'B', child_root, child_extension, null
				from register.parents where parent_root = p.root and parent_extension = p.extension
			) o
			join register.persons q on q.root = o.root and q.extension = o.extension
			where $5
		) related on true`,
		roots, extensions, query.IgnoreReferred, query.Profile >= personprofilev5.P3, query.Profile >= personprofilev5.P4,
		query.Unrestricted)
}

func scanProfiled(rows pgx.Rows) (p profiled, err error) {
	var primaryRoot, primaryExtension *string
	err = rows.Scan(&p.position, &p.id.Root, &p.id.Extension, &p.name, &p.deceased, &p.secrecy, &p.protectedPopulation, &p.version,
		&p.content, &p.deregistration, &p.deregisteredOn, &p.particulars, &primaryRoot, &primaryExtension, &p.replacedOn,
		&p.linked, &p.relations)
	if primaryRoot != nil && primaryExtension != nil {
		p.replacedBy = &personv4.ID{Root: *primaryRoot, Extension: *primaryExtension}
	}
	return p, err
}

// profiled is a person as stored, with all that a profile may tell.
type profiled struct {
	person
	rivta.Redacted
	position       int // in the query, from 1
	name           string
	deregistration string // code; empty: none
	deregisteredOn *time.Time
	particulars    string       // see seedPerson
	replacedBy     *personv4.ID // the primary identity; nil: this is the primary one
	replacedOn     *time.Time
	linked         []linkedRow // identities other than this and the primary one
	relations      []relationRow
}

// linkedRow is an old identity of the same human.
type linkedRow struct {
	rivta.Redacted
	Root, Extension string
}

// relationRow is what somebody is to a person, with what may be told of them.
type relationRow struct {
	rivta.Redacted
	Type            string
	Since           string
	Root, Extension string
	Name            string
	Protected       bool
	Deregistration  string
	DeregisteredOn  string
}
