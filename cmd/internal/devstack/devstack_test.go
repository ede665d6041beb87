package devstack

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"contactsync/consent/event"
	"contactsync/consent/pgcluster"
)

func TestFolderIsOnesAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := OpenFolder(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	// An impatient one: the lock is held by this very process, which does not give it up.
	impatient, cancel := context.WithTimeout(t.Context(), 2*pollInterval)
	defer cancel()
	if _, err := OpenFolder(impatient, dir); err == nil || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Errorf("a second owner gets %v, want the number of the first", err)
	}
	waiting := make(chan error)
	go func() {
		second, err := OpenFolder(t.Context(), dir)
		if err == nil {
			err = second.Close()
		}
		waiting <- err
	}()
	if err := errors.Join(first.Close(), <-waiting); err != nil {
		t.Errorf("the folder was given up, but: %v", err)
	}
}

func TestSecretStaysTheSame(t *testing.T) {
	t.Parallel()
	f := folder(t)
	first, err := f.secret("password")
	if err != nil || len(first) < 20 {
		t.Fatalf("a secret of %d letters, %v", len(first), err)
	}
	if second, err := f.secret("password"); second != first || err != nil {
		t.Errorf("the secret changed: %v", err)
	}
}

func TestPortsOfTheLastRunAreTakenAgainAsFarAsTheyAreFree(t *testing.T) {
	t.Parallel()
	first, err := openPorts(t.Context(), 0, Endpoints{})
	if err != nil {
		t.Fatal(err)
	}
	last := Endpoints{
		Portal: "http://" + first.Portal.Addr().String(), Ops: "http://" + first.Ops.Addr().String(),
		Register: "https://" + first.Register.Addr().String(), Kafka: first.Kafka.Addr().String(),
		RegisterAdmin: "http://" + first.RegisterAdmin.Addr().String(),
	}
	first.Portal.Close()
	first.Ops.Close()
	first.RegisterAdmin.Close()
	t.Cleanup(first.close)
	second, err := openPorts(t.Context(), 0, last)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(second.close)
	same := func(a, b net.Listener) bool { return portOf(a.Addr()) == portOf(b.Addr()) }
	if !same(first.Portal, second.Portal) || !same(first.Ops, second.Ops) || !same(first.RegisterAdmin, second.RegisterAdmin) {
		t.Error("free ports of the last run are not taken again")
	}
	if same(first.Register, second.Register) || same(first.Kafka, second.Kafka) {
		t.Error("busy ports are taken")
	}
}

func TestBusyPortsAreWaitedForAndThenNamed(t *testing.T) {
	t.Parallel()
	base := freeBase(t)
	const todo = "busy: stop what listens there, or choose others with --port-base"
	for _, row := range []struct {
		busy []int // beyond base
		want string
	}{
		{[]int{portOps, portRegisterAdmin}, fmt.Sprintf("ports %d, %d are %s", base+portOps, base+portRegisterAdmin, todo)},
		{[]int{portPostgres}, fmt.Sprintf("port %d is %s", base+portPostgres, todo)},
	} {
		var taken []net.Listener
		for _, offset := range row.busy {
			taken = append(taken, must(listen(base+offset))(t))
		}
		var p Ports
		if err := p.openFrom(t.Context(), 2*pollInterval, base); err == nil || err.Error() != row.want {
			t.Errorf("got %v, want %s", err, row.want)
		}
		p.close()
		waiting := make(chan error)
		go func() {
			p, err := openPorts(t.Context(), base, Endpoints{})
			if err == nil {
				p.close()
			}
			waiting <- err
		}()
		for _, l := range taken {
			_ = l.Close()
		}
		if err := <-waiting; err != nil {
			t.Errorf("the ports were given up, but: %v", err)
		}
	}
}

func TestToBeToldToEndIsNoBusyPort(t *testing.T) {
	t.Parallel()
	l := must(listen(0))(t)
	t.Cleanup(func() { _ = l.Close() })
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := openPorts(ended, portOf(l.Addr()), Endpoints{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// freeBase finds ports nobody uses, below those the system hands out.
func freeBase(t *testing.T) int {
	t.Helper()
	for base := 16000 + os.Getpid()%100*PortRange; base < 21000; base += PortRange {
		var p Ports
		err := p.openFrom(t.Context(), pollInterval, base)
		p.close()
		if err == nil {
			return base
		}
	}
	t.Fatal("no range of free ports")
	return 0
}

func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func TestClosedFolderTellsWhoseItIs(t *testing.T) {
	t.Parallel()
	closed := filepath.Join(t.TempDir(), "lock")
	if err := os.WriteFile(closed, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	whose := pgcluster.Owner(closed)
	for path, told := range map[string]bool{closed: true, filepath.Join(closed, "made"): true, filepath.Join(filepath.Dir(closed), "made"): true} {
		err := folderFault("DIR", &fs.PathError{Op: "open", Path: path, Err: fs.ErrPermission})
		if strings.Contains(err.Error(), "belongs to the user "+whose+": run as that user") != told || whose == "" {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestPortIn(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]int{
		"https://127.0.0.1:81": 81, "127.0.0.1:82": 82, "postgres://a:b@127.0.0.1:83/c?d=e": 83, "": 0, "http://x": 0, "://": 0,
	} {
		if got := portIn(address); got != want {
			t.Errorf("%q has port %d, want %d", address, got, want)
		}
	}
}

func TestCertificatesAreKeptAndMended(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, test := range map[string]struct {
		spoil   func(dir string) error
		changed map[string]bool
	}{
		"nothing happened": {func(string) error { return nil }, nil},
		"a key is missing": {
			func(dir string) error { return os.Remove(filepath.Join(dir, "worker-key.pem")) }, map[string]bool{"worker": true},
		},
		"a crash between a key and its certificate": {
			func(dir string) error {
				return os.Rename(filepath.Join(dir, "stranger-key.pem"), filepath.Join(dir, "journal-key.pem"))
			}, map[string]bool{"journal": true, "stranger": true},
		},
		"the authority is gone": {
			func(dir string) error { return os.Remove(filepath.Join(dir, "ca-key.pem")) },
			map[string]bool{"ca": true, "worker": true, "support": true, "journal": true, "stranger": true, "register": true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			prepare(t, dir, now)
			before := certificates(t, dir)
			if err := test.spoil(dir); err != nil {
				t.Fatal(err)
			}
			prepare(t, dir, now)
			for name, text := range certificates(t, dir) {
				if changed := text != before[name]; changed != test.changed[name] {
					t.Errorf("certificate of %s changed: %t", name, changed)
				}
			}
		})
	}
}

func TestCertificatesThatRunOutAreReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	prepare(t, dir, time.Now().AddDate(-11, 0, 0))
	c := prepare(t, dir, time.Now())
	client, err := c.ClientTLS(JournalCertificate)
	if err != nil {
		t.Fatal(err)
	}
	leaf := client.Certificates[0].Leaf
	if time.Until(leaf.NotAfter) < 0 || leaf.Subject.SerialNumber != JournalHSAID {
		t.Errorf("certificate of %q until %v", leaf.Subject.SerialNumber, leaf.NotAfter)
	}
}

func TestRegisterIsReachedUnderAllNamesOfThisMachine(t *testing.T) {
	t.Parallel()
	c := prepare(t, t.TempDir(), time.Now())
	server, err := c.RegisterTLS()
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"localhost", "127.0.0.1", "::1"} {
		if err := server.Certificates[0].Leaf.VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
	if server.ClientAuth != tls.RequireAndVerifyClientCert {
		t.Error("the register lets clients in without a certificate")
	}
}

// TestBrokerForgetsWhatACleanStopKeptAboutProducers is about kcat (librdkafka), which numbers what it sends: a broker that
// goes back to older numbers makes it give up for good.
func TestBrokerForgetsWhatACleanStopKeptAboutProducers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for range 2 {
		l, err := listen(0)
		if err != nil {
			t.Fatal(err)
		}
		b, err := StartBroker(dir, l)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, "seq_windows.json")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("what a clean stop kept about producers is still there: %v", err)
		}
		produce(t, l.Addr().String())
		b.Close()
		if _, err := os.Stat(filepath.Join(dir, "seq_windows.json")); err != nil {
			t.Errorf("the broker's file has another name now: %v", err)
		}
	}
}

// TestKcatProducesAndReads is the first program of somebody else that must work with the broker.
func TestKcatProducesAndReads(t *testing.T) {
	t.Parallel()
	kcat, err := exec.LookPath("kcat")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("kcat is not installed (Debian: kafkacat)")
	}
	l, err := listen(0)
	if err != nil {
		t.Fatal(err)
	}
	b, err := StartBroker(t.TempDir(), l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	send := exec.CommandContext(t.Context(), kcat, "-P", "-b", l.Addr().String(), "-t", event.TopicDecisions, "-k", "key",
		"-H", "ce_id=1", "-X", "enable.idempotence=true")
	send.Stdin = strings.NewReader("{}")
	if text, err := send.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	receive := exec.CommandContext(t.Context(), kcat, "-C", "-b", l.Addr().String(), "-t", event.TopicDecisions,
		"-o", "beginning", "-e", "-q", "-f", "%k %h %s")
	text, err := receive.Output()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("key ce_id=1 {}", string(text)); diff != "" {
		t.Errorf("what kcat reads (-want +got):\n%s", diff)
	}
}

func folder(t *testing.T) *Folder {
	t.Helper()
	f, err := OpenFolder(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func prepare(t *testing.T, dir string, now time.Time) *Certificates {
	t.Helper()
	c, err := PrepareCertificates(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// certificates reads the certificates of a folder, judging each.
func certificates(t *testing.T, dir string) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, name := range []string{authority, registerCertificate, WorkerCertificate, SupportCertificate, JournalCertificate, StrangerCertificate} {
		text, err := os.ReadFile(filepath.Join(dir, name+".pem"))
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(text)
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			t.Error(err)
		}
		texts[name] = string(text)
	}
	return texts
}

func produce(t *testing.T, broker string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: event.TopicDecisions, Value: []byte("{}")}).FirstErr(); err != nil {
		t.Error(err)
	}
}
