package stream_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"contactsync/consent/stream"
)

const password = "a very secret pass=word,"

// guarded is a broker behind TLS that asks for a login, and the way to it.
func guarded(t *testing.T, m stream.Mechanism) stream.Config {
	t.Helper()
	server, roots := certificate(t)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(server), kfake.EnableSASL(), kfake.Superuser(string(m), "worker", password))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return stream.Config{Brokers: cluster.ListenAddrs(), TLS: &tls.Config{RootCAs: roots},
		Login: &stream.Login{Mechanism: m, User: "worker", Password: password}}
}

// certificate is one for 127.0.0.1, signed by itself.
func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, roots
}

func mechanisms() []stream.Mechanism {
	return []stream.Mechanism{stream.Plain, stream.ScramSHA256, stream.ScramSHA512}
}

func TestEverythingGoesThroughTLSAndLogin(t *testing.T) {
	t.Parallel()
	for _, m := range mechanisms() {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			c := guarded(t, m)
			if _, err := stream.EnsureTopics(t.Context(), c, []stream.TopicSpec{{Name: topic, Partitions: 3}}); err != nil {
				t.Fatal(err)
			}
			publish(t, c, numbered(0, 10)...)
			h := newCollector()
			consume(t, c, h)
			h.until(t, "ten records", func() bool { return len(h.records) == 10 })
		})
	}
}

// A wrong login is one error with one name, wherever it shows.
func TestWrongLoginIsNamed(t *testing.T) {
	t.Parallel()
	for _, m := range mechanisms() {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			c := guarded(t, m)
			c.Login.Password = "wrong"
			p, err := stream.NewPublisher(c)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			_, made := stream.EnsureTopics(t.Context(), c, stream.Topics())
			_, checked := stream.CheckTopics(t.Context(), c, stream.Topics())
			for what, err := range map[string]error{"publish": p.Publish(t.Context(), numbered(0, 1)...), "make": made, "check": checked} {
				if !errors.Is(err, stream.ErrLogin) || strings.Contains(err.Error(), "wrong") {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
}

// A broker that wants a login, or TLS, only hangs up on who comes without.
func TestMissingLoginIsHintedAt(t *testing.T) {
	t.Parallel()
	c := guarded(t, stream.Plain)
	c.Login = nil
	for what, config := range map[string]stream.Config{"no login": c, "no TLS either": {Brokers: c.Brokers}} {
		if _, err := stream.CheckTopics(t.Context(), config, stream.Topics()); err == nil || !strings.Contains(err.Error(), "wants TLS or a login") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestLoginPrintsWithoutPassword(t *testing.T) {
	t.Parallel()
	login := stream.Login{Mechanism: stream.Plain, User: "worker", Password: password}
	c := stream.Config{Brokers: []string{"127.0.0.1:9092"}, Login: &login}
	var log bytes.Buffer
	for _, logger := range []*slog.Logger{slog.New(slog.NewJSONHandler(&log, nil)), slog.New(slog.NewTextHandler(&log, nil))} {
		logger.Info("x", "login", login, "pointer", &login, "config", c)
	}
	text, _ := json.Marshal(login)
	said := log.String() + string(text)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		said += fmt.Sprintf(verb+verb+verb, login, &login, c)
	}
	if strings.Contains(said, password) || strings.Contains(said, fmt.Sprintf("%x", password)) || strings.Contains(said, "secret") {
		t.Errorf("the password is told: %s", said)
	}
	if !strings.Contains(said, "PLAIN as worker [password]") {
		t.Errorf("the user is not told: %s", said)
	}
}

func TestConfigTellsAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	c := stream.Config{Brokers: []string{"kafka.example"}, Login: &stream.Login{Mechanism: "GSSAPI", User: "worker"}}
	_, published := stream.NewPublisher(c)
	_, made := stream.EnsureTopics(t.Context(), c, nil)
	_, checked := stream.CheckTopics(t.Context(), c, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	consumed := stream.Consume(ctx, stream.ConsumeConfig{Config: c, Group: "g", Topic: topic, Log: slog.New(slog.DiscardHandler)}, newCollector())
	for what, err := range map[string]error{"publish": published, "make": made, "check": checked, "consume": consumed} {
		for _, fault := range []string{"is not host:port", "mechanism \"GSSAPI\"", "user and password"} {
			if err == nil || !strings.Contains(err.Error(), fault) {
				t.Errorf("%s: %v lacks %q", what, err, fault)
			}
		}
	}
}
