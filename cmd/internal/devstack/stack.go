// Package devstack holds the parts that `contactsync dev` runs on: a data folder of its own, ports, a test certificate
// authority, a private PostgreSQL and an in-process Kafka broker.
//
// All state lies in the data folder and survives a kill -9; no process does. Nothing here is for production: passwords and
// keys lie in the folder in clear.
// Start reading at Start; what is served on the listeners is the caller's matter.
package devstack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"contactsync/consent/pgcluster"
)

// Owner and database of the private cluster.
const (
	databaseOwner = "contactsync"
	databaseName  = "contactsync"
)

const (
	stopTimeout = 2 * time.Second // how long PostgreSQL may take to stop in good order
	killAfter   = 3500 * time.Millisecond
)

// Config tells what stack to start.
type Config struct {
	// Data is the data folder, made when absent; empty uses a temporary one that Stop removes.
	Data string
	// PortBase puts the ports into PortBase…PortBase+29; 0 takes those of the last run on Data, or free ones.
	PortBase int
	// PostgresBinaries is the value of pgcluster.BinariesEnv.
	PostgresBinaries string
	Now              func() time.Time
	Log              *slog.Logger
}

// Stack is what runs. The listeners are open and accept nothing yet.
type Stack struct {
	Folder       *Folder
	Ports        *Ports
	Certificates *Certificates
	Postgres     *pgcluster.Cluster
	Broker       *Broker
}

// Start takes the folder and starts what lies beneath the services. On an error nothing is left running. A PostgreSQL that
// still runs some seconds after ctx has ended is killed: a frozen one would hold up everything that waits for its answers.
func Start(ctx context.Context, cfg Config) (_ *Stack, err error) {
	s := &Stack{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
		}
	}()
	if s.Folder, err = OpenFolder(ctx, cfg.Data); err != nil {
		return nil, err
	}
	if s.Ports, err = openPorts(ctx, cfg.PortBase, s.Folder.lastEndpoints()); err != nil {
		return nil, err
	}
	if s.Certificates, err = PrepareCertificates(s.Folder.join("tls"), cfg.Now()); err != nil {
		return nil, err
	}
	if s.Postgres, err = s.startPostgres(ctx, cfg); err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, s.killFrozen)
	s.Broker, err = StartBroker(s.Folder.join("kafka"), s.Ports.Kafka)
	return s, err
}

// Stop ends PostgreSQL and the broker, closes the ports and gives up the folder. What uses them must have ended.
func (s *Stack) Stop() error {
	var faults []error
	if s.Broker != nil {
		s.Broker.Close()
	}
	if s.Postgres != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		faults = append(faults, s.Postgres.Stop(ctx))
	}
	if s.Ports != nil {
		s.Ports.close()
	}
	if s.Folder != nil {
		faults = append(faults, s.Folder.Close())
	}
	return errors.Join(faults...)
}

func (s *Stack) killFrozen() {
	select {
	case <-s.Postgres.Exited():
	case <-time.After(killAfter):
		s.Postgres.Kill()
	}
}

// Endpoints tells where everything is.
func (s *Stack) Endpoints() Endpoints {
	return Endpoints{
		Portal: "http://" + s.Ports.Portal.Addr().String(), Ops: "http://" + s.Ports.Ops.Addr().String(),
		Register: "https://" + s.Ports.Register.Addr().String(), RegisterAdmin: "http://" + s.Ports.RegisterAdmin.Addr().String(),
		Kafka: s.Ports.Kafka.Addr().String(), Postgres: s.Postgres.URL(),
	}
}

func (s *Stack) startPostgres(ctx context.Context, cfg Config) (*pgcluster.Cluster, error) {
	password, err := s.Folder.secret("postgres-password")
	if err != nil {
		return nil, err
	}
	return pgcluster.Start(ctx, pgcluster.Config{
		Dir: s.Folder.join("postgres"), Port: s.Ports.Postgres, LastPort: s.Ports.LastPostgres,
		Owner: databaseOwner, Password: password, Database: databaseName,
		Durable: !s.Folder.temporary, Binaries: cfg.PostgresBinaries, Log: cfg.Log,
	})
}

// writeFile replaces a file in one step: whoever reads it sees the old text or the new, whole.
func writeFile(path string, text []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return os.Rename(f.Name(), path)
}

// portOf returns the port of an address such as 127.0.0.1:80.
func portOf(a net.Addr) int { return a.(*net.TCPAddr).Port }

// folderFault wraps the error of a file with what the user can do.
func folderFault(dir string, err error) error {
	denied, _ := errors.AsType[*fs.PathError](err)
	if denied == nil || !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("use the folder %s: %w; name one you may write to with --data", dir, err)
	}
	owner := pgcluster.Owner(denied.Path)
	if owner == "" { // not there yet, so it is the folder around it that is closed
		owner = pgcluster.Owner(filepath.Dir(denied.Path))
	}
	return fmt.Errorf("use the folder %s: %w; it belongs to the user %s: run as that user, or name one you may write to with --data",
		dir, err, owner)
}
