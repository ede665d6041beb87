package main

import (
	"bufio"
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"contactsync/cmd/internal/devstack"
	"contactsync/consent/consentpg"
	"contactsync/consent/contact"
	"contactsync/consent/event"
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
	c.Flags().StringVar(&p.data, "data", "", "data `DIR` of a running dev, to find its databases and register")
	c.Flags().StringVar(&p.staff, "as", devStaff, "`HSA-ID` of who works at the desk, for the audit")
	c.Flags().StringVar(&p.lang, "lang", "en", "language of states and reasons, as residents are told them: en or sv")
}

// visit opens the desk, lets do work there, and closes it.
func (p deskPlace) visit(ctx context.Context, do func(context.Context, *support.Desk, event.Actor) error) error {
	staff, fault := support.Staff(p.staff)
	if p.lang != "en" && p.lang != "sv" {
		fault = errors.Join(fault, errors.New("--lang is en or sv"))
	}
	if p.data == "" {
		fault = errors.Join(fault, errors.New("where is the desk? Give --data DIR of a running dev"))
	}
	if fault != nil {
		return usageError{fault}
	}
	ctx, cancel := context.WithTimeout(ctx, deskTimeout)
	defer cancel()
	desk, done, err := openDesk(ctx, p.data)
	if err != nil {
		return err
	}
	defer done()
	return deskError(do(ctx, desk, staff))
}

// openDesk finds all by the data folder. The schemas are dev's to bring up to date.
func openDesk(ctx context.Context, dir string) (_ *support.Desk, done func(), err error) {
	at, err := devstack.ReadEndpoints(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("find the desk by --data: %w", err)
	}
	secret, err := tokenSecret(at.Postgres)
	if err != nil {
		return nil, nil, err
	}
	holder, err := deskRegister(dir)
	if err != nil {
		return nil, nil, err
	}
	address, err := at.PostgresAs(pgschema.RoleSupport)
	if err != nil {
		return nil, nil, err
	}
	pool, err := pgxpool.New(ctx, address)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	pepper := []byte(event.DevelopmentPepper)
	decisions, err1 := consentpg.New(consentpg.Config{Pool: pool, Source: "urn:hsaid:" + devstack.PortalHSAID, Pepper: pepper, Now: time.Now})
	state, err2 := syncpg.New(syncpg.Config{Pool: pool, Source: "urn:hsaid:" + devstack.WorkerHSAID, Pepper: pepper})
	desk, err3 := support.New(support.Config{
		Consent: decisions, Sync: state, Register: holder, Secret: secret, Pepper: pepper, Now: time.Now,
	})
	return desk, pool.Close, errors.Join(err1, err2, err3)
}

// tokenSecret is made from what only this installation has: the pepper of dev is published.
func tokenSecret(postgres string) ([]byte, error) {
	u, err := url.Parse(postgres)
	if err != nil {
		return nil, errors.New("the address of PostgreSQL cannot be read") // it holds the password
	}
	password, _ := u.User.Password()
	if password == "" {
		return nil, errors.New("PostgreSQL has no password to make the secret of confirmation tokens from")
	}
	return hkdf.Key(sha256.New, []byte(password), nil, "contactsync support confirmation", sha256.Size)
}

// deskRegister reads with the worker's certificate, which may read protected persons.
func deskRegister(dir string) (*register.PersonV4, error) {
	place := registerPlace{data: dir, logicalAddress: registerAddress,
		cert: filepath.Join(dir, "tls", devstack.WorkerCertificate+".pem"),
		key:  filepath.Join(dir, "tls", devstack.WorkerCertificate+"-key.pem"),
	}
	client, err := place.client()
	if err != nil {
		return nil, err
	}
	return register.NewPersonV4(register.PersonV4Config{Reads: client, Writes: client, Codes: register.DefaultCodes(),
		Observe: func(string, string, string, time.Duration) {}})
}

// deskError tells what may go better later from what will not.
func deskError(err error) error {
	if _, unreachable := errors.AsType[*pgconn.ConnectError](err); unreachable {
		return databaseError(err)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, support.ErrRegisterAway), errors.Is(err, context.DeadlineExceeded):
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
