package bench

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Machine is what was measured on. What cannot be had is empty.
type Machine struct {
	CPU      string `json:"cpu"`
	Cores    int    `json:"cores"` // that this process may use
	MemoryMB int    `json:"memory_mb"`
	OS       string `json:"os"`
	Go       string `json:"go"`
	Postgres string `json:"postgres"`
	Kafka    string `json:"kafka"`
}

func (m Machine) String() string {
	cpu := m.CPU
	if cpu == "" {
		cpu = "CPU of " + m.OS
	}
	return fmt.Sprintf("%s, %d cores, %d GB memory, %s, %s, PostgreSQL %s (synced to disk), Kafka: %s",
		cpu, m.Cores, (m.MemoryMB+512)/1024, m.OS, m.Go, m.Postgres, m.Kafka)
}

func (r *rig) describe(ctx context.Context) (Machine, error) {
	memory, _, _ := strings.Cut(field("/proc/meminfo", "MemTotal"), " ")
	kilobytes, _ := strconv.Atoi(memory)
	m := Machine{
		CPU: field("/proc/cpuinfo", "model name"), Cores: runtime.GOMAXPROCS(0), MemoryMB: kilobytes / 1024,
		OS: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(),
	}
	conn, err := pgx.Connect(ctx, r.postgres.URL())
	if err != nil {
		return m, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := conn.QueryRow(ctx, `select split_part(current_setting('server_version'), ' ', 1)`).Scan(&m.Postgres); err != nil {
		return m, fmt.Errorf("ask for PostgreSQL's version: %w", err)
	}
	m.Kafka, err = r.describeKafka(ctx)
	return m, err
}

func (r *rig) describeKafka(ctx context.Context) (string, error) {
	if len(r.cfg.Kafka) == 0 {
		return "kfake, in process", nil
	}
	version, err := kafkaVersion(ctx, r.brokers)
	return "given, " + cmp.Or(version, "version unknown"), err
}

// field is the first "name: value" in a file.
func field(file, name string) string {
	text, _ := os.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// residentMB is how much memory this process occupies; false where it cannot be told.
func residentMB() (float64, bool) {
	kilobytes, err := strconv.ParseFloat(strings.TrimSuffix(field("/proc/self/status", "VmRSS"), " kB"), 64)
	return kilobytes / 1024, err == nil
}
