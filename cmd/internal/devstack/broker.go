package devstack

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/twmb/franz-go/pkg/kfake"

	"contactsync/consent/stream"
)

// Broker is a Kafka broker inside this process. It speaks Kafka's protocol, and keeps records, groups and offsets on disk.
type Broker struct{ cluster *kfake.Cluster }

// StartBroker starts a broker of one node on an open listener, and makes the topics it lacks.
func StartBroker(dir string, listener net.Listener) (*Broker, error) {
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.Ports(portOf(listener.Addr())),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return listener, nil }),
		kfake.DataDir(dir),
	)
	if err != nil {
		return nil, fmt.Errorf("start the Kafka broker: %w", err)
	}
	b := &Broker{cluster}
	if err := errors.Join(b.forgetProducers(dir), b.makeTopics()); err != nil {
		b.Close()
		return nil, fmt.Errorf("start the Kafka broker: %w", err)
	}
	// Reading back a million records takes some hundred megabytes, which Go would give back much later.
	debug.FreeOSMemory()
	return b, nil
}

// Close saves what is not on disk yet and ends the broker.
func (b *Broker) Close() { b.cluster.Close() }

// forgetProducers removes what a clean stop leaves about idempotent producers once it has been read: were it read again
// after a later kill -9, it would be out of date, and such producers would end with a fatal out-of-order sequence.
func (b *Broker) forgetProducers(dir string) error {
	err := os.Remove(filepath.Join(dir, "seq_windows.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (b *Broker) makeTopics() error {
	for _, t := range stream.Topics() {
		if b.cluster.TopicInfo(t.Name) != nil {
			continue
		}
		if err := b.cluster.CreateTopic(t.Name, int32(t.Partitions), t.Settings()); err != nil {
			return fmt.Errorf("make topic %s: %w", t.Name, err)
		}
	}
	return nil
}
