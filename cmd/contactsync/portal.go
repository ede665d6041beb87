package main

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"contactsync/cmd/internal/config"
	"contactsync/cmd/internal/messenger"
	"contactsync/cmd/internal/run"
	"contactsync/consent/audit"
	"contactsync/consent/consentpg"
	"contactsync/consent/contact"
	"contactsync/consent/portal"
	"contactsync/consent/stream"
	"contactsync/contracts/personv4"
	"contactsync/sync/register"
)

func portalCommand() *cobra.Command {
	return serviceCommand("portal", "Run the residents' pages, and the relay of their decisions",
		"Serves the residents' pages, publishes what is decided there to Kafka, and reads back how it ended.",
		config.ReadPortal, runPortal)
}

func runPortal(ctx context.Context, c config.Portal, logTo io.Writer) error {
	p, err := newProcess(ctx, "portal", c.Common, consentpg.Schema(), logTo)
	if err != nil {
		return err
	}
	defer p.close()
	pages, err := p.listen(c.Listen, "PORTAL_LISTEN")
	if err != nil {
		return err
	}
	s, err := newPortal(portalParts{Pool: p.pool, Kafka: c.Kafka, Source: c.Source, Pepper: c.Pepper, AuditKey: c.AuditKey, Register: c.Register,
		Key: c.Key, Secure: c.Secure, Persons: c.Persons, Now: p.clock.Now, Log: p.log})
	if err != nil {
		return err
	}
	p.metrics.MustRegister(messenger.NewUnpublished(s.store))
	if err := p.seal(consentpg.AuditLog(), c.AuditKey); err != nil {
		return err
	}
	// Without Kafka or the register a No is still taken, and carried out later: neither takes the pages out of service.
	p.serveOps(nil, map[string]run.Check{"kafka": p.topics(c.Kafka), "register": run.Reachable(c.Register.URL, c.Register.TLS)})
	p.serve(run.Server{Name: "portal", Listener: pages, Handler: s.pages.Handler()})
	context.AfterFunc(p.ctx, s.pages.Drain) // pages that wait for news must not hold up the end
	return p.run(s.messages.Run)
}

// portalParts are what a portal is made of.
type portalParts struct {
	Pool     *pgxpool.Pool
	Kafka    stream.Config
	Source   string
	Pepper   []byte
	AuditKey audit.Key
	Register config.RegisterClient
	Key      []byte
	Secure   bool
	Persons  []portal.Person
	Now      func() time.Time
	Log      *slog.Logger
}

// portalService is the residents' pages, and what carries decisions to Kafka and outcomes back.
type portalService struct {
	store    *consentpg.Store
	pages    *portal.Portal
	messages *messenger.Messenger
}

func newPortal(c portalParts) (_ portalService, err error) {
	var s portalService
	s.store, err = consentpg.New(consentpg.Config{Pool: c.Pool, Source: c.Source, Pepper: c.Pepper, AuditKey: c.AuditKey, Now: c.Now,
		Written: func(context.Context) { s.messages.Wake() }})
	if err != nil {
		return s, err
	}
	adapter, err := registerReader(c.Register, 8)
	if err != nil {
		return s, err
	}
	s.pages, err = portal.New(portal.Config{Store: s.store, Register: registerView{adapter}, Persons: func() []portal.Person { return c.Persons },
		Key: c.Key, Secure: c.Secure, Now: c.Now, Log: c.Log})
	if err != nil {
		return s, err
	}
	s.messages, err = messenger.New(messenger.Config{Kafka: c.Kafka, Pool: c.Pool, Store: s.store, Log: c.Log, Told: s.pages.Told})
	return s, err
}

// registerReader reads from the register, for people to look at.
func registerReader(c config.RegisterClient, connections int) (*register.PersonV4, error) {
	reads, _ := register.HTTPClients(c.TLS, connections, nil)
	client, err := personv4.NewClient(personv4.ClientConfig{ClientConfig: c.SOAP(reads)})
	if err != nil {
		return nil, err
	}
	return register.NewPersonV4(register.PersonV4Config{Reads: client, Writes: client, Codes: c.Codes,
		Observe: func(string, string, string, time.Duration) {}})
}

// registerView shows the portal what the register holds, over the contract.
type registerView struct{ register *register.PersonV4 }

// Held implements portal.Register.
func (v registerView) Held(ctx context.Context, p contact.PersonID) (map[contact.Channel][]portal.Entry, error) {
	reading, err := v.register.Read(ctx, p)
	if err != nil || reading == nil {
		return nil, err
	}
	held := map[contact.Channel][]portal.Entry{}
	for channel, own := range reading.Record().Own {
		for _, e := range own {
			held[channel] = append(held[channel], portal.Entry{Value: e.Value, Notify: e.Notify})
		}
	}
	return held, nil
}
