package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"contactsync/cmd/internal/devstack"
)

func certificatesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "certificates DIR",
		Short: "Make a test authority, and certificates for a register and its callers",
		Long: `Makes in DIR what is missing: a test authority (ca.pem), a certificate for a register on this machine, and one for each
caller. Never for production: the authority's key lies beside them.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := devstack.PrepareCertificates(args[0], time.Now()); err != nil {
				return err
			}
			for _, holder := range devstack.Holders() {
				fmt.Fprintf(c.OutOrStdout(), "%s  %s\n", filepath.Join(args[0], holder.Name+".pem"), holder.HSAID)
			}
			return nil
		},
	}
}
