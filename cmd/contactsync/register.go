package main

import (
	"context"
	"errors"
	"time"

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

func runRegister(ctx context.Context, c config.Register, command *cobra.Command) error {
	p, err := newProcess(ctx, "register", c.Common, mockregister.Schema(), command)
	if err != nil {
		return err
	}
	contracts, err := listen(c.Listen, "REGISTER_LISTEN")
	if err != nil {
		return errors.Join(err, p.ops.Close())
	}
	r, err := mockregister.New(mockregister.Config{Pool: p.pool, Now: time.Now, Log: p.log, LogicalAddress: c.LogicalAddress, Callers: c.Callers,
		WholeSeconds: c.WholeSeconds})
	if err != nil {
		return err
	}
	p.serveOps(map[string]run.Check{}, nil)
	p.serve(run.Server{Name: "register", Listener: contracts, Handler: r.Handler(), TLS: c.TLS})
	if c.Admin != "" {
		admin, err := listen(c.Admin, "REGISTER_ADMIN_LISTEN")
		if err != nil {
			return err
		}
		p.serve(run.Server{Name: "register admin", Listener: admin, Handler: r.Admin()})
	}
	return p.run(func(ctx context.Context) error { return closeRegister(ctx, r) })
}
