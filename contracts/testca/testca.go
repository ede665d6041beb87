// Package testca makes a certificate authority for tests and for the development stack.
//
// Its certificates carry the holder's HSA-id as the subject's SERIALNUMBER, which is where the national platform reads who
// calls. Nothing here is fit for production: keys are kept in memory and handed out in clear.
//
// Start with New, then CA.Issue.
package testca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"time"
)

const (
	years    = 10        // how long the authority and what it issues are valid
	backdate = time.Hour // tolerance for clocks that are behind ours
	certType = "CERTIFICATE"
	keyType  = "PRIVATE KEY"
)

// CA is a certificate authority. Make it with New or Load.
type CA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// New makes an authority that is valid for ten years from now on.
func New(now time.Time) (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make CA key: %w", err)
	}
	template, err := template(now, pkix.Name{CommonName: "contactsync test CA"})
	if err != nil {
		return nil, err
	}
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make CA certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	return &CA{cert, key}, err
}

// Load reads an authority back from what CertPEM and KeyPEM gave.
func Load(certPEM, keyPEM []byte) (*CA, error) {
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("load CA: %w", err)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !pair.Leaf.IsCA {
		return nil, errors.New("load CA: not an authority made by this package")
	}
	return &CA{pair.Leaf, key}, nil
}

// CertPEM returns the authority's certificate.
func (ca *CA) CertPEM() []byte { return encodePEM(certType, ca.cert.Raw) }

// KeyPEM returns the authority's private key. Keep it readable by its owner only.
func (ca *CA) KeyPEM() []byte {
	pem, err := keyPEM(ca.key)
	if err != nil {
		panic(err) // a P-256 key always encodes
	}
	return pem
}

// Issue makes a certificate and its key, valid as long as the authority. An empty hsaID leaves SERIALNUMBER out. With hosts
// (names or IP addresses) it is a server's certificate, without a client's.
func (ca *CA) Issue(commonName, hsaID string, hosts ...string) (certPEM, keyPEMBytes []byte, err error) {
	return ca.IssueUntil(ca.cert.NotAfter, commonName, hsaID, hosts...)
}

// IssueUntil is Issue of a certificate that runs out at a time of its own.
func (ca *CA) IssueUntil(end time.Time, commonName, hsaID string, hosts ...string) (certPEM, keyPEMBytes []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make key of %s: %w", commonName, err)
	}
	template, err := template(ca.cert.NotBefore.Add(backdate), pkix.Name{CommonName: commonName, SerialNumber: hsaID})
	if err != nil {
		return nil, nil, err
	}
	template.KeyUsage, template.NotAfter = x509.KeyUsageDigitalSignature, end
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if len(hosts) > 0 {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		template.DNSNames = append(template.DNSNames, host)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, key.Public(), ca.key)
	if err != nil {
		return nil, nil, fmt.Errorf("issue certificate of %s: %w", commonName, err)
	}
	keyPEMBytes, err = keyPEM(key)
	return encodePEM(certType, der), keyPEMBytes, err
}

// ServerTLS is a TLS configuration for a server with this certificate that demands a client certificate of this authority.
func (ca *CA) ServerTLS(certPEM, keyPEM []byte) (*tls.Config, error) {
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	return &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: ca.pool(),
		ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12}, err
}

// ClientTLS is a TLS configuration for a client with this certificate that trusts servers of this authority only.
func (ca *CA) ClientTLS(certPEM, keyPEM []byte) (*tls.Config, error) {
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	return &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: ca.pool(), MinVersion: tls.VersionTLS12}, err
}

func (ca *CA) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return pool
}

func template(now time.Time, subject pkix.Name) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("draw serial number: %w", err)
	}
	return &x509.Certificate{SerialNumber: serial.Add(serial, big.NewInt(1)), Subject: subject,
		NotBefore: now.Add(-backdate), NotAfter: now.AddDate(years, 0, 0)}, nil
}

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return encodePEM(keyType, der), err
}

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
