package e2e

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"contactsync/cmd/internal/devstack"
)

// brokerEnv makes a test binary serve the in-process broker instead of running tests, so that it can be killed by itself.
const brokerEnv = "CONTACTSYNC_E2E_BROKER"

// serveBroker serves the broker of dev until the process is killed, if that is what the process was started for.
func serveBroker() {
	data := os.Getenv(brokerEnv)
	if data == "" {
		return
	}
	listener, err := net.Listen("tcp", os.Args[1])
	if err == nil {
		_, err = devstack.StartBroker(data, advertising{listener, os.Args[2]})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "broker:", err)
		os.Exit(1)
	}
	select {}
}

// advertising is a listener that says it listens elsewhere: the broker tells its clients that address.
type advertising struct {
	net.Listener
	address string
}

func (a advertising) Addr() net.Addr {
	address, err := net.ResolveTCPAddr("tcp", a.address)
	if err != nil {
		return a.Listener.Addr()
	}
	return address
}

func inProcessBroker(data string, port int, advertised string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	cmd := exec.Command(self, local(port), advertised)
	cmd.Env = append(os.Environ(), brokerEnv+"="+data)
	return cmd
}

// needsApache skips the test where Apache Kafka is not installed, or fails it if CI=true.
func needsApache(t testing.TB) {
	t.Helper()
	home := cmp.Or(os.Getenv(BrokerHomeEnv), filepath.Join(root(), ".cache", "kafka"))
	if _, err := os.Stat(filepath.Join(home, "libs")); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("Apache Kafka is not there: " + BrokerHomeEnv + " names its folder")
	}
	t.Skip("Apache Kafka is not there: .ci/kafka install")
}

// root is the module's folder.
func root() string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), "..", "..", "..")
}

// apacheBroker is Apache Kafka, by the script that CI uses too.
func apacheBroker(data string, port, controller int, advertised string) *exec.Cmd {
	cmd := exec.Command("bash", filepath.Join(root(), ".ci", "kafka"), "start", data, strconv.Itoa(port))
	cmd.Env = append(os.Environ(), "KAFKA_ADVERTISED="+advertised, "KAFKA_CONTROLLER="+strconv.Itoa(controller))
	return cmd
}
