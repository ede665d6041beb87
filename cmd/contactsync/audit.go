package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"contactsync/cmd/internal/auditing"
	"contactsync/cmd/internal/database"
	"contactsync/consent/audit"
)

func auditCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "audit",
		Short: "Verify and export the audit logs, and tell who looked",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(auditVerifyCommand(), auditExportCommand(), auditWhoCommand())
	return c
}

// verifyFlags are the flags of audit verify.
type verifyFlags struct {
	auditPlace
	log      string
	heads    []string
	unsigned int64
	asJSON   bool
}

func auditVerifyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "verify",
		Short: "Tell whether a log was changed behind its back",
		Long: `Recomputes every row's MAC and every link of the chains, in one snapshot and in bounded memory. Prints for each log its links, its
rows, and the head: note that elsewhere, and give it back as --head later, since a tail that was cut off with everything that
tells of it shows in no other way. Code 1, and the first broken link, if a row or link was changed, removed or added.`,
		Example: "  contactsync audit verify --data DIR\n  contactsync audit verify --log access --head 17:3f2a…",
		Args:    usageArgs(cobra.NoArgs),
	}
	var f verifyFlags
	f.addFlags(c)
	c.Flags().StringVar(&f.log, "log", "", "only this log: "+strings.Join(auditing.LogNames(), ", "))
	c.Flags().StringArrayVar(&f.heads, "head", nil, "`[LOG=]NUMBER:HASH` that was noted; may be repeated")
	c.Flags().Int64Var(&f.unsigned, "unsigned-until", 1, "last `LINK` whose rows may lack a MAC, as those of the version before do")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print an array of objects; null is what there is not")
	c.RunE = func(c *cobra.Command, _ []string) error { return f.verify(c) }
	return c
}

func (f verifyFlags) verify(c *cobra.Command) error {
	logs, err := logsNamed(f.log)
	if err != nil {
		return err
	}
	heads, err := f.noted()
	if err != nil {
		return err
	}
	return f.visit(c.Context(), func(ctx context.Context, r auditing.Reader) error {
		var views []verifiedJSON
		var faults []error
		for _, log := range logs {
			report, err := r.Verify(ctx, log, heads[log.Name], f.unsigned)
			if err != nil {
				return err
			}
			views = append(views, viewVerified(log.Name, report))
			if report.Fault != nil {
				faults = append(faults, fmt.Errorf("the log %s is broken: %w", log.Name, report.Fault))
			}
		}
		return errors.Join(append([]error{showVerified(c.OutOrStdout(), views, f.asJSON)}, faults...)...)
	})
}

// logsNamed returns the log of this name, or all.
func logsNamed(name string) ([]audit.Log, error) {
	all := database.AuditLogs()
	if name == "" {
		return all, nil
	}
	i := slices.IndexFunc(all, func(l audit.Log) bool { return l.Name == name })
	if i < 0 {
		return nil, usageError{errors.New("--log is one of " + strings.Join(auditing.LogNames(), ", "))}
	}
	return all[i : i+1], nil
}

// noted reads the heads, by log.
func (f verifyFlags) noted() (map[string]*audit.Head, error) {
	heads := map[string]*audit.Head{}
	for _, text := range f.heads {
		log, head, named := strings.Cut(text, "=")
		if !named {
			log, head = f.log, text
		}
		h, err := audit.ParseHead(head)
		if _, unknown := logsNamed(log); err != nil || log == "" || unknown != nil || heads[log] != nil {
			return nil, usageError{errors.New("--head is LOG=NUMBER:HASH, or NUMBER:HASH with --log, once for each log")}
		}
		heads[log] = &h
	}
	return heads, nil
}

type verifiedJSON struct {
	Log      string  `json:"log"`
	Sound    bool    `json:"sound"`
	Links    int64   `json:"links"`
	Rows     int64   `json:"rows"`
	Unsealed int64   `json:"unsealed"`
	Unsigned int64   `json:"unsigned"`
	Head     *string `json:"head"`
	// Of the first thing that is wrong.
	Link  *int64  `json:"link"`
	Row   *int64  `json:"row"`
	Fault *string `json:"fault"`
}

func viewVerified(log string, r audit.Report) verifiedJSON {
	v := verifiedJSON{Log: log, Sound: r.Fault == nil, Links: r.Links, Rows: r.Rows, Unsealed: r.Unsealed, Unsigned: r.Unsigned, Head: some(r.Head.String())}
	if f := r.Fault; f != nil {
		v.Fault = &f.What
		if f.Link > 0 {
			v.Link = &f.Link
		}
		if f.Row > 0 {
			v.Row = &f.Row
		}
	}
	return v
}

func showVerified(out io.Writer, views []verifiedJSON, asJSON bool) error {
	if asJSON {
		return showJSON(out, views)
	}
	s := newSheet(out)
	fmt.Fprintln(s, "log\tsound\tlinks\trows\tunsealed\tunsigned\thead")
	for _, v := range views {
		sound := "yes"
		if !v.Sound {
			sound = "NO"
		}
		fmt.Fprintf(s, "%s\t%s\t%d\t%d\t%d\t%d\t%s\n", v.Log, sound, v.Links, v.Rows, v.Unsealed, v.Unsigned, orDash(v.Head))
	}
	return s.Flush()
}
