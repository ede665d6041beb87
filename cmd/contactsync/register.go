package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"contactsync/cmd/internal/config"
	"contactsync/cmd/internal/run"
	"contactsync/contracts/mockregister"
)

func registerCommand() *cobra.Command {
	return serviceCommand("register", "Run the mock of the national register",
		"Serves the national service contracts over mutual TLS, from records in PostgreSQL. It is a mock, to try things out against.",
		config.ReadRegister, runRegister)
}

func runRegister(ctx context.Context, c config.Register, logTo io.Writer) error {
	p, err := newProcess(ctx, "register", c.Common, mockregister.Schema(), logTo)
	if err != nil {
		return err
	}
	defer p.close()
	contracts, err := p.listen(c.Listen, "REGISTER_LISTEN")
	if err != nil {
		return err
	}
	r, err := mockregister.New(mockregister.Config{Pool: p.pool, Now: p.clock.Now, Log: p.log, LogicalAddress: c.LogicalAddress,
		WholeSeconds: c.WholeSeconds, Off: c.Off, AuditKey: c.AuditKey, Message: changeMessages(c.Kafka, c.Pepper, c.LogicalAddress)})
	if err != nil {
		return err
	}
	changes, err := newChangePublisher(c.Kafka, p.pool, p.log)
	if err != nil {
		return err
	}
	if err := p.seal(mockregister.AccessLog(), c.AuditKey); err != nil {
		return err
	}
	p.metrics.MustRegister(newDeprecatedCalls(r), newRegisterMetrics(r))
	if c.Admin != "" {
		admin, err := p.listen(c.Admin, "REGISTER_ADMIN_LISTEN")
		if err != nil {
			return err
		}
		p.serve(run.Server{Name: "register admin", Listener: admin, Handler: r.Admin()})
	}
	var beside map[string]run.Check
	if len(c.Kafka.Brokers) > 0 { // without it signals wait, and all else goes on
		beside = map[string]run.Check{"kafka": p.topics(c.Kafka)}
	}
	p.serveOps(nil, beside)
	server := registerServer(contracts, r)
	server.TLS = c.TLS
	p.serve(server)
	return p.run(func(ctx context.Context) error { return keepRegister(ctx, r, changes) })
}
