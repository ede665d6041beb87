package devstack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"
)

// Ports of a stack lie in base…base+29, each service at its place; the rest is kept for services to come.
const (
	PortRange    = 30
	portPortal   = 0
	portOps      = 1
	portRegister = 2
	portKafka    = 3
	portPostgres = 4
)

// Ports holds open listeners on 127.0.0.1, so that nobody can take a port between choosing and using it. PostgreSQL opens
// its own; 0 lets it choose a free one.
type Ports struct {
	Portal, Ops, Register, Kafka net.Listener
	Postgres                     int
}

// openPorts opens the ports from base on, or, with base 0, those of the last run as far as they are free.
func openPorts(ctx context.Context, base int, last Endpoints) (*Ports, error) {
	p := &Ports{}
	ctx, cancel := context.WithTimeout(ctx, remnantPatience)
	defer cancel()
	var faults []error
	for _, port := range []struct {
		offset   int
		last     string
		listener *net.Listener
	}{
		{portPortal, last.Portal, &p.Portal},
		{portOps, last.Ops, &p.Ops},
		{portRegister, last.Register, &p.Register},
		{portKafka, last.Kafka, &p.Kafka},
	} {
		var err error
		if base != 0 {
			*port.listener, err = listenPatiently(ctx, base+port.offset)
		} else {
			*port.listener, err = listenLike(portIn(port.last))
		}
		faults = append(faults, err)
	}
	if base != 0 {
		p.Postgres = base + portPostgres
	} else {
		p.Postgres = freeAgain(portIn(last.Postgres))
	}
	if err := errors.Join(faults...); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *Ports) close() {
	for _, l := range []net.Listener{p.Portal, p.Ops, p.Register, p.Kafka} {
		if l != nil {
			_ = l.Close() // closed already by what served on it
		}
	}
}

// listenPatiently waits for a port that a remnant of an earlier run may still hold.
func listenPatiently(ctx context.Context, port int) (net.Listener, error) {
	for {
		l, err := listen(port)
		if err == nil || !errors.Is(err, syscall.EADDRINUSE) {
			return l, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("port %d is busy: stop what listens there, or choose other ports with --port-base", port)
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

func freeAgain(port int) int {
	if port == 0 {
		return 0
	}
	l, err := listen(port)
	if err != nil {
		return 0
	}
	_ = l.Close()
	return port
}

func listen(port int) (net.Listener, error) {
	return net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
}
