package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"contactsync/contracts/mockregister"
)

func accessCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "access",
		Short: "See and change which system may use which contract of the mock register",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(accessListCommand(), accessGrantCommand(), accessRevokeCommand())
	return c
}

// effective is what a running register is bound to.
const effective = "in effect within 5 s"

func accessGrantCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "grant SYSTEM CONTRACT…",
		Short: "Let a system use contracts of the register",
		Long: `Lets SYSTEM use each CONTRACT, all majors of it, with the rights given and no others, whatever it had there before.
SYSTEM is an HSA-id or, with --data, the name of a certificate of that dev. Every change is on record. CONTRACT is one of

  ` + strings.Join(mockregister.Contracts(), "\n  ") + `

Rights: protected (be told of protected persons, and change them: an Unrestricted contract is refused without it),
support (change persons in the name of staff, through the SOAP contracts), write (change persons through contactsv1).`,
		Example: "  contactsync access grant --data DIR journal UpdatePersonContactInformationUnrestricted --may protected\n" +
			"  contactsync access grant SE2321000016-CSJ1 contactsv1 --may write,protected",
		Args: usageArgs(cobra.MinimumNArgs(2)),
	}
	var place accessPlace
	place.addFlags(c)
	place.addChangeFlags(c, "`HSA-ID` of the register that it is for (default: the one by which the register is addressed)")
	may := c.Flags().StringSlice("may", nil, "`RIGHTS`, separated by commas")
	c.RunE = func(c *cobra.Command, args []string) error {
		rights, fault := mockregister.ParseRights(*may)
		if fault != nil {
			return usageError{fmt.Errorf("--may: %w", fault)}
		}
		return place.visit(c.Context(), args, func(ctx context.Context, at accessAt) error {
			var grants []mockregister.Grant
			for _, contract := range at.contracts {
				grants = append(grants, mockregister.Grant{System: at.system, Contract: contract, LogicalAddress: at.logicalAddress, Rights: rights})
			}
			if err := at.admin.Grant(ctx, grants...); err != nil {
				return err
			}
			return showGranted(c.OutOrStdout(), c.ErrOrStderr(), grants)
		})
	}
	return c
}

func showGranted(out, remarks io.Writer, grants []mockregister.Grant) error {
	for _, g := range grants {
		fmt.Fprintf(out, "%s may use %s at %s%s: %s\n", g.System, g.Contract, g.LogicalAddress, withRights(g.Rights), effective)
		if g.Idle() {
			fmt.Fprintf(remarks, "contactsync: %s is refused all the same without --may protected\n", g.Contract)
		}
	}
	return nil
}

func withRights(r mockregister.Rights) string {
	if words := r.Words(); len(words) > 0 {
		return ", with the rights " + strings.Join(words, ", ")
	}
	return ""
}

func accessRevokeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "revoke SYSTEM CONTRACT…",
		Short: "Take contracts of the register from a system",
		Long: `Takes each CONTRACT from SYSTEM, whatever rights it has there: at all logical addresses unless one is given. Every change
is on record. It fails, with code 1, where there was nothing to revoke.`,
		Example: "  contactsync access revoke --data DIR journal GetPersonContactInformationUnrestricted",
		Args:    usageArgs(cobra.MinimumNArgs(2)),
	}
	var place accessPlace
	place.addFlags(c)
	place.addChangeFlags(c, "only at the register with this `HSA-ID` (default: at all)")
	c.RunE = func(c *cobra.Command, args []string) error {
		return place.visit(c.Context(), args, func(ctx context.Context, at accessAt) error {
			var faults []error
			for _, contract := range at.contracts {
				revoked, err := at.admin.Revoke(ctx, at.system, contract, place.logicalAddress)
				for _, g := range revoked {
					fmt.Fprintf(c.OutOrStdout(), "%s may no longer use %s at %s: %s\n", g.System, g.Contract, g.LogicalAddress, effective)
				}
				if errors.Is(err, mockregister.ErrNotGranted) {
					err = fmt.Errorf("%s may not use %s in any case", at.system, contract)
				}
				faults = append(faults, err)
			}
			return errors.Join(faults...)
		})
	}
	return c
}

// maxAccessChanges bounds one page of the record.
const maxAccessChanges = 10_000

func accessListCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "list",
		Short:   "List which system may use which contract, or what was changed",
		Example: "  contactsync access list --data DIR\n  contactsync access list --data DIR --changes 20 --json",
		Args:    usageArgs(cobra.NoArgs),
	}
	var place accessPlace
	place.addFlags(c)
	last := c.Flags().Int("changes", 0, "the last `N` changes instead, the newest first")
	asJSON := c.Flags().Bool("json", false, `print {"access"}, or {"changes"}`)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if *last < 0 || *last > maxAccessChanges {
			return usageError{fmt.Errorf("--changes is from 1 to %d", maxAccessChanges)}
		}
		return place.visit(c.Context(), nil, func(ctx context.Context, at accessAt) error {
			if *last > 0 {
				changes, err := at.admin.Changes(ctx, *last)
				if err != nil {
					return err
				}
				return showAccessChanges(c.OutOrStdout(), each(changes, viewAccessChange), *asJSON)
			}
			grants, err := mockregister.Grants(ctx, at.admin.Pool)
			if err != nil {
				return err
			}
			return showAccess(c.OutOrStdout(), each(grants, viewGrant), *asJSON)
		})
	}
	return c
}

type grantJSON struct {
	System         string   `json:"system"`
	Name           *string  `json:"name"` // of its certificate in dev
	Contract       string   `json:"contract"`
	LogicalAddress string   `json:"logicalAddress"`
	May            []string `json:"may"`
}

type accessChangeJSON struct {
	At             string   `json:"at"`
	By             string   `json:"by"`
	DatabaseUser   string   `json:"databaseUser"`
	Change         string   `json:"change"` // granted, changed or revoked
	System         string   `json:"system"`
	Name           *string  `json:"name"`
	Contract       string   `json:"contract"`
	LogicalAddress string   `json:"logicalAddress"`
	MayBefore      []string `json:"mayBefore"` // null: it was not granted
	May            []string `json:"may"`       // null: it was revoked
}

func viewGrant(g mockregister.Grant) grantJSON {
	return grantJSON{g.System, some(systemName(g.System)), g.Contract, g.LogicalAddress, g.Rights.Words()}
}

func viewAccessChange(c mockregister.AccessChange) accessChangeJSON {
	v := accessChangeJSON{At: when(c.At), By: c.By, DatabaseUser: c.DatabaseUser, Change: "changed", System: c.System,
		Name: some(systemName(c.System)), Contract: c.Contract, LogicalAddress: c.LogicalAddress}
	if c.GrantedBefore {
		v.MayBefore = c.RightsBefore.Words()
	} else {
		v.Change = "granted"
	}
	if c.Granted {
		v.May = c.Rights.Words()
	} else {
		v.Change = "revoked"
	}
	return v
}

func showAccess(out io.Writer, rows []grantJSON, asJSON bool) error {
	if asJSON {
		return showJSON(out, map[string][]grantJSON{"access": rows})
	}
	s := newSheet(out)
	s.row("system", "name", "contract", "logical address", "may")
	for _, g := range rows {
		s.row(g.System, orDash(g.Name), g.Contract, g.LogicalAddress, mayWords(g.May))
	}
	return s.Flush()
}

func showAccessChanges(out io.Writer, rows []accessChangeJSON, asJSON bool) error {
	if asJSON {
		return showJSON(out, map[string][]accessChangeJSON{"changes": rows})
	}
	s := newSheet(out)
	s.row("at", "by", "change", "system", "name", "contract", "logical address", "may", "before")
	for _, c := range rows {
		s.row(c.At, c.By, c.Change, c.System, orDash(c.Name), c.Contract, c.LogicalAddress, mayWords(c.May), mayWords(c.MayBefore))
	}
	return s.Flush()
}

// mayWords tells rights beyond calling.
func mayWords(words []string) string {
	switch {
	case words == nil:
		return "nothing"
	case len(words) == 0:
		return "-"
	}
	return strings.Join(slices.Sorted(slices.Values(words)), ",")
}
