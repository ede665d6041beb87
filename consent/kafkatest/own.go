package kafkatest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"contactsync/consent/stream"
)

// HomeEnv names the folder of the jars that .ci/kafka install has fetched.
const HomeEnv = "CONTACTSYNC_KAFKA_HOME"

// Broker is a broker of one test, which can be stopped and comes back with what it had.
type Broker struct {
	stream.Config
	// Kill stops it without a warning. The one in this process can only be closed.
	Kill func()
	// Start brings it back at the same address.
	Start func()
}

// EachOwn runs the test on both brokers, each started for it alone. Settings are further lines of Apache Kafka's properties.
func EachOwn(t *testing.T, settings string, test func(t *testing.T, b Broker)) {
	t.Helper()
	t.Run(inProcess, func(t *testing.T) {
		t.Parallel()
		test(t, startFake(t))
	})
	t.Run(apacheKafka, func(t *testing.T) {
		t.Parallel()
		NeedsApache(t)
		test(t, startApache(t, settings))
	})
}

func startFake(t *testing.T) Broker {
	t.Helper()
	dir, port := t.TempDir(), 0
	var cluster *kfake.Cluster
	b := Broker{Kill: func() {
		if cluster != nil {
			cluster.Close()
		}
		cluster = nil
	}}
	b.Start = func() {
		t.Helper()
		options := []kfake.Opt{kfake.NumBrokers(1), kfake.DataDir(dir)}
		if port != 0 {
			options = append(options, kfake.Ports(port))
		}
		var err error
		if cluster, err = kfake.NewCluster(options...); err != nil {
			t.Fatal(err)
		}
	}
	b.Start()
	t.Cleanup(func() { b.Kill() })
	b.Config = stream.Config{Brokers: cluster.ListenAddrs(), Prefix: prefix()}
	_, text, _ := net.SplitHostPort(b.Brokers[0])
	port, _ = strconv.Atoi(text)
	return b
}

func startApache(t *testing.T, settings string) Broker {
	t.Helper()
	dir, ports := t.TempDir(), FreePorts(t, 2)
	b := Broker{Config: stream.Config{Brokers: []string{fmt.Sprintf("127.0.0.1:%d", ports[0])}, Prefix: prefix()}}
	var process *os.Process
	var ended chan struct{}
	b.Kill = func() {
		if process == nil {
			return
		}
		_ = process.Kill()
		<-ended
		process = nil
	}
	b.Start = func() {
		t.Helper()
		cmd := ApacheCommand(dir, ports[0], ports[1], "KAFKA_PROPERTIES="+settings)
		process, ended = start(t, cmd)
		awaitBroker(t, b.Config, filepath.Join(dir, "server.log"), ended)
	}
	t.Cleanup(func() { b.Kill() })
	b.Start()
	return b
}

// start starts a process that does not outlive this one.
func start(t *testing.T, cmd *exec.Cmd) (*os.Process, chan struct{}) {
	t.Helper()
	dieWithUs(cmd)
	started, ended := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread() // dieWithUs is about the thread that starts the process
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
			close(ended)
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	return cmd.Process, ended
}

// startTimeout is how long Apache Kafka may take to start on a busy machine.
const startTimeout = 4 * time.Minute

// awaitBroker waits until the broker answers.
func awaitBroker(t *testing.T, c stream.Config, log string, ended <-chan struct{}) {
	t.Helper()
	k := Client(t, c, kgo.RetryTimeout(time.Second))
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for k.Ping(ctx) != nil {
		select {
		case <-tick.C:
			continue
		case <-ended:
		case <-ctx.Done():
		}
		text, _ := os.ReadFile(log)
		t.Fatalf("Apache Kafka does not start: %s", text)
	}
}

// FreePorts finds TCP ports of 127.0.0.1 that nobody listens on, below those that systems give to outgoing connections: such a one could be
// taken before the server that is to listen there has started. While the test runs no other gets them, also in another process or while the
// server is down: the UDP port of the same number is held meanwhile.
func FreePorts(t testing.TB, n int) []int {
	t.Helper()
	var ports []int
	for range 100 * n {
		port := 20_000 + rand.IntN(12_000)
		if !reserve(t, port) {
			continue
		}
		if ports = append(ports, port); len(ports) == n {
			return ports
		}
	}
	t.Fatal("no port is free")
	return nil
}

// reserve tells whether the port is free and was not given away.
func reserve(t testing.TB, port int) bool {
	t.Helper()
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	held, err := net.ListenPacket("udp", address)
	if err == nil {
		t.Cleanup(func() { held.Close() })
		var tried net.Listener
		if tried, err = net.Listen("tcp", address); err == nil {
			tried.Close()
			return true
		}
	}
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatal(err)
	}
	return false
}

// NeedsApache skips the test where Apache Kafka is not installed, or fails it if CI=true.
func NeedsApache(t testing.TB) {
	t.Helper()
	home := cmp.Or(os.Getenv(HomeEnv), filepath.Join(root(), ".cache", "kafka"))
	if _, err := os.Stat(filepath.Join(home, "libs")); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("Apache Kafka is not there: " + HomeEnv + " names its folder")
	}
	t.Skip("Apache Kafka is not there: .ci/kafka install")
}

// ApacheCommand runs Apache Kafka by the script that CI uses too: its records in a folder, on a port, with one for its controller.
func ApacheCommand(data string, port, controller int, env ...string) *exec.Cmd {
	cmd := exec.Command("bash", filepath.Join(root(), ".ci", "kafka"), "start", data, strconv.Itoa(port))
	cmd.Env = append(append(os.Environ(), "KAFKA_CONTROLLER="+strconv.Itoa(controller)), env...)
	return cmd
}

// root is the module's folder.
func root() string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), "..", "..")
}
