// Package pgcluster runs a private PostgreSQL that belongs to this process and dies with it.
//
// It is for `contactsync dev` and for tests. It is not for production data: there, somebody else runs PostgreSQL and gives us
// a URL. A cluster listens on 127.0.0.1 only, asks for a password, and ends even if this process is killed with kill -9.
// PostgreSQL refuses to run as root, so started as root it runs as an unprivileged user.
// Start reading at Start; binaries.go finds PostgreSQL, remnant.go deals with a predecessor, child_linux.go with life and death.
package pgcluster

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	startTimeout   = time.Minute      // recovery after a crash may take long
	remnantTimeout = 10 * time.Second // how long a predecessor may take to go away
	quitTimeout    = time.Second      // how long PostgreSQL may take to quit as in a crash before it is killed
	pollInterval   = 20 * time.Millisecond
)

// Config tells what cluster to run.
type Config struct {
	// Dir holds the cluster: data/, postgres.log. It is made when absent. The caller makes sure (by a lock) that no
	// other process uses it. With root as caller it is handed over to the unprivileged user.
	Dir string
	// Port on 127.0.0.1; 0 takes LastPort, if it is free once a predecessor has ended, or else picks a free one.
	Port, LastPort int
	// Owner is the superuser, Database what URL points to. Both, and Password, are fixed by the first start on a Dir.
	Owner, Password, Database string
	// Durable keeps data through a crash of the machine. Without it a crash of this process loses nothing either,
	// but the operating system's does; tests are faster so.
	Durable bool
	// SharedBuffers is how much PostgreSQL caches by itself, such as 2GB; empty: its default of 128 MB.
	SharedBuffers string
	// Binaries is the folder that holds initdb and postgres; empty looks for one, FetchBinaries fetches one.
	// Callers pass the value of the environment variable BinariesEnv.
	Binaries string
	// Log gets what a user should know about: fetching, waiting for a remnant. Nil is silent.
	Log *slog.Logger

	patience time.Duration // with a remnant; 0 is remnantTimeout
}

// Cluster is a running PostgreSQL.
type Cluster struct {
	url    string
	child  *child
	stop   syscall.Signal
	logged string
}

// Start makes the cluster on its first start, starts it and returns when it answers. The context bounds the start only.
// ErrNoBinaries is returned where there is no PostgreSQL and none could be fetched.
func Start(ctx context.Context, cfg Config) (*Cluster, error) {
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	cfg.Dir, cfg.Log = dir, cmp.Or(cfg.Log, slog.New(slog.DiscardHandler))
	cfg.patience = cmp.Or(cfg.patience, remnantTimeout)
	bin, err := findBinaries(cfg.Binaries, cfg.Log)
	if err != nil {
		return nil, err
	}
	who, err := chooseIdentity(cfg.Dir, bin)
	if err != nil {
		return nil, err
	}
	if err := who.mayUse(cfg); err != nil {
		return nil, err
	}
	if err := initialise(ctx, cfg, bin, who); err != nil {
		return nil, err
	}
	if err := awaitRemnant(ctx, cfg); err != nil {
		return nil, err
	}
	return startPatiently(ctx, cfg, bin, who)
}

// URL is how the owner reaches the database. It holds the password.
func (c *Cluster) URL() string { return c.url }

// Exited is closed when PostgreSQL has ended, asked to or not.
func (c *Cluster) Exited() <-chan struct{} { return c.child.exited }

// Stop ends the cluster and returns when no process of it is left. Sessions are cut off. When ctx ends first,
// PostgreSQL is made to quit as in a crash, and killed if it is frozen; the next start recovers.
func (c *Cluster) Stop(ctx context.Context) error {
	c.child.signal(c.stop)
	select {
	case <-c.child.exited:
		return nil
	case <-ctx.Done():
		return c.quit()
	}
}

// Kill ends all processes of the cluster at once, also frozen ones. The next start recovers.
func (c *Cluster) Kill() { c.child.kill() }

func (c *Cluster) quit() error {
	c.child.signal(syscall.SIGQUIT)
	select {
	case <-c.child.exited:
		return nil
	case <-time.After(quitTimeout):
	}
	c.child.kill()
	select {
	case <-c.child.exited:
		return nil
	case <-time.After(remnantTimeout): // the kernel itself holds it, waiting for a disk perhaps
		return errors.New("stop PostgreSQL: it does not end; see " + c.logged)
	}
}

func (c Config) dataDir() string { return filepath.Join(c.Dir, "data") }

func (c Config) passwordFile() string { return filepath.Join(c.Dir, "password") }

func (c Config) logFile() string { return filepath.Join(c.Dir, "postgres.log") }

func (c Config) databaseURL(port int, database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(c.Owner, c.Password),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), Path: "/" + database, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// initialise runs initdb unless the data folder exists. It works beside and renames, so that a half-made folder is never used.
// The folder beside has a new name each time: what initdb had started outlives a kill -9 for a moment and still writes
// into the old one.
func initialise(ctx context.Context, cfg Config, bin string, who identity) error {
	defer cfg.removeHalfMade()
	if _, err := os.Stat(filepath.Join(cfg.dataDir(), "PG_VERSION")); err == nil {
		return nil
	}
	if err := who.makeDir(cfg.Dir); err != nil {
		return fmt.Errorf("make the PostgreSQL folder: %w", err)
	}
	fresh, err := os.MkdirTemp(cfg.Dir, halfMade)
	if err := errors.Join(err, who.own(fresh), who.writeFile(cfg.passwordFile(), cfg.Password+"\n")); err != nil {
		return fmt.Errorf("prepare the PostgreSQL folder: %w", err)
	}
	args := []string{"--pgdata", fresh, "--username", cfg.Owner, "--pwfile", cfg.passwordFile(), "--auth", "scram-sha-256",
		"--encoding", "UTF8", "--locale", "C"}
	if !cfg.Durable {
		args = append(args, "--no-sync")
	}
	if err := run(ctx, who.command(filepath.Join(bin, "initdb"), args, syscall.SIGKILL)); err != nil {
		return fmt.Errorf("make a PostgreSQL cluster: %w", err)
	}
	return os.Rename(fresh, cfg.dataDir())
}

// halfMade begins the names of folders that initdb works in.
const halfMade = "data.new"

// removeHalfMade removes what initdb needed or left, in this run or an earlier one. What somebody still writes into goes at the
// next start.
func (c Config) removeHalfMade() {
	left, _ := filepath.Glob(filepath.Join(c.Dir, halfMade+"*"))
	for _, name := range append(left, c.passwordFile()) {
		_ = os.RemoveAll(name)
	}
}

// run runs a command to its end; its error is the last line the command wrote.
func run(ctx context.Context, cmd *exec.Cmd) error {
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	c, err := spawn(cmd)
	if err != nil {
		return err
	}
	select {
	case <-c.exited:
	case <-ctx.Done():
		c.kill()
		<-c.exited
		return context.Cause(ctx)
	}
	if c.err != nil {
		return errors.New(cmp.Or(faultIn(output.String()), c.err.Error()))
	}
	return nil
}

// startPatiently starts PostgreSQL, again and again while what is in its way may still go: sessions of a postmaster that was
// killed, or the port (a free port chosen by us may be taken the next moment).
func startPatiently(ctx context.Context, cfg Config, bin string, who identity) (*Cluster, error) {
	giveUp := time.NewTimer(cfg.patience / 2)
	defer giveUp.Stop()
	for {
		c, err := startOnce(ctx, cfg, bin, who)
		if _, passing := errors.AsType[inTheWay](err); !passing {
			return c, err
		}
		select {
		case <-time.After(10 * pollInterval):
		case <-giveUp.C:
			return nil, err
		case <-ctx.Done():
			return nil, err
		}
	}
}

// inTheWay is why a start failed, where it may soon work.
type inTheWay struct{ error }

func startOnce(ctx context.Context, cfg Config, bin string, who identity) (*Cluster, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	port, err := cfg.choosePort()
	if err != nil {
		return nil, err
	}
	cmd := who.command(filepath.Join(bin, "postgres"), cfg.arguments(port), syscall.SIGQUIT)
	logged, err := os.Create(cfg.logFile())
	if err != nil {
		return nil, fmt.Errorf("open PostgreSQL's log: %w", err)
	}
	defer logged.Close()
	cmd.Stdout, cmd.Stderr = logged, logged
	child, err := spawn(cmd)
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	c := &Cluster{url: cfg.databaseURL(port, cfg.Database), child: child, stop: cfg.stopSignal(), logged: cfg.logFile()}
	if err := c.becomeReady(ctx, cfg, port); err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", errors.Join(err, c.quit()))
	}
	return c, nil
}

// stopSignal is SIGINT (fast: roll back, write everything, end) or, where nothing is worth writing, SIGQUIT.
func (c Config) stopSignal() syscall.Signal {
	if c.Durable {
		return syscall.SIGINT
	}
	return syscall.SIGQUIT
}

// arguments configures on the command line, so that a folder made by an older version of us needs no edit.
// No statement and no row value gets into PostgreSQL's log: those hold personal data.
func (c Config) arguments(port int) []string {
	settings := []string{
		"listen_addresses=127.0.0.1", "port=" + strconv.Itoa(port),
		"unix_socket_directories=", // its path may be longer than a socket's may be
		"max_connections=100", "timezone=UTC", "log_timezone=UTC", "jit=off",
		"log_min_messages=log", "log_min_error_statement=panic", "log_error_verbosity=terse",
	}
	if !c.Durable {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off")
	}
	if c.SharedBuffers != "" {
		settings = append(settings, "shared_buffers="+c.SharedBuffers)
	}
	args := []string{"-D", c.dataDir()}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	return args
}

// becomeReady waits until the owner can log in, and makes the database on the first start.
func (c *Cluster) becomeReady(ctx context.Context, cfg Config, port int) error {
	for {
		conn, err := pgx.Connect(ctx, cfg.databaseURL(port, "postgres"))
		if err == nil {
			defer conn.Close(ctx)
			return createDatabase(ctx, conn, cfg.Database)
		}
		select {
		case <-c.child.exited:
			return c.explainExit()
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w; see %s", context.Cause(ctx), c.logged)
		case <-time.After(pollInterval):
		}
	}
}

func createDatabase(ctx context.Context, conn *pgx.Conn, name string) error {
	var exists bool
	err := conn.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", name).Scan(&exists)
	if err != nil || exists {
		return err
	}
	_, err = conn.Exec(ctx, "create database "+pgx.Identifier{name}.Sanitize())
	return err
}

func (c *Cluster) explainExit() error {
	text, _ := os.ReadFile(c.logged)
	err := fmt.Errorf("%s (log: %s)", cmp.Or(faultIn(string(text)), "it ended at once"), c.logged)
	for _, passing := range []string{"TCP/IP sockets", "still in use"} {
		if strings.Contains(err.Error(), passing) {
			return inTheWay{err}
		}
	}
	return err
}

// faultIn picks the line that tells what went wrong from the output of initdb or postgres: the first "FATAL" or
// "error", or else the last line.
func faultIn(output string) string {
	last := ""
	for line := range strings.Lines(strings.TrimSpace(output)) {
		for _, mark := range []string{"FATAL:  ", "error: "} {
			if _, fault, found := strings.Cut(line, mark); found {
				return strings.TrimSpace(fault)
			}
		}
		last = strings.TrimSpace(line)
	}
	return last
}

// choosePort returns the wanted port if it is free, or, for 0, one that is free now, the last one if possible.
func (c Config) choosePort() (int, error) {
	if c.Port == 0 && c.LastPort != 0 {
		if port, err := freePort(c.LastPort); err == nil {
			return port, nil
		}
	}
	port, err := freePort(c.Port)
	if errors.Is(err, syscall.EADDRINUSE) {
		return 0, inTheWay{fmt.Errorf("port %d is busy: stop what listens there, or choose another", c.Port)}
	}
	if err != nil {
		return 0, fmt.Errorf("find a port: %w", err)
	}
	return port, nil
}

// freePort returns the port if it is free, or, for 0, one that is.
func freePort(wanted int) (int, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(wanted)))
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
