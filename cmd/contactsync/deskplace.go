package main

import (
	"bufio"
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"contactsync/cmd/internal/config"
	"contactsync/cmd/internal/devstack"
	"contactsync/consent/consentpg"
	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/outbox"
	"contactsync/consent/pgschema"
	"contactsync/consent/reason"
	"contactsync/sync/register"
	"contactsync/sync/support"
	"contactsync/sync/syncpg"
)

// devStaff is who works at the desk of dev unless --as says otherwise.
const devStaff = "SE2321000016-CSS1"

// deskTimeout bounds one visit to the desk, the register's answer included.
const deskTimeout = 15 * time.Second

// deskPlace says where the commands of support find what they work on, who works there, and what they read.
type deskPlace struct{ data, staff, lang string }

func (p *deskPlace) addFlags(c *cobra.Command) {
	c.Flags().StringVar(&p.data, "data", "", "data `DIR` of a running dev, to find its databases and register; without it, variables tell: see check-config support")
	c.Flags().StringVar(&p.staff, "as", devStaff, "`HSA-ID` of who works at the desk, for the audit")
	c.Flags().StringVar(&p.lang, "lang", "en", "language of states and reasons, as residents are told them: en or sv")
}

// visit opens the desk, lets do work there, and closes it.
func (p deskPlace) visit(ctx context.Context, do func(context.Context, *support.Desk, event.Actor) error) error {
	staff, fault := support.Staff(p.staff)
	if p.lang != "en" && p.lang != "sv" {
		fault = errors.Join(fault, errors.New("--lang is en or sv"))
	}
	if p.data == "" && p.staff == devStaff {
		fault = errors.Join(fault, errors.New("who works at the desk? Give --as HSA-ID, or --data DIR of a running dev"))
	}
	if fault != nil {
		return usageError{fault}
	}
	ctx, cancel := context.WithTimeout(ctx, deskTimeout)
	defer cancel()
	desk, done, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer done()
	return deskError(do(ctx, desk, staff))
}

// open finds all by the data folder of a dev, or else by variables.
func (p deskPlace) open(ctx context.Context) (_ *support.Desk, done func(), err error) {
	find := devDesk
	if p.data == "" {
		find = func(string) (config.Support, error) { return configured(config.ReadSupport) }
	}
	c, err := find(p.data)
	if err != nil {
		return nil, nil, err
	}
	secret, err := tokenSecret(c.Postgres.ConnConfig.Password)
	if err != nil {
		return nil, nil, err
	}
	holder, err := registerReader(c.Register, 2)
	if err != nil {
		return nil, nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, c.Postgres)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	decisions, err1 := consentpg.New(consentpg.Config{Pool: pool, Source: c.Source, Pepper: c.Pepper, AuditKey: c.AuditKey, Now: time.Now,
		Written: notifies(pool, "consent")})
	state, err2 := syncpg.New(syncpg.Config{Pool: pool, Source: c.Source, Pepper: c.Pepper, AuditKey: c.AuditKey, Written: notifies(pool, "sync")})
	desk, err3 := support.New(support.Config{
		Consent: decisions, Sync: state, Register: holder, Secret: secret, Pepper: c.Pepper, Now: time.Now,
	})
	return desk, pool.Close, errors.Join(err1, err2, err3)
}

// notifies tells the relays of a schema, which are in other processes, that there is something to publish.
func notifies(pool *pgxpool.Pool, schema string) func(context.Context) {
	return func(ctx context.Context) { _ = outbox.Notify(ctx, pool, schema) } // else they find it by themselves
}

// tokenSecret is made from what only this installation has: the pepper of dev is published.
func tokenSecret(password string) ([]byte, error) {
	if password == "" {
		return nil, errors.New("PostgreSQL has no password to make the secret of confirmation tokens from")
	}
	return hkdf.Key(sha256.New, []byte(password), nil, "contactsync support confirmation", sha256.Size)
}

// devDesk asks the register by the desk's own certificate.
func devDesk(dir string) (c config.Support, err error) {
	at, err := devstack.ReadEndpoints(dir)
	if err != nil {
		return c, fmt.Errorf("find the desk by --data: %w", err)
	}
	address, err := at.PostgresAs(pgschema.RoleSupport)
	if err != nil {
		return c, err
	}
	if c.Postgres, err = pgschema.ParseConfig(address); err != nil {
		return c, err
	}
	place := registerPlace{ca: filepath.Join(dir, "tls", "ca.pem"), cert: filepath.Join(dir, "tls", devstack.SupportCertificate+".pem"),
		key: filepath.Join(dir, "tls", devstack.SupportCertificate+"-key.pem")}
	tls, err := place.tls()
	if err != nil {
		return c, err
	}
	c.Register = config.RegisterClient{URL: at.Register, LogicalAddress: registerAddress, TLS: tls, Codes: register.DefaultCodes()}
	c.Source, c.Pepper = "urn:hsaid:"+devstack.PortalHSAID, []byte(event.DevelopmentPepper)
	c.AuditKey, err = devstack.ReadAuditKey(dir)
	return c, err
}

// deskError tells what may go better later from what will not.
func deskError(err error) error {
	if _, unreachable := errors.AsType[*pgconn.ConnectError](err); unreachable {
		return databaseError(err)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, support.ErrRegisterAway), errors.Is(err, context.DeadlineExceeded), databaseAway(err):
		return tryAgainError{err}
	case errors.Is(err, support.ErrTokenForeign), errors.Is(err, support.ErrTokenExpired), errors.Is(err, support.ErrChanged):
		return fmt.Errorf("refused, nothing was changed: %w; without --confirm the command gives a new one", err)
	}
	return err
}

// personArgument reads one identity; - takes it from standard input, where no list of processes shows it.
func personArgument(c *cobra.Command, arg string) (contact.PersonID, error) {
	if arg == "-" {
		line, err := bufio.NewReader(io.LimitReader(c.InOrStdin(), 1024)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return contact.PersonID{}, fmt.Errorf("read the person: %w", err)
		}
		arg = strings.TrimSpace(line)
	}
	person, err := contact.ParsePersonID(rootOf(arg), arg, time.Now())
	if err != nil {
		text, _ := reason.Of(err).Text()
		return person, fmt.Errorf("person: %s: %s", reason.Of(err), text.EN)
	}
	return person, nil
}
