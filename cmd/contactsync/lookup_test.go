package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"contactsync/consent/contact"
	"contactsync/contracts/contracttest"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

const (
	journal  = "SE2321000016-CSJ1"
	stranger = "SE2321000016-CSX1"

	tove  = "197205179802"
	bodil = "195805179800"
	sam   = "197905779836" // a samordningsnummer
	dold  = "197605179816"
	ghost = "199005179800" // nobody the register knows
)

func entry(kind string, use, value *string) personv4.Entry {
	return personv4.Entry{Type: kind, Use: use, Value: value}
}

// someRecords: Bodil has both channels among entries of others, Tove none, the others are protected in one way each.
func someRecords() []personv4.Record {
	of := func(root, extension string) personv4.Record {
		return personv4.Record{Person: personv4.ID{Root: root, Extension: extension}}
	}
	bodils, doldis := of(personv4.RootPersonnummer, bodil), of(personv4.RootPersonnummer, dold)
	bodils.Entries = []personv4.Entry{
		entry("tel", new("clinic"), new("+46701740699")),
		entry("tel", nil, new("+46701740698")),
		entry("tel", new("mobile"), nil),
		entry("tel", new("mobile"), new("+46701740605")),
		entry("mail", new("personal"), new("bodil@example.se")),
		entry("mail", new("personal"), new("second@example.se")),
		entry("mail", new("mobile"), new("wrong@example.se")),
	}
	bodils.ProtectedPopulation = new(false)
	doldis.ProtectedPopulation = new(true)
	doldis.Entries = []personv4.Entry{entry("tel", new("mobile"), new("+46701740606"))}
	sams := of(personv4.RootSamordningsnummer, sam)
	sams.ProtectedPerson = true
	return []personv4.Record{of(personv4.RootPersonnummer, tove), bodils, doldis, sams}
}

// registerWith serves the records, and gives the flags to look them up as a system.
func registerWith(t *testing.T, service personv4.Service, authorizer rivta.Authorizer) func(hsaID string) []string {
	t.Helper()
	served := contracttest.Serve(t, personv4.NewHandler(service, personv4.HandlerConfig{
		LogicalAddress: registerAddress, Authorizer: authorizer,
	}))
	return func(hsaID string) []string {
		cert, key, err := served.CA.Issue("system", hsaID)
		if err != nil {
			t.Fatal(err)
		}
		return []string{"lookup", "--register", served.URL, "--ca", fileWith(t, served.CA.CertPEM()),
			"--cert", fileWith(t, cert), "--key", fileWith(t, key)}
	}
}

func someRegister(t *testing.T) func(hsaID string) []string {
	t.Helper()
	memory := contracttest.NewMemory([]string{journal}, someRecords()...)
	return registerWith(t, memory, memory)
}

func fileWith(t *testing.T, text []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// ran is how a command ended.
type ran struct {
	code     int
	out, err string
}

func runWith(t *testing.T, stdin string, args ...string) ran {
	t.Helper()
	var out, told strings.Builder
	code := execute(t.Context(), streams{strings.NewReader(stdin), &out, &told}, args)
	return ran{code, out.String(), told.String()}
}

func TestLookupKeepsTheOrderAndTellsWhatIsNoIdentity(t *testing.T) {
	t.Parallel()
	flags := someRegister(t)(journal)
	got := runWith(t, "", append(flags, bodil, "195805179801", ghost, "19580517-9800", sam, dold, tove)...)
	want := ran{
		exitFailure,
		`person        found  protected  mobile        email             version
195805179800  yes    no         +46701740605  bodil@example.se  20261123120002
199005179800  no     no         -             -                 -
197905779836  yes    yes        -             -                 20261123120004
197605179816  yes    yes        +46701740606  -                 20261123120003
197205179802  yes    no         -             -                 20261123120001
`,
		"2\tperson\tform_invalid:identity_check_digit\n4\tperson\tform_invalid:identity_digits\n",
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(ran{})); diff != "" {
		t.Error("(-want +got)\n" + diff)
	}
}

func TestLookupAsJSON(t *testing.T) {
	t.Parallel()
	flags := append(someRegister(t)(journal), "--json", "-")
	got := runWith(t, bodil+"\r\n\n "+sam+"\n"+ghost, flags...)
	if got.code != 0 || got.err != "" {
		t.Fatalf("code %d, %s", got.code, got.err)
	}
	person := func(root, extension string) any { return map[string]any{"root": root, "extension": extension} }
	want := []any{
		map[string]any{"person": person("1.2.752.129.2.1.3.1", bodil), "found": true, "version": "20261123120002",
			"protected": false, "mobile": "+46701740605", "email": "bodil@example.se"},
		map[string]any{"person": person("1.2.752.129.2.1.3.3", sam), "found": true, "version": "20261123120004",
			"protected": true, "mobile": nil, "email": nil},
		map[string]any{"person": person("1.2.752.129.2.1.3.1", ghost), "found": false, "version": nil,
			"protected": false, "mobile": nil, "email": nil},
	}
	var rows []any
	if err := json.Unmarshal([]byte(got.out), &rows); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Error("(-want +got)\n" + diff)
	}
	if none := runWith(t, "\n", flags...); none != (ran{0, "[]\n", ""}) {
		t.Errorf("nobody asked for: %+v", none)
	}
}

func TestLookupThatFails(t *testing.T) {
	t.Parallel()
	flagsOf := someRegister(t)
	flags := flagsOf(journal)
	with := func(more ...string) []string { return append(append([]string{}, flags...), more...) }
	nobodyThere := "https://" + closedPort(t)
	for says, row := range map[string]struct {
		args []string
		code int
		want string
	}{
		"a register that is not there":     {with("--register", nobodyThere, bodil), exitTryAgain, "connection refused"},
		"a system that may not ask":        {append(flagsOf(stranger), bodil), exitFailure, "VP007, the calling system may not use this contract"},
		"a wrong logical address":          {with("--logical-address", "SE0000000000-0", bodil), exitFailure, "VP004, nobody serves this contract"},
		"no logical address":               {with("--logical-address", "", bodil), exitUsage, "LogicalAddress"},
		"a register of another authority":  {with("--ca", someRegister(t)(journal)[4], bodil), exitFailure, "unknown authority"},
		"an authority that is none":        {with("--ca", fileWith(t, []byte("x")), bodil), exitFailure, "holds no certificate"},
		"no such authority":                {with("--ca", "none", bodil), exitFailure, "authority"},
		"a key of another certificate":     {with("--key", flagsOf(journal)[8], bodil), exitFailure, "client certificate"},
		"an address that is none":          {with("--register", "localhost:1", bodil), exitUsage, "https://host:port"},
		"no register named":                {[]string{"lookup", bodil}, exitUsage, "--data DIR"},
		"a register named in part":         {[]string{"lookup", "--register", nobodyThere, bodil}, exitUsage, "--cert"},
		"a folder where dev has never run": {[]string{"lookup", "--data", t.TempDir(), bodil}, exitFailure, "--data"},
		"nobody named":                     {flags, exitUsage, "at least 1"},
		"an empty standard input":          {with("-"), 0, ""},
		"- beside persons":                 {with(bodil, "-"), exitFailure, "2\tperson\tform_invalid:identity_digits"},
	} {
		got := runWith(t, "", row.args...)
		if got.code != row.code || !strings.Contains(got.err, row.want) || strings.Count(got.err, "\n") > 1 {
			t.Errorf("%s: code %d, want %d; told %q, want %q in one line", says, got.code, row.code, got.err, row.want)
		}
		if strings.Contains(got.err, bodil[2:8]) {
			t.Errorf("%s: an identity is told: %q", says, got.err)
		}
	}
}

// closedPort is an address where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func TestLookupIsBounded(t *testing.T) {
	t.Parallel()
	flags := append(someRegister(t)(journal), "-")
	got := runWith(t, strings.Repeat("x\n", maxLookups+1), flags...)
	if got.code != exitUsage || got.out != "" || !strings.Contains(got.err, "10000") {
		t.Errorf("too many: code %d, told %.200q", got.code, got.err)
	}
	got = runWith(t, strings.Repeat("1", 3<<20)+"\n"+ghost, flags...)
	if got.code != exitFailure || !strings.Contains(got.out, ghost) || got.err != "1\tperson\tform_invalid:identity_digits\n" {
		t.Errorf("a very long line: code %d, told %.200q", got.code, got.err)
	}
}

// crowd answers nobody before lookupsAtOnce callers wait at the same time.
type crowd struct {
	*contracttest.Memory
	mu         sync.Mutex
	here, most int
	enough     chan struct{}
}

func (c *crowd) Get(ctx context.Context, caller rivta.Caller, id personv4.ID, unrestricted bool) (*personv4.Record, error) {
	c.count(1)
	defer c.count(-1)
	select {
	case <-c.enough:
		return c.Memory.Get(ctx, caller, id, unrestricted)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *crowd) count(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.here += n
	if c.here > c.most {
		c.most = c.here
		if c.most == lookupsAtOnce {
			close(c.enough)
		}
	}
}

func TestLookupAsksForSomeAtATime(t *testing.T) {
	t.Parallel()
	c := &crowd{Memory: contracttest.NewMemory([]string{journal}, someRecords()...), enough: make(chan struct{})}
	flags := append(registerWith(t, c, c.Memory)(journal), "-")
	got := runWith(t, strings.Repeat(bodil+"\n"+tove+"\n", 3*lookupsAtOnce), flags...)
	if got.code != 0 || strings.Count(got.out, bodil) != 3*lookupsAtOnce {
		t.Errorf("code %d, told %s", got.code, got.err)
	}
	if c.most != lookupsAtOnce {
		t.Errorf("%d at once, want %d", c.most, lookupsAtOnce)
	}
}

func TestRootOfAnIdentity(t *testing.T) {
	t.Parallel()
	for extension, want := range map[string]string{
		"197905310000": contact.RootPersonnummer, "197905600000": contact.RootSamordningsnummer,
		"197905610000": contact.RootSamordningsnummer, "1979056100": contact.RootPersonnummer,
	} {
		if got := rootOf(extension); got != want {
			t.Errorf("%s has root %s, want %s", extension, got, want)
		}
	}
}

func TestFaultsAreToldInOurWords(t *testing.T) {
	t.Parallel()
	const id = "6f1f7f0e-6f0b-4c7e-9f5e-0d5f2f6a1c11"
	for _, row := range []struct {
		fault rivta.Fault
		want  string
	}{
		{rivta.Fault{Code: rivta.FaultClient, VP: "VP003", String: bodil, LogID: id},
			"ask the register: VP003, no logical address was given: see --logical-address (log id " + id + ")"},
		{rivta.Fault{Code: rivta.FaultClient, VP: "VP099", String: bodil}, "ask the register: VP099"},
		{rivta.Fault{Code: rivta.FaultServer, String: bodil, LogID: id}, "ask the register: fault Server (log id " + id + ")"},
	} {
		if got := lookupError(fmt.Errorf("get: %w", &row.fault)).Error(); got != row.want {
			t.Errorf("got %q, want %q", got, row.want)
		}
	}
}

func TestMayPass(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		err  error
		want bool
	}{
		{&rivta.Fault{Code: rivta.FaultServer}, true},
		{&rivta.Fault{Code: rivta.FaultServer, VP: "VP009"}, true},
		{&rivta.Fault{Code: rivta.FaultServer, VP: "VP007"}, false},
		{&rivta.Fault{Code: rivta.FaultClient}, false},
		{&rivta.StatusError{Status: http.StatusTooManyRequests}, true},
		{&rivta.StatusError{Status: http.StatusServiceUnavailable}, true},
		{&rivta.StatusError{Status: http.StatusNotFound}, false},
		{fmt.Errorf("read answer: %w", &net.OpError{Op: "read", Err: errors.New("reset")}), true},
		{&net.OpError{Op: "remote error", Err: errors.New("bad certificate")}, false},
		{io.ErrUnexpectedEOF, true},
		{errors.New("an answer that is not understood"), false},
	} {
		if got := mayPass(row.err); got != row.want {
			t.Errorf("%v may pass: %t, want %t", row.err, got, row.want)
		}
	}
	if code := exitCode(lookupError(context.DeadlineExceeded)); code != exitTryAgain {
		t.Errorf("a register that does not answer in time: exit code %d", code)
	}
}
