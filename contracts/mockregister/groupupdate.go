package mockregister

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// maxUpdates bounds the updates of one statement: they hold maxContent each at most.
const maxUpdates = 64

// groupedUpdate is an update on its way to be carried out together with others.
type groupedUpdate struct {
	ctx    context.Context // of the call
	call   call
	update personv4.Update
	record *personv4.Record // what was written; nil: nothing was
}

// replaceGrouped is replaceAlone together with the updates that come meanwhile. What a group did not carry out goes alone: that tells why, or waits
// for whoever holds the record.
func (r *Register) replaceGrouped(ctx context.Context, c call, update personv4.Update) (*personv4.Record, error) {
	u := &groupedUpdate{ctx: ctx, call: c, update: update}
	if err := r.updates.commit(ctx, u); err != nil {
		return nil, err
	}
	if u.record != nil {
		return u.record, nil
	}
	return r.replaceAlone(ctx, c, update)
}

// overwriteAll carries out those of the updates that it can. After an error nobody knows which.
func (r *Register) overwriteAll(ctx context.Context, updates []*groupedUpdate) error {
	conn, err := r.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if len(updates) == 1 { // for which the statement of a group takes a third longer
		err = r.overwriteFirst(ctx, conn, updates[0])
	} else {
		err = r.overwriteGroup(ctx, conn, updates)
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.SeverityUnlocalized == "ERROR" {
		return nil // one of them is at fault, and none was carried out
	}
	return err
}

func (r *Register) overwriteFirst(ctx context.Context, conn *pgxpool.Conn, u *groupedUpdate) error {
	if u.ctx.Err() != nil {
		return nil
	}
	record, err := r.overwrite(ctx, conn, u.call, u.update, passOver)
	_, isFault := errors.AsType[*rivta.Fault](err)
	switch {
	case isFault, errors.Is(err, errNoVersion), errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	u.record = record
	return nil
}

func (r *Register) overwriteGroup(ctx context.Context, conn *pgxpool.Conn, updates []*groupedUpdate) error {
	g := r.draft(updates)
	protections, err := g.store(ctx, conn)
	if err != nil {
		return err
	}
	for _, p := range protections {
		record := &g.records[p.n-1]
		record.ProtectedPerson, record.ProtectedPopulation = p.person, &p.population
		g.updates[p.n-1].record = record
	}
	return nil
}

// draftedGroup is what one statement is to write, by columns.
type draftedGroup struct {
	updates []*groupedUpdate
	records []personv4.Record
	access  []accessEntry
	rows    accessRows

	roots, extensions, versions, nexts, contents []string
	unrestricted, mobileNotify, emailNotify      []bool
	mobiles, emails                              []*string
}

// draft makes the records of a statement that is about to run; see overwrite of when that is. It leaves out whose caller has left,
// who cannot be carried out whatever stands there, and who would follow another one of the same person: that is to be judged by what
// this statement leaves behind.
func (r *Register) draft(updates []*groupedUpdate) *draftedGroup {
	g, wall, persons := &draftedGroup{}, r.clock.wall(), make(map[personv4.ID]bool, len(updates))
	for _, u := range updates {
		id := personv4.ID{Root: u.update.Person.Root, Extension: u.update.Person.Extension}
		if u.ctx.Err() != nil || persons[id] {
			continue
		}
		next, err := r.clock.versionAt(wall, u.update.VersionToUpdate)
		if err != nil {
			continue
		}
		record := r.updated(u.update, next)
		content, err := stored(record)
		if err != nil || len(content) > maxContent {
			continue
		}
		persons[id] = true
		g.add(u, record, content)
	}
	g.rows = r.accessRows(g.access)
	return g
}

func (g *draftedGroup) add(u *groupedUpdate, record personv4.Record, content string) {
	o := ownOf(record.Entries)
	g.updates, g.records = append(g.updates, u), append(g.records, record)
	g.access = append(g.access, u.call.entryOf(u.update, personv4.OutcomeOK, record.Version))
	g.roots, g.extensions = append(g.roots, record.Person.Root), append(g.extensions, record.Person.Extension)
	g.versions, g.nexts = append(g.versions, u.update.VersionToUpdate), append(g.nexts, record.Version)
	g.contents, g.unrestricted = append(g.contents, content), append(g.unrestricted, u.call.unrestricted)
	g.mobiles, g.mobileNotify = append(g.mobiles, o.mobile), append(g.mobileNotify, o.mobileNotify)
	g.emails, g.emailNotify = append(g.emails, o.email), append(g.emailNotify, o.emailNotify)
}

// protection is what the register says of a person whose record was written, the nth of a group.
type protection struct {
	n                  int64
	person, population bool
}

// store is the statement of overwrite for all of a group, whose rows are judged and logged one by one. It passes over records that
// somebody else holds. So it waits for nobody: no two statements can wait for each other, whatever order they go in, nobody is held up
// by another one's record, and no version is drawn long before it is seen. What is only logged joins at the end: an update copies the
// whole row that it joins with, in case it must judge anew.
func (g *draftedGroup) store(ctx context.Context, conn *pgxpool.Conn) ([]protection, error) {
	if len(g.updates) == 0 {
		return nil, nil
	}
	rows, err := conn.Query(ctx, `
		with changed as (
			update register.persons p set version = a.next, content = a.content,
				own_version = a.next, mobile = a.mobile, mobile_notify = a.mobile_notify, email = a.email, email_notify = a.email_notify
			from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::boolean[],
				$7::text[], $8::boolean[], $9::text[], $10::boolean[]) with ordinality
			as a (of_root, of_extension, previous, next, content, unrestricted, mobile, mobile_notify, email, email_notify, n)
			where p.ctid = (select ctid from register.persons where root = a.of_root and extension = a.of_extension for no key update skip locked)
				and p.version = a.previous and not p.deceased and (a.unrestricted or not p.protected_person and not p.protected_population)
			returning a.n, p.protected_person, p.protected_population
		), logged as (
			insert into register.access_log (`+accessColumns+`)
			select `+accessColumns+`
			from unnest($11::uuid[], $12::timestamptz[], $13::bytea[], $14::text[], $15::text[], $16::text[], $17::text[], $18::text[], $19::text[],
				$20::text[], $21::text[], $22::text[], $23::text[], $24::text[], $25::text[]) with ordinality
			as l (`+accessColumns+`, n) join changed using (n)
		)
		select n, protected_person, protected_population from changed`,
		append([]any{g.roots, g.extensions, g.versions, g.nexts, g.contents, g.unrestricted,
			g.mobiles, g.mobileNotify, g.emails, g.emailNotify}, g.rows.columns()...)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (p protection, err error) {
		err = row.Scan(&p.n, &p.person, &p.population)
		return p, err
	})
}
