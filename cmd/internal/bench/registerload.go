package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"contactsync/contracts/contactsv1"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
	"contactsync/sync/register"
)

const (
	lookups      = 400 // by two callers at once, which is the rate, and by one, whose calls are timed
	readRate     = 500 // a second
	pacedFor     = 20 * time.Second
	warmFor      = 5 * time.Second // of reads before those that are timed
	drawnPersons = 200_000         // among whom the calls choose
)

// registered is the register of so many persons, all of whom have shared both details, and those who call it.
type registered struct {
	*stage
	persons []personv4.ID
	rest    *contactsv1.Client
	soap    *personv4.Client
}

// registerLoad: care systems look up a thousand persons a call and read single records, out of so many who are stored. Every call
// is in the access log before it is answered. There are no decisions, and no Kafka.
func registerLoad(ctx context.Context, r *rig, sc scenario) (_ figures, err error) {
	s := &registered{stage: r.named()}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.prepare(ctx, sc.decisions); err != nil {
		return nil, err
	}
	f := figures{persons: float64(sc.decisions)}
	if _, _, err = paced(ctx, readRate, warmFor, s.readOnce); err != nil {
		return nil, err
	}
	if f[readP50], f[readP99], err = paced(ctx, readRate, pacedFor, s.readOnce); err != nil { // before what fills the disk's queue
		return nil, err
	}
	if f[lookupPerS], _, _, err = s.lookUp(ctx, 2); err != nil {
		return nil, err
	}
	if _, f[lookupP50], f[lookupP99], err = s.lookUp(ctx, 1); err != nil {
		return nil, err
	}
	f[rssMB], _ = residentMB()
	return f, nil
}

func (s *registered) prepare(ctx context.Context, stored int) error {
	if err := s.newDatabase(ctx); err != nil {
		return err
	}
	s.cfg.Progress(fmt.Sprintf("storing %d persons", stored))
	if err := s.records.Fill(ctx, stored, true); err != nil {
		return err
	}
	if _, err := s.pool.Exec(ctx, `vacuum (analyze, freeze) register.persons`); err != nil {
		return err
	}
	if err := s.execute(ctx, "checkpoint"); err != nil {
		return err
	}
	syscall.Sync() // the register of a country is not filled just before it is read
	if err := s.draw(ctx, stored); err != nil {
		return err
	}
	if err := s.serve(ctx, s.records.Handler()); err != nil {
		return err
	}
	calling, _ := register.HTTPClients(s.client, 64, nil)
	return s.connectTo(calling)
}

// draw chooses persons from all over the table.
func (s *registered) draw(ctx context.Context, stored int) error {
	rows, err := s.pool.Query(ctx, `select root, extension from register.persons where random() < $1`, min(1, float64(drawnPersons)/float64(stored)))
	if err != nil {
		return err
	}
	var id personv4.ID
	for rows.Next() {
		if err := rows.Scan(&id.Root, &id.Extension); err != nil {
			return err
		}
		s.persons = append(s.persons, id)
	}
	return rows.Err()
}

func (s *registered) connectTo(calling *http.Client) (err error) {
	if s.rest, err = contactsv1.NewClient(contactsv1.ClientConfig{BaseURL: s.url, HTTP: calling}); err != nil {
		return err
	}
	s.soap, err = personv4.NewClient(personv4.ClientConfig{ClientConfig: rivta.ClientConfig{BaseURL: s.url, LogicalAddress: logicalAddress, HTTP: calling}})
	return err
}

func (s *registered) lookupOnce(ctx context.Context) error {
	asked := make([]contactsv1.Person, contactsv1.MaxItems)
	for i := range asked {
		asked[i] = contactsv1.PersonOf(s.persons[rand.IntN(len(s.persons))])
	}
	contacts, err := s.rest.Lookup(ctx, asked)
	if err != nil {
		return fmt.Errorf("lookup: %w", err)
	}
	for _, c := range contacts {
		if !c.Found {
			return errors.New("lookup: a stored person was not found")
		}
	}
	return nil
}

func (s *registered) readOnce(ctx context.Context) error {
	record, err := s.soap.Get(ctx, s.persons[rand.IntN(len(s.persons))])
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if record == nil {
		return errors.New("read: a stored person was not found")
	}
	return nil
}

// lookUp has some callers look up as fast as they can.
func (s *registered) lookUp(ctx context.Context, callers int) (personsPerS, p50, p99 float64, err error) {
	took := make([]time.Duration, lookups)
	var group errgroup.Group
	group.SetLimit(callers)
	began := time.Now()
	for i := range took {
		group.Go(func() error {
			at := time.Now()
			err := s.lookupOnce(ctx)
			took[i] = time.Since(at)
			return err
		})
	}
	err = group.Wait()
	personsPerS = lookups * contactsv1.MaxItems / time.Since(began).Seconds()
	p50, p99 = percentiles(took)
	return personsPerS, p50, p99, err
}

// paced calls at a steady rate, whether or not the calls before are done. The time of each runs from when it was due.
func paced(ctx context.Context, rate int, length time.Duration, call func(context.Context) error) (p50, p99 float64, err error) {
	took := make([]time.Duration, rate*int(length/time.Second))
	faults := make([]error, len(took))
	var calling sync.WaitGroup
	began := time.Now()
	for i := range took {
		due := began.Add(time.Duration(i) * time.Second / time.Duration(rate))
		if err = pause(ctx, time.Until(due)); err != nil {
			break
		}
		calling.Go(func() {
			faults[i] = call(ctx)
			took[i] = time.Since(due)
		})
	}
	calling.Wait()
	p50, p99 = percentiles(took)
	return p50, p99, errors.Join(append(faults, err)...)
}

func percentiles(took []time.Duration) (p50, p99 float64) {
	ms := make([]float64, len(took))
	for i, d := range took {
		ms[i] = float64(d) / float64(time.Millisecond)
	}
	slices.Sort(ms)
	return percentile(ms, 50), percentile(ms, 99)
}
