package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"contactsync/cmd/internal/devstack"
	"contactsync/consent/event"
)

func TestMain(m *testing.M) { Main(m) }

func TestDevRunsEverythingAndEndsOnCtrlC(t *testing.T) { // not beside others: it measures
	data := filepath.Join(closedFolder(t), "data")
	dev := Start(t, "--data", data, "--persons", "3")
	if dev.ReadyAfter > 15*time.Second {
		t.Errorf("ready after %v, promised are 15 s", dev.ReadyAfter)
	}
	at := dev.Endpoints
	for address, want := range map[string]int{
		at.Portal + "/": http.StatusOK, at.Ops + "/livez": http.StatusOK,
		at.Ops + "/metrics": http.StatusOK, at.Ops + "/other": http.StatusNotFound,
	} {
		if status, _ := get(t, http.DefaultClient, address); status != want {
			t.Errorf("%s answers %d, want %d", address, status, want)
		}
	}
	becomesReady(t, at.Ops)
	wantTopics := map[string]int{event.TopicDecisions: 6, event.TopicOutcomes: 6, event.TopicChanges: 6, event.TopicUnreadable: 1}
	if diff := cmp.Diff(wantTopics, topics(t, at.Kafka)); diff != "" {
		t.Errorf("topics (-want +got):\n%s", diff)
	}
	query(t, at.Postgres, "select count(*) from pg_database")
	for _, client := range []string{"worker", "support", "journal", "stranger"} {
		status, text := get(t, clientOf(t, data, client), at.Register+"/rivta/UpdatePersonContactInformation/4/rivtabp21?wsdl")
		if status != http.StatusOK || !strings.Contains(text, at.Register) {
			t.Errorf("the register answers %s with %d and a description without its own address", client, status)
		}
	}
	if code, took := dev.Interrupt(); code != 0 || took > 5*time.Second {
		t.Errorf("after Ctrl-C: code %d after %v, want 0 within 5 s; log:\n%s", code, took, dev.Log())
	}
	refuses(t, at)
}

func TestEndsOnCtrlCWhilePostgreSQLIsFrozen(t *testing.T) { // not beside others: it measures
	data := t.TempDir()
	dev := Start(t, "--data", data)
	first, _, _ := strings.Cut(read(t, data, "postgres/data/postmaster.pid"), "\n")
	postmaster, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range append(sessions(t, dev.Endpoints.Postgres), postmaster) {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) }) // were the test to fail
	}
	if code, took := dev.Interrupt(); code != 0 || took > 8*time.Second { // 3.5 s of them until it is killed
		t.Errorf("code %d after %v, want 0 within 8 s; log:\n%s", code, took, dev.Log())
	}
	refuses(t, dev.Endpoints)
}

// sessions are the processes in which PostgreSQL serves others.
func sessions(t *testing.T, address string) []int {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	rows, _ := conn.Query(t.Context(), "select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()")
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil || len(pids) == 0 {
		t.Fatalf("%d sessions, %v", len(pids), err)
	}
	return pids
}

func TestEndsWithItsTerminal(t *testing.T) {
	t.Parallel()
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // else dev would ignore it where these tests run under nohup
	defer signal.Stop(hangups)
	if code, _ := Start(t, "--data", t.TempDir()).End(syscall.SIGHUP); code != 0 {
		t.Errorf("after SIGHUP: code %d", code)
	}
}

func TestRegisterRefusesClientsWithoutCertificate(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	dev := Start(t, "--data", data)
	client := clientOf(t, data, "stranger")
	client.Transport.(*http.Transport).TLSClientConfig.Certificates = nil
	response, err := client.Get(dev.Endpoints.Register)
	if err == nil {
		response.Body.Close()
		t.Error("a client without a certificate is let in")
	}
}

func TestDataFolderHoldsWhatOthersNeed(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	dev := Start(t, "--data", data, "--persons", "3", "--register-limit", "5", "--register-latency", "50ms")
	if dev.Endpoints.RegisterLimit != 5 {
		t.Errorf("others are told of a limit of %d calls a second, want 5", dev.Endpoints.RegisterLimit)
	}
	dialled := Run(t, "", "fault", "list", "--data", data).Stdout
	for _, want := range []string{"rate 5\n", "duration 50ms\n"} {
		if !strings.Contains(dialled, want) {
			t.Errorf("no %q is dialled at the register:\n%s", want, dialled)
		}
	}
	for name, mode := range map[string]os.FileMode{
		"tls/ca.pem": 0o644, "tls/worker.pem": 0o644, "tls/journal.pem": 0o644, "tls/stranger.pem": 0o644,
		"tls/ca-key.pem": 0o600, "tls/worker-key.pem": 0o600, "tls/journal-key.pem": 0o600, "tls/stranger-key.pem": 0o600,
		devstack.EndpointsFile: 0o600, devstack.PersonsFile: 0o600,
	} {
		if info, err := os.Stat(filepath.Join(data, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v; want mode %v", name, info, err, mode)
		}
	}
	var states []string
	for _, p := range personsIn(t, data) {
		states = append(states, p["state"])
		if p["name"] == "" || p["root"] == "" || len(p["extension"]) != 12 {
			t.Errorf("a test person of state %s lacks something", p["state"])
		}
	}
	slices.Sort(states)
	want := []string{"both_channels", "child_13", "child_of_protected_guardian", "child_under_13", "contact_persons", "coordination_number",
		"deceased", "elder_sibling", "emigrated", "empty", "generated", "generated", "generated", "guardian", "guardian_of_protected_child",
		"guardian_of_two", "many_names", "paper_opt_out", "protected_child", "protected_guardian", "protected_registration",
		"replaced_coordination_number", "replacing_personal_number", "second_guardian", "secrecy", "staff_entries", "younger_sibling"}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
}

func TestEverythingIsKeptThroughAKillAndARestartAtOnce(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	first := Start(t, "--data", data, "--persons", "2")
	persons := personsIn(t, data)
	ca := read(t, data, "tls/ca.pem")
	produceAndCommit(t, first.Endpoints.Kafka)
	query(t, first.Endpoints.Postgres, "create table kept (id int)")
	first.Kill9()

	second := Start(t, "--data", data, "--persons", "7")
	for n, was := range hostsOf(t, first.Endpoints) {
		// Between the two runs another test may have been given a port, which is not ours to fail for.
		if is := hostsOf(t, second.Endpoints)[n]; is != was && !listens(was) {
			t.Errorf("%s became %s over the restart, though it is free", was, is)
		}
	}
	if diff := cmp.Diff(persons, personsIn(t, data)); diff != "" {
		t.Errorf("persons changed over the restart (-want +got):\n%s", diff)
	}
	if ca != read(t, data, "tls/ca.pem") {
		t.Error("the certificate authority changed over the restart")
	}
	query(t, second.Endpoints.Postgres, "select count(*) from kept")
	if offset := committed(t, second.Endpoints.Kafka); offset != 1 {
		t.Errorf("the group stands at offset %d after the restart, want 1", offset)
	}
	if got := consumeOne(t, second.Endpoints.Kafka); got != "kept" {
		t.Errorf("the broker holds %q after the restart", got)
	}
}

func TestNothingLivesOnAfterAKill(t *testing.T) {
	t.Parallel()
	dev := Start(t, "--data", t.TempDir())
	dev.Kill9()
	refuses(t, dev.Endpoints)
}

func TestTwoSideBySideLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	if err := os.Chmod(tmp, 0o755); err != nil {
		t.Fatal(err)
	}
	var devs []*Dev
	for range 2 {
		cmd := exec.Command(Binary(t), "dev")
		cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
		devs = append(devs, StartCommand(t, cmd))
	}
	if left, _ := os.ReadDir(tmp); len(left) != 2 {
		t.Errorf("%d temporary folders for two stacks", len(left))
	}
	for _, dev := range devs {
		if !strings.Contains(dev.Announced, "removed at the end") {
			t.Error("dev does not say that its folder is a temporary one")
		}
		dev.Interrupt()
	}
	if left, _ := os.ReadDir(tmp); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestTemporaryFolderOfAKilledRunIsRemovedByTheNext(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	start := func() *Dev {
		cmd := exec.Command(Binary(t), "dev")
		cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
		return StartCommand(t, cmd)
	}
	start().Kill9()
	start()
	if left, _ := os.ReadDir(tmp); len(left) != 1 {
		t.Errorf("%d temporary folders while one runs", len(left))
	}
}

func TestPortBaseFixesAllPorts(t *testing.T) {
	t.Parallel()
	base := freeBase(t)
	dev := Start(t, "--data", t.TempDir(), "--port-base", strconv.Itoa(base))
	at := dev.Endpoints
	var ports []int
	for _, address := range []string{at.Portal, at.Ops, at.Register, "//" + at.Kafka, at.Postgres, at.RegisterAdmin} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		port, _ := strconv.Atoi(u.Port())
		ports = append(ports, port-base)
	}
	if diff := cmp.Diff([]int{0, 1, 2, 3, 4, 5}, ports); diff != "" {
		t.Errorf("ports from the base on (-want +got):\n%s", diff)
	}
	mustSayInOneLine(t, Run(t, "", "dev", "--port-base", strconv.Itoa(base-before)), 1,
		fmt.Sprintf("ports %d, %d, %d, %d are busy", base, base+1, base+2, base+3))
}

func TestRunsAsAPlainUser(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	cmd := exec.Command(Binary(t), "dev", "--data", data)
	if os.Geteuid() == 0 {
		const plain = 65534
		if err := errors.Join(os.Chown(data, plain, plain), os.Chmod(data, 0o700), os.Chmod(filepath.Dir(data), 0o755)); err != nil {
			t.Fatal(err)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: plain, Gid: plain}}
	}
	if code, _ := StartCommand(t, cmd).Interrupt(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestEndsWithGoRun is about kill -9 of the go command, which cannot pass it on.
func TestEndsWithGoRun(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	run := []string{"run", "contactsync/cmd/contactsync"}
	if text, err := exec.Command("go", append(run, "version")...).CombinedOutput(); err != nil { // builds it, which takes its time
		t.Fatalf("%v: %s", err, text)
	}
	dev := StartCommand(t, exec.Command("go", append(run, "dev", "--data", data)...))
	started, err := strconv.Atoi(strings.TrimSpace(read(t, data, "lock")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(started, syscall.SIGKILL) }) // were the test to fail
	dev.Kill9()
	refuses(t, dev.Endpoints)
}

func TestSaysInOneLineWhatIsWrong(t *testing.T) {
	t.Parallel()
	used := t.TempDir()
	running := Start(t, "--data", used)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"a folder in use":           {[]string{"dev", "--data", used}, 1, "in use by process " + strconv.Itoa(running.PID())},
		"a folder below a file":     {[]string{"dev", "--data", filepath.Join(file, "data")}, 1, "--data"},
		"an empty folder name":      {[]string{"dev", "--data", ""}, 2, "--data is empty"},
		"an unknown flag":           {[]string{"dev", "--fast"}, 2, "--fast"},
		"an unknown command":        {[]string{"devv"}, 2, "devv"},
		"an argument too many":      {[]string{"dev", "now"}, 2, "now"},
		"ports beyond the last one": {[]string{"dev", "--port-base", "65510"}, 2, "--port-base"},
		"fewer persons than none":   {[]string{"dev", "--persons", "-1"}, 2, "--persons"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mustSayInOneLine(t, Run(t, "", test.args...), test.code, test.want)
		})
	}
}

func TestSaysThatPostgreSQLIsMissing(t *testing.T) {
	t.Setenv("CONTACTSYNC_POSTGRES_BIN", t.TempDir())
	mustSayInOneLine(t, Run(t, "", "dev"), 1, "CONTACTSYNC_POSTGRES_BIN")
}

func mustSayInOneLine(t *testing.T, got Result, code int, want string) {
	t.Helper()
	line, rest, _ := strings.Cut(got.Stderr, "\n")
	if got.Code != code || !strings.HasPrefix(line, "contactsync: ") || !strings.Contains(line, want) || rest != "" {
		t.Errorf("code %d, standard error %q; want code %d and one line with %q", got.Code, got.Stderr, code, want)
	}
}

// closedFolder is what `mktemp -d` gives: nobody but its owner may look in.
func closedFolder(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "closed")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func get(t *testing.T, client *http.Client, address string) (status int, text string) {
	t.Helper()
	response, err := client.Get(address)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Error(err)
	}
	return response.StatusCode, string(body)
}

// clientOf calls with a certificate from the data folder, as a program that is not ours would.
func clientOf(t *testing.T, data, name string) *http.Client {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(data, "tls", name+".pem"), filepath.Join(data, "tls", name+"-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(read(t, data, "tls/ca.pem")))
	transport := &http.Transport{TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func query(t *testing.T, address, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Error(err)
	}
}

func kafka(t *testing.T, address string, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(address))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// topics returns how many partitions each topic has.
func topics(t *testing.T, address string) map[string]int {
	t.Helper()
	response, err := kmsg.NewPtrMetadataRequest().RequestWith(t.Context(), kafka(t, address))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, topic := range response.Topics {
		found[*topic.Topic] = len(topic.Partitions)
	}
	return found
}

const group = "e2e"

// produceAndCommit leaves a record in the only partition of the topic and a group that stands behind it.
func produceAndCommit(t *testing.T, address string) {
	t.Helper()
	client := kafka(t, address, kgo.ConsumerGroup(group), kgo.ConsumeTopics(event.TopicUnreadable), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	record := &kgo.Record{Topic: event.TopicUnreadable, Value: []byte("kept")}
	if err := client.ProduceSync(t.Context(), record).FirstErr(); err != nil {
		t.Fatal(err)
	}
	fetched := client.PollRecords(t.Context(), 1)
	if err := errors.Join(fetched.Err(), client.CommitRecords(t.Context(), fetched.Records()...)); err != nil {
		t.Fatal(err)
	}
}

func committed(t *testing.T, address string) int64 {
	t.Helper()
	request := kmsg.NewPtrOffsetFetchRequest()
	request.Group = group
	asked := kmsg.NewOffsetFetchRequestGroup()
	asked.Group = group
	topic := kmsg.NewOffsetFetchRequestGroupTopic()
	topic.Topic, topic.Partitions = event.TopicUnreadable, []int32{0}
	asked.Topics = append(asked.Topics, topic)
	request.Groups = append(request.Groups, asked)
	response, err := request.RequestWith(t.Context(), kafka(t, address))
	if err != nil || len(response.Groups) != 1 || len(response.Groups[0].Topics) != 1 {
		t.Fatalf("offsets of the group: %+v, %v", response, err)
	}
	return response.Groups[0].Topics[0].Partitions[0].Offset
}

func consumeOne(t *testing.T, address string) string {
	t.Helper()
	client := kafka(t, address, kgo.ConsumeTopics(event.TopicUnreadable), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	fetched := client.PollRecords(t.Context(), 1)
	if err := fetched.Err(); err != nil {
		t.Fatal(err)
	}
	return string(fetched.Records()[0].Value)
}

func personsIn(t testing.TB, data string) []map[string]string {
	t.Helper()
	var persons []map[string]string
	if err := json.Unmarshal([]byte(read(t, data, devstack.PersonsFile)), &persons); err != nil {
		t.Fatal(err)
	}
	return persons
}

func read(t testing.TB, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// becomesReady waits until all parts are there: "ready" says that all listen, and the worker gets its partitions a moment later.
func becomesReady(t *testing.T, ops string) {
	t.Helper()
	for deadline := time.After(20 * time.Second); ; {
		status, text := get(t, http.DefaultClient, ops+"/readyz")
		if status == http.StatusOK {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("/readyz answers %d: %s", status, text)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// refuses waits until nobody listens on any of the ports.
func refuses(t *testing.T, at devstack.Endpoints) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for _, host := range hostsOf(t, at) {
		for listens(host) {
			select {
			case <-deadline:
				t.Fatalf("somebody still listens on %s", host)
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
}

// hostsOf lists the addresses that a stack listens on, with their ports.
func hostsOf(t *testing.T, at devstack.Endpoints) (hosts []string) {
	t.Helper()
	for _, address := range []string{at.Portal, at.Ops, at.Register, "//" + at.Kafka, at.Postgres, at.RegisterAdmin} {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" {
			t.Fatalf("no address: %q, %v", address, err)
		}
		hosts = append(hosts, u.Host)
	}
	return hosts
}

func listens(host string) bool {
	conn, err := net.Dial("tcp", host)
	if err != nil {
		return !errors.Is(err, syscall.ECONNREFUSED)
	}
	_ = conn.Close()
	return true
}

// before is how many ports below a free base are free, too.
const before = 2

// freeBase finds a range of ports nobody uses, below those the system hands out and those of kafkatest.FreePorts.
func freeBase(t *testing.T) int {
	t.Helper()
	for base := 10000 + os.Getpid()%100*30; base < 16000; base += devstack.PortRange + before {
		if rangeIsFree(base) {
			return base
		}
	}
	t.Fatal("no range of free ports")
	return 0
}

func rangeIsFree(base int) bool {
	for port := base - before; port < base+devstack.PortRange; port++ {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return false
		}
		_ = l.Close()
	}
	return true
}
