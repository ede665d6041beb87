package e2e

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
)

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
