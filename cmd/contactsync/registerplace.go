package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"contactsync/cmd/internal/devstack"
	"contactsync/contracts/contactsv1"
	"contactsync/contracts/personv4"
	"contactsync/contracts/problem"
	"contactsync/contracts/rivta"
	"contactsync/sync/register"
)

// registerPlace says where a client command finds the register, and as whom it asks.
type registerPlace struct {
	data           string // folder of a running dev: tells all below that is empty
	url            string
	ca, cert, key  string // files
	logicalAddress string
}

// client speaks the Unrestricted contract.
func (p registerPlace) client() (*personv4.Client, error) {
	p, err := p.completed()
	if err != nil {
		return nil, err
	}
	config, err := p.tls()
	if err != nil {
		return nil, err
	}
	reads, _ := register.HTTPClients(config, lookupsAtOnce, nil)
	client, err := personv4.NewClient(personv4.ClientConfig{ClientConfig: rivta.ClientConfig{
		BaseURL: p.url, LogicalAddress: p.logicalAddress, HTTP: reads,
	}})
	if err != nil {
		return nil, usageError{fmt.Errorf("register: %w", err)}
	}
	return client, nil
}

// contacts speaks the REST contract.
func (p registerPlace) contacts() (*contactsv1.Client, error) {
	p, err := p.completed()
	if err != nil {
		return nil, err
	}
	config, err := p.tls()
	if err != nil {
		return nil, err
	}
	reads, _ := register.HTTPClients(config, lookupsAtOnce, nil)
	client, err := contactsv1.NewClient(contactsv1.ClientConfig{BaseURL: p.url, HTTP: reads})
	if err != nil {
		return nil, usageError{fmt.Errorf("register: %w", err)}
	}
	return client, nil
}

// addFlags are those of every command that asks the register as a care system.
func (p *registerPlace) addFlags(c *cobra.Command) {
	c.Flags().StringVar(&p.data, "data", "", "data `DIR` of a running dev, to find its register and the certificate of a care system")
	c.Flags().StringVar(&p.url, "register", "", "`URL` of the register, https://host:port")
	c.Flags().StringVar(&p.ca, "ca", "", "`FILE` with the authority that the register's certificate is from")
	c.Flags().StringVar(&p.cert, "cert", "", "`FILE` with the client certificate")
	c.Flags().StringVar(&p.key, "key", "", "`FILE` with the key of the client certificate")
}

// completed fills in what the data folder tells.
func (p registerPlace) completed() (registerPlace, error) {
	if p.data == "" {
		if slices.Contains([]string{p.url, p.ca, p.cert, p.key}, "") {
			return p, usageError{errors.New("where is the register? Give --register, --ca, --cert and --key, or --data DIR of a running dev")}
		}
		return p, nil
	}
	endpoints, err := devstack.ReadEndpoints(p.data)
	if err != nil {
		return p, fmt.Errorf("find the register by --data: %w", err)
	}
	for field, value := range map[*string]string{
		&p.url:  endpoints.Register,
		&p.ca:   filepath.Join(p.data, "tls", "ca.pem"),
		&p.cert: filepath.Join(p.data, "tls", devstack.JournalCertificate+".pem"),
		&p.key:  filepath.Join(p.data, "tls", devstack.JournalCertificate+"-key.pem"),
	} {
		if *field == "" {
			*field = value
		}
	}
	return p, nil
}

func (p registerPlace) tls() (*tls.Config, error) {
	authority, err := os.ReadFile(p.ca)
	if err != nil {
		return nil, fmt.Errorf("read the register's authority: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("read the register's authority: %s holds no certificate", p.ca)
	}
	pair, err := tls.LoadX509KeyPair(p.cert, p.key)
	if err != nil {
		return nil, fmt.Errorf("read the client certificate: %w", err)
	}
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

// mayPass tells whether a call to the register failed for a reason that may be over when it is made again: the register
// cannot be reached, or is busy. A certificate that one side refuses is none.
func mayPass(err error) bool {
	if fault, ok := errors.AsType[*rivta.Fault](err); ok {
		passing := []string{"VP008", "VP009", "VP012", "VP014"} // of the platform: the service behind it is away
		return slices.Contains(passing, fault.VP) || fault.VP == "" && fault.Code == rivta.FaultServer
	}
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		return p.Status == http.StatusTooManyRequests || p.Status >= http.StatusInternalServerError
	}
	if status, ok := errors.AsType[*rivta.StatusError](err); ok {
		return status.Status == http.StatusTooManyRequests || status.Status >= http.StatusInternalServerError
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Op != "remote error" // a TLS alert
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
