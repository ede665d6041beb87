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
		WholeSeconds: c.WholeSeconds, Off: c.Off})
	if err != nil {
		return err
	}
	p.metrics.MustRegister(newDeprecatedCalls(r))
	if c.Admin != "" {
		admin, err := p.listen(c.Admin, "REGISTER_ADMIN_LISTEN")
		if err != nil {
			return err
		}
		p.serve(run.Server{Name: "register admin", Listener: admin, Handler: r.Admin()})
	}
	p.serveOps(nil, nil)
	p.serve(run.Server{Name: "register", Listener: contracts, Handler: r.Handler(), TLS: c.TLS})
	return p.run(func(ctx context.Context) error { return closeRegister(ctx, r) })
}
