package main

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"contactsync/cmd/internal/config"
	"contactsync/cmd/internal/database"
	"contactsync/cmd/internal/devstack"
	"contactsync/consent/pgschema"
	"contactsync/contracts/mockregister"
	"contactsync/contracts/rivta"
)

// accessTimeout bounds one command.
const accessTimeout = 15 * time.Second

// accessPlace says where the commands of access find the table, and who changes it.
type accessPlace struct{ data, by, logicalAddress string }

func (p *accessPlace) addFlags(c *cobra.Command) {
	c.Flags().StringVar(&p.data, "data", "", "data `DIR` of a running dev, to find its database; without it, variables tell: see check-config access")
}

func (p *accessPlace) addChangeFlags(c *cobra.Command, logicalAddress string) {
	c.Flags().StringVar(&p.by, "as", "", "`NAME` of who makes the change, for the record (default: the user of this machine)")
	c.Flags().StringVar(&p.logicalAddress, "logical-address", "", logicalAddress)
}

// accessAt is where a command works, and on what.
type accessAt struct {
	admin          mockregister.AccessAdmin
	system         string // HSA-id; empty where none is named
	contracts      []string
	logicalAddress string // as given, else the register's
}

// visit reads SYSTEM and CONTRACT…, where there are any, and opens the database as the owner of its schemas.
func (p accessPlace) visit(ctx context.Context, args []string, do func(context.Context, accessAt) error) error {
	at, err := p.at(args)
	if err != nil {
		return usageError{err}
	}
	settings, err := p.settings()
	if err != nil {
		return err
	}
	if at.logicalAddress == "" {
		at.logicalAddress = settings.LogicalAddress
	}
	ctx, cancel := context.WithTimeout(ctx, accessTimeout)
	defer cancel()
	if at.admin.Pool, err = pgxpool.NewWithConfig(ctx, settings.Postgres); err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer at.admin.Pool.Close()
	if err := database.Ready(at.admin.Pool, mockregister.Schema())(ctx); err != nil {
		return databaseError(err)
	}
	return databaseError(do(ctx, at))
}

func (p accessPlace) at(args []string) (at accessAt, err error) {
	at = accessAt{admin: mockregister.AccessAdmin{By: p.by}, logicalAddress: p.logicalAddress}
	if len(args) > 0 {
		at.contracts = args[1:]
		at.system, err = p.hsaID(args[0])
		if at.admin.By == "" {
			at.admin.By = osUser()
		}
	}
	for _, contract := range at.contracts {
		if !slices.Contains(mockregister.Contracts(), contract) {
			err = errors.Join(err, fmt.Errorf("CONTRACT is one of %s", strings.Join(mockregister.Contracts(), ", ")))
			break
		}
	}
	if p.logicalAddress != "" && !rivta.IsHSAID(p.logicalAddress) {
		err = errors.Join(err, errors.New("--logical-address is an HSA-id"))
	}
	return at, err
}

// hsaID reads SYSTEM. Names are those of dev: elsewhere they would let in whoever has a test certificate's HSA-id.
func (p accessPlace) hsaID(system string) (string, error) {
	if rivta.IsHSAID(system) {
		return system, nil
	}
	var names []string
	for _, holder := range devstack.Systems() {
		if holder.Name == system && p.data != "" {
			return holder.HSAID, nil
		}
		names = append(names, holder.Name)
	}
	return "", fmt.Errorf("SYSTEM is an HSA-id or, with --data DIR of a running dev, one of %s", strings.Join(names, ", "))
}

// systemName is the name of a system's certificate in dev; empty for other systems.
func systemName(hsaID string) string {
	for _, holder := range devstack.Systems() {
		if holder.HSAID == hsaID {
			return holder.Name
		}
	}
	return ""
}

// osUser is who runs the command, as far as the machine knows.
func osUser() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

// settings come from the data folder of a dev, or else from variables.
func (p accessPlace) settings() (config.Access, error) {
	if p.data == "" {
		return configured(config.ReadAccess)
	}
	c := config.Access{LogicalAddress: registerAddress}
	at, err := devstack.ReadEndpoints(p.data)
	if err != nil {
		return c, fmt.Errorf("find PostgreSQL by --data: %w", err)
	}
	if c.Postgres, err = pgschema.ParseConfig(at.Postgres); err != nil {
		return c, err
	}
	return c, nil
}
