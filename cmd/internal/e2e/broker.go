package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"

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

// apacheBroker is Apache Kafka, by the script that CI uses too.
func apacheBroker(data string, port int, advertised string) *exec.Cmd {
	_, here, _, _ := runtime.Caller(0)
	script := filepath.Join(filepath.Dir(here), "..", "..", "..", ".ci", "kafka")
	cmd := exec.Command("bash", script, "start", data, strconv.Itoa(port))
	cmd.Env = append(os.Environ(), "KAFKA_ADVERTISED="+advertised)
	return cmd
}
