package devstack

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"contactsync/contracts/testca"
)

// HSA-ids of the clients that get a certificate.
const (
	WorkerHSAID   = "SE2321000016-CSW1" // the sync worker
	PortalHSAID   = "SE2321000016-CSP1" // the residents' portal
	SupportHSAID  = "SE2321000016-CSD1" // the support desk
	JournalHSAID  = "SE2321000016-CSJ1" // a care system
	StrangerHSAID = "SE2321000016-CSX1" // a system that nobody has allowed anything
	registerHSAID = "SE2321000016-CSR1"
)

// Names of certificates: NAME.pem and NAME-key.pem in the folder tls.
const (
	WorkerCertificate   = "worker"
	PortalCertificate   = "portal"
	SupportCertificate  = "support"
	JournalCertificate  = "journal"
	StrangerCertificate = "stranger"
	registerCertificate = "register"
	authority           = "ca"
)

// Certificates is a folder with an authority, a server certificate for the register and one for each client.
type Certificates struct {
	dir string
	ca  *testca.CA
}

// Holder is whom a certificate is for.
type Holder struct{ Name, HSAID string }

// Holders lists the register and its callers.
func Holders() []Holder {
	return []Holder{
		{registerCertificate, registerHSAID}, {WorkerCertificate, WorkerHSAID}, {PortalCertificate, PortalHSAID},
		{SupportCertificate, SupportHSAID}, {JournalCertificate, JournalHSAID}, {StrangerCertificate, StrangerHSAID},
	}
}

// Systems are those of the holders that call others.
func Systems() []Holder { return Holders()[1:] }

// PrepareCertificates makes what is missing or no longer fits together, such as after a crash in between.
func PrepareCertificates(dir string, now time.Time) (*Certificates, error) {
	c := &Certificates{dir: dir}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, folderFault(dir, err)
	}
	if err := c.prepareAuthority(now); err != nil {
		return nil, fmt.Errorf("prepare the test certificate authority: %w", err)
	}
	for _, h := range Holders() {
		var hosts []string
		if h.Name == registerCertificate {
			hosts = []string{"localhost", "127.0.0.1", "::1"}
		}
		if err := c.prepare(h.Name, h.HSAID, now, hosts...); err != nil {
			return nil, fmt.Errorf("prepare test certificates: %w", err)
		}
	}
	return c, nil
}

// RegisterTLS is for the server that plays the register.
func (c *Certificates) RegisterTLS() (*tls.Config, error) {
	cert, key, err := c.read(registerCertificate)
	if err != nil {
		return nil, err
	}
	return c.ca.ServerTLS(cert, key)
}

// ClientTLS is for a client with the named certificate.
func (c *Certificates) ClientTLS(name string) (*tls.Config, error) {
	cert, key, err := c.read(name)
	if err != nil {
		return nil, err
	}
	return c.ca.ClientTLS(cert, key)
}

func (c *Certificates) prepareAuthority(now time.Time) (err error) {
	if cert, key, err := c.read(authority); err == nil && fits(cert, key, cert, now) {
		c.ca, err = testca.Load(cert, key)
		return err
	}
	if c.ca, err = testca.New(now); err != nil {
		return err
	}
	return c.write(authority, c.ca.CertPEM(), c.ca.KeyPEM())
}

func (c *Certificates) prepare(name, hsaID string, now time.Time, hosts ...string) error {
	if cert, key, err := c.read(name); err == nil && fits(cert, key, c.ca.CertPEM(), now) {
		return nil
	}
	cert, key, err := c.ca.Issue(name, hsaID, hosts...)
	if err != nil {
		return err
	}
	return c.write(name, cert, key)
}

// fits tells whether certificate and key belong together, the authority has issued it, and it has not run out.
func fits(cert, key, authority []byte, now time.Time) bool {
	pair, err := tls.X509KeyPair(cert, key)
	roots := x509.NewCertPool()
	if err != nil || !roots.AppendCertsFromPEM(authority) {
		return false
	}
	_, err = pair.Leaf.Verify(x509.VerifyOptions{
		Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	return err == nil
}

func (c *Certificates) read(name string) (cert, key []byte, err error) {
	cert, err = os.ReadFile(c.certFile(name))
	if err != nil {
		return nil, nil, err
	}
	key, err = os.ReadFile(c.keyFile(name))
	return cert, key, err
}

func (c *Certificates) write(name string, cert, key []byte) error {
	return errors.Join(writeFile(c.keyFile(name), key, 0o600), writeFile(c.certFile(name), cert, 0o644))
}

func (c *Certificates) certFile(name string) string { return filepath.Join(c.dir, name+".pem") }

func (c *Certificates) keyFile(name string) string { return filepath.Join(c.dir, name+"-key.pem") }
