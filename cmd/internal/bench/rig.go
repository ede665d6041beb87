package bench

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"contactsync/cmd/internal/devstack"
	"contactsync/consent/pgcluster"
	"contactsync/contracts/testca"
)

// HSA-ids of the two ends.
const (
	workerHSAID    = devstack.WorkerHSAID
	registerHSAID  = "SE2321000016-CSR1"
	logicalAddress = "SE165565594230-1000"
)

// sharedBuffers is what a PostgreSQL that serves in earnest has at the least.
const sharedBuffers = "2GB"

const (
	stopTimeout = 5 * time.Second
	dropTimeout = time.Minute // of a database of millions
)

// rig is what all measurements run on.
type rig struct {
	cfg      Config
	folder   *devstack.Folder
	postgres *pgcluster.Cluster
	broker   *devstack.Broker // nil where Kafka is given
	brokers  []string
	server   *tls.Config // of the register
	client   *tls.Config // of who calls it
	on       Machine
	stages   int // made so far
}

// newRig starts PostgreSQL and, if none is given, a broker. On an error nothing is left running.
func newRig(ctx context.Context, c Config) (_ *rig, err error) {
	r := &rig{cfg: c, brokers: c.Kafka}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	if len(c.Kafka) > 0 { // before what takes longer
		if err := reachable(ctx, c.Kafka); err != nil {
			return r, err
		}
	}
	if r.folder, err = devstack.OpenFolder(ctx, ""); err != nil {
		return r, err
	}
	if err := r.issue(); err != nil {
		return r, fmt.Errorf("make test certificates: %w", err)
	}
	c.Progress("starting PostgreSQL")
	r.postgres, err = pgcluster.Start(ctx, pgcluster.Config{
		Dir: filepath.Join(r.folder.Dir, "postgres"), Owner: "bench", Password: "bench", Database: "bench",
		Durable: true, SharedBuffers: sharedBuffers, Binaries: c.PostgresBinaries, Log: c.Log,
	})
	if err != nil {
		return r, err
	}
	if len(c.Kafka) == 0 {
		if r.broker, r.brokers, err = startBroker(filepath.Join(r.folder.Dir, "kafka")); err != nil {
			return r, err
		}
	}
	r.on, err = r.describe(ctx)
	return r, err
}

func startBroker(dir string) (*devstack.Broker, []string, error) {
	listener, err := listen()
	if err != nil {
		return nil, nil, err
	}
	broker, err := devstack.StartBroker(dir, listener)
	return broker, []string{listener.Addr().String()}, err
}

// close ends what was started; what uses it must have ended.
func (r *rig) close() error {
	if r.broker != nil {
		r.broker.Close()
	}
	var stopped, removed error
	if r.postgres != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		stopped = r.postgres.Stop(ctx)
	}
	if r.folder != nil {
		removed = r.folder.Close()
	}
	return errors.Join(stopped, removed)
}

// issue makes an authority and both ends' certificates, in memory.
func (r *rig) issue() error {
	ca, err := testca.New(time.Now())
	if err != nil {
		return err
	}
	cert, key, err := ca.Issue("register", registerHSAID, "127.0.0.1")
	if err != nil {
		return err
	}
	if r.server, err = ca.ServerTLS(cert, key); err != nil {
		return err
	}
	if cert, key, err = ca.Issue("worker", workerHSAID); err != nil {
		return err
	}
	r.client, err = ca.ClientTLS(cert, key)
	return err
}

// execute runs statements that no database of a stage can run about itself.
func (r *rig) execute(ctx context.Context, statements ...string) error {
	conn, err := pgx.Connect(ctx, r.postgres.URL())
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, s := range statements {
		if _, err := conn.Exec(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

func listen() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }
