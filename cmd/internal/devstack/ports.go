package devstack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Ports of a stack lie in base…base+29, each service at its place; the rest is kept for services to come.
const (
	PortRange         = 30
	portPortal        = 0
	portOps           = 1
	portRegister      = 2
	portKafka         = 3
	portPostgres      = 4
	portRegisterAdmin = 5
)

// Ports holds open listeners on 127.0.0.1, so that nobody can take a port between choosing and using it. PostgreSQL opens
// its own; 0 lets it take that of the last run, if it is free when the PostgreSQL of that run has ended, or else a free one.
type Ports struct {
	Portal, Ops, Register, RegisterAdmin, Kafka net.Listener
	Postgres, LastPostgres                      int
}

// openPorts opens the ports from base on, or, with base 0, those of the last run as far as they are free.
func openPorts(ctx context.Context, base int, last Endpoints) (*Ports, error) {
	p := &Ports{}
	var err error
	if base == 0 {
		err = p.openLike(last)
	} else {
		err = p.openFrom(ctx, remnantPatience, base)
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *Ports) openLike(last Endpoints) error {
	var faults [5]error
	p.Portal, faults[0] = listenLike(portIn(last.Portal))
	p.Ops, faults[1] = listenLike(portIn(last.Ops))
	p.Register, faults[2] = listenLike(portIn(last.Register))
	p.Kafka, faults[3] = listenLike(portIn(last.Kafka))
	p.RegisterAdmin, faults[4] = listenLike(portIn(last.RegisterAdmin))
	p.LastPostgres = portIn(last.Postgres)
	return errors.Join(faults[:]...)
}

// openFrom waits for ports that a remnant of an earlier run may still hold, and then names all that are busy.
func (p *Ports) openFrom(ctx context.Context, patience time.Duration, base int) error {
	patient, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var postgres net.Listener // not kept: PostgreSQL opens its own
	var busy []string
	for _, port := range []struct {
		number   int
		listener *net.Listener
	}{
		{base + portPortal, &p.Portal}, {base + portOps, &p.Ops}, {base + portRegister, &p.Register}, {base + portKafka, &p.Kafka},
		{base + portPostgres, &postgres}, {base + portRegisterAdmin, &p.RegisterAdmin},
	} {
		l, err := listenPatiently(patient, port.number)
		switch {
		case err == nil:
			*port.listener = l
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, syscall.EADDRINUSE):
			busy = append(busy, strconv.Itoa(port.number))
		default:
			return err
		}
	}
	p.Postgres = base + portPostgres
	if postgres != nil {
		_ = postgres.Close()
	}
	return portsBusy(busy)
}

// portsBusy is nil if none is.
func portsBusy(busy []string) error {
	const todo = "busy: stop what listens there, or choose others with --port-base"
	switch len(busy) {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("port %s is %s", busy[0], todo)
	}
	return fmt.Errorf("ports %s are %s", strings.Join(busy, ", "), todo)
}

func (p *Ports) close() {
	for _, l := range []net.Listener{p.Portal, p.Ops, p.Register, p.RegisterAdmin, p.Kafka} {
		if l != nil {
			_ = l.Close() // closed already by what served on it
		}
	}
}

// listenPatiently opens a port when it becomes free; EADDRINUSE if it does not before ctx ends.
func listenPatiently(ctx context.Context, port int) (net.Listener, error) {
	for {
		l, err := listen(port)
		if err == nil || !errors.Is(err, syscall.EADDRINUSE) {
			return l, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(pollInterval):
		}
	}
}

// listenLike opens the port of the last run if it is free, else another. 0 is no port.
func listenLike(port int) (net.Listener, error) {
	if l, err := listen(port); err == nil {
		return l, nil
	}
	return listen(0)
}

func listen(port int) (net.Listener, error) {
	return net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
}
