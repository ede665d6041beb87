package contracttest

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"contactsync/contracts/contactsv1"
	"contactsync/contracts/personprofilev5"
	"contactsync/contracts/personv3"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
	"contactsync/contracts/testca"
)

// Served is a handler behind mutual TLS, until the test ends.
type Served struct {
	URL string // https://host:port
	CA  *testca.CA
	// Fresh gives each call a connection of its own. On one that has been used before, net/http repeats by itself what it takes for
	// safe to be repeated, and a test of cut connections would count that call too.
	Fresh bool
}

// Serve puts the handler behind mutual TLS.
func Serve(t testing.TB, handler http.Handler) Served {
	t.Helper()
	ca, err := testca.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	certPEM, keyPEM, err := ca.Issue("register", "", "127.0.0.1", "localhost")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if server.TLS, err = ca.ServerTLS(certPEM, keyPEM); err != nil {
		t.Fatal(err)
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	return Served{URL: server.URL, CA: ca}
}

// HTTP is a client with the certificate of a system; an empty HSA-id leaves SERIALNUMBER out.
func (s Served) HTTP(t testing.TB, hsaID string) *http.Client {
	t.Helper()
	certPEM, keyPEM, err := s.CA.Issue("system", hsaID)
	if err != nil {
		t.Fatal(err)
	}
	config, err := s.CA.ClientTLS(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: s.Fresh}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// Profiles asks for persons as a system: by the Unrestricted contract, or the restricted.
func (s Served) Profiles(t testing.TB, hsaID, logicalAddress string, restricted bool) *personprofilev5.Client {
	t.Helper()
	client, err := personprofilev5.NewClient(s.config(t, hsaID, logicalAddress, restricted))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// Contacts speaks the REST contract as a system.
func (s Served) Contacts(t testing.TB, hsaID string) *contactsv1.Client {
	t.Helper()
	client, err := contactsv1.NewClient(contactsv1.ClientConfig{BaseURL: s.URL, HTTP: s.HTTP(t, hsaID)})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// Client speaks the newest contract as a system: the Unrestricted one, or the restricted.
func (s Served) Client(t testing.TB, hsaID, logicalAddress string, restricted bool) *personv4.Client {
	t.Helper()
	client, err := personv4.NewClient(s.config(t, hsaID, logicalAddress, restricted))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// ClientV3 speaks the major before it.
func (s Served) ClientV3(t testing.TB, hsaID, logicalAddress string, restricted bool) *personv3.Client {
	t.Helper()
	client, err := personv3.NewClient(s.config(t, hsaID, logicalAddress, restricted))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func (s Served) config(t testing.TB, hsaID, logicalAddress string, restricted bool) personv4.ClientConfig {
	t.Helper()
	return personv4.ClientConfig{Restricted: restricted, ClientConfig: rivta.ClientConfig{
		BaseURL: s.URL, LogicalAddress: logicalAddress, HTTP: s.HTTP(t, hsaID),
	}}
}
