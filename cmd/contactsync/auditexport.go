package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"contactsync/cmd/internal/auditing"
	"contactsync/cmd/internal/devstack"
	"contactsync/consent/audit"
)

// exportFlags are the flags of audit export.
type exportFlags struct {
	auditPlace
	asker
	log, from, to, out              string
	system, provider, unit, purpose string
}

// devUnit is the care provider and unit of dev.
const devUnit = "SE2321000016-DEV1=Region Exempel"

func auditExportCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "export",
		Short: "Write log entries as StoreLog records",
		Long: `Writes log entries as bodies of StoreLog messages (informationsecurity:auditing:log, version 2.0), at most 500 records each: a file for
each message, named LOG-NUMBER.xml, or all of them one after the other. A record's logId is the entry's own, so one that was
sent before is refused by the log service as a duplicate, which means that it is there. It is itself audited.`,
		Example: "  contactsync audit export --data DIR --out export --from 2026-11-01 --reason 'Monthly delivery'",
		Args:    usageArgs(cobra.NoArgs),
	}
	var f exportFlags
	f.auditPlace.addFlags(c)
	f.asker.addFlags(c)
	c.Flags().StringVar(&f.log, "log", "", "only this log: "+strings.Join(auditing.LogNames(), ", "))
	c.Flags().StringVar(&f.from, "from", "", "first `TIME`, such as 2026-11-01 or 2026-11-01T08:00:00Z; a day begins at midnight UTC")
	c.Flags().StringVar(&f.to, "to", "", "`TIME` before which entries are taken")
	c.Flags().StringVar(&f.out, "out", "", "`DIR` for the files, made when absent; without it, standard output")
	c.Flags().StringVar(&f.system, "system", "", "`HSA-ID` of the system that the records are from, and of who did what no staff did")
	c.Flags().StringVar(&f.provider, "care-provider", "", "`HSA-ID[=NAME]` of the care provider that the records belong to")
	c.Flags().StringVar(&f.unit, "care-unit", "", "`HSA-ID[=NAME]` of the care unit")
	c.Flags().StringVar(&f.purpose, "purpose", "Administration", strings.Join(audit.Purposes(), ", "))
	c.RunE = func(c *cobra.Command, _ []string) error { return f.export(c) }
	return c
}

func (f exportFlags) export(c *cobra.Command) error {
	x, err := f.judge()
	if err != nil {
		return err
	}
	if f.out != "" {
		if err := os.MkdirAll(f.out, 0o700); err != nil {
			return err
		}
	}
	return f.visit(c.Context(), func(ctx context.Context, r auditing.Reader) error {
		n, err := r.Export(ctx, x, auditing.Batches(func(log string, number int) (io.WriteCloser, error) { return f.open(c, log, number) }))
		if err == nil && f.out != "" {
			fmt.Fprintf(c.OutOrStdout(), "%d records\n", n)
		}
		return err
	})
}

// open makes a file that only its owner may read, and never replaces one.
func (f exportFlags) open(c *cobra.Command, log string, number int) (io.WriteCloser, error) {
	if f.out == "" {
		return standing{c.OutOrStdout()}, nil
	}
	return os.OpenFile(filepath.Join(f.out, fmt.Sprintf("%s-%06d.xml", log, number)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// standing stays open.
type standing struct{ io.Writer }

func (standing) Close() error { return nil }

func (f exportFlags) judge() (x auditing.Export, err error) {
	if f.data != "" { // dev has no organisation of its own
		for value, fallback := range map[*string]string{&f.system: devstack.PortalHSAID, &f.provider: devUnit, &f.unit: devUnit} {
			if *value == "" {
				*value = fallback
			}
		}
	}
	staff, askerFault := f.asker.judge(f.data)
	logs, logFault := logsNamed(f.log)
	from, fromFault := momentOf("--from", f.from)
	to, toFault := momentOf("--to", f.to)
	var faults []error
	for _, flag := range [][2]string{{"--system", f.system}, {"--care-provider", f.provider}, {"--care-unit", f.unit}} {
		if id, _, _ := strings.Cut(flag[1], "="); !audit.IsHSAID(id) {
			faults = append(faults, errors.New(flag[0]+" is an HSA-id such as SE2321000016-1A2B"))
		}
	}
	if !slices.Contains(audit.Purposes(), f.purpose) {
		faults = append(faults, errors.New("--purpose is one of "+strings.Join(audit.Purposes(), ", ")))
	}
	if err := errors.Join(append([]error{askerFault, logFault, fromFault, toFault}, faults...)...); err != nil {
		return x, usageError{err}
	}
	x = auditing.Export{From: from, To: to, System: f.system, CareProvider: organisationOf(f.provider), CareUnit: organisationOf(f.unit),
		Purpose: f.purpose, By: staff, Ground: f.ground}
	for _, log := range logs {
		x.Logs = append(x.Logs, log.Name)
	}
	return x, nil
}

func organisationOf(text string) audit.Organisation {
	id, name, _ := strings.Cut(text, "=")
	return audit.Organisation{ID: id, Name: name}
}

// momentOf reads a day or a moment; empty is none.
func momentOf(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, form := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(form, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errors.New(flag + " is a time such as 2026-11-01 or 2026-11-01T08:00:00Z")
}
