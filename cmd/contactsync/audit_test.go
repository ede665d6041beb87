package main

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"contactsync/consent/audit"
)

func TestAuditCommandsThatCannotBeUnderstood(t *testing.T) {
	t.Parallel()
	who := []string{"audit", "who", tove, "--data", "DIR", "--reason", "x"}
	export := []string{"audit", "export", "--data", "DIR", "--reason", "x"}
	verify := []string{"audit", "verify", "--data", "DIR"}
	head := "7:" + strings.Repeat("0f", 32)
	for name, row := range map[string]struct {
		args []string
		want string
	}{
		"an unknown use case":         {[]string{"audit", "erase"}, "erase"},
		"nobody":                      {who[:2], "accepts 1 arg"},
		"no reason to ask":            {append(who, "--reason", ""), "--reason"},
		"no HSA-id":                   {append(who, "--as", "Anna"), "HSA-id"},
		"who asks is not told":        {[]string{"audit", "who", tove, "--reason", "x"}, "--as"},
		"a page of nothing":           {append(who, "--limit", "0"), "--limit"},
		"a page that is too long":     {append(who, "--limit", "10001"), "--limit"},
		"a place that is none":        {append(who, "--after", "here"), "--after"},
		"an unknown log":              {append(verify, "--log", "diary"), "--log is one of"},
		"a head of no log":            {append(verify, "--head", head), "--head"},
		"a head of an unknown log":    {append(verify, "--head", "diary="+head), "--head"},
		"a head that is none":         {append(verify, "--head", "access=7"), "--head"},
		"two heads of a log":          {append(verify, "--head", "access="+head, "--head", "access="+head), "once for each log"},
		"an unknown log to export":    {append(export, "--log", "diary"), "--log is one of"},
		"a time that is none":         {append(export, "--from", "yesterday"), "--from"},
		"an unknown purpose":          {append(export, "--purpose", "Nyfikenhet"), "--purpose"},
		"a care unit that is none":    {append(export, "--care-unit", "Kliniken"), "--care-unit"},
		"an export of nobody's":       {[]string{"audit", "export", "--as", "SE2321000016-1A2B", "--reason", "x"}, "--care-provider"},
		"an export without a reason":  {export[:4], "--reason"},
		"an export with an argument":  {append(export, "access"), "unknown command"},
		"a verification of something": {append(verify, "access"), "unknown command"},
	} {
		got := runWith(t, "", row.args...)
		if got.code != exitUsage || got.out != "" || !strings.Contains(got.err, row.want) || strings.Count(got.err, "\n") != 1 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestPostgreSQLStopsInTheMidst: of an audit it must not be taken for a broken log, nor of a removal for one that was refused.
func TestPostgreSQLStopsInTheMidst(t *testing.T) {
	t.Parallel()
	for _, err := range []error{&pgconn.PgError{Code: "57P01"}, io.ErrUnexpectedEOF} {
		err = fmt.Errorf("in the midst: %w", err)
		for name, code := range map[string]int{"audit": exitCode(auditError(err)), "desk": exitCode(deskError(err))} {
			if code != exitTryAgain {
				t.Errorf("%s: %v is code %d", name, err, code)
			}
		}
	}
	broken := fmt.Errorf("the log access is broken: %w", &audit.Fault{Link: 1, What: "x"})
	if code := exitCode(auditError(broken)); code != exitFailure {
		t.Errorf("a broken log is code %d", code)
	}
}

func TestAuditWithoutADev(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"audit", "verify"}, {"audit", "who", tove, "--reason", "x"}, {"audit", "export", "--reason", "x"}} {
		got := runWith(t, "", append(args, "--data", t.TempDir())...)
		if got.code != exitFailure || !strings.Contains(got.err, "find the logs by --data") || strings.Contains(got.err, tove) {
			t.Errorf("%v: %+v", args, got)
		}
	}
}
