package testca_test

import (
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"contactsync/contracts/testca"
)

const hsaID = "SE2321000016-SYS1"

func authority(t *testing.T) *testca.CA {
	t.Helper()
	ca, err := testca.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func TestLoadedAuthorityIsTheSame(t *testing.T) {
	t.Parallel()
	ca := authority(t)
	loaded, err := testca.Load(ca.CertPEM(), ca.KeyPEM())
	if err != nil {
		t.Fatal(err)
	}
	if status := callThrough(t, ca, loaded); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	cert, key, err := ca.Issue("system", hsaID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := testca.Load(cert, key); err == nil {
		t.Error("a client's certificate was taken for an authority")
	}
}

func TestStrangeAuthorityIsNotTrusted(t *testing.T) {
	t.Parallel()
	if status := callThrough(t, authority(t), authority(t)); status != 0 {
		t.Errorf("status %d, want no connection", status)
	}
}

func TestIssuedCertificate(t *testing.T) {
	t.Parallel()
	certPEM, _, err := authority(t).Issue("system", hsaID)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(certPEM)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if cert.Subject.SerialNumber != hsaID || cert.Subject.CommonName != "system" || cert.IsCA ||
		time.Until(cert.NotAfter) < 9*365*24*time.Hour {
		t.Errorf("subject %v, valid until %v", cert.Subject, cert.NotAfter)
	}
}

// callThrough calls a server of one authority with a client certificate of another, by name and by address. 0 is no answer.
func callThrough(t *testing.T, ofServer, ofClient *testca.CA) (status int) {
	t.Helper()
	serverCert, serverKey, err := ofServer.Issue("register", "", "localhost", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS.VerifiedChains[0][0].Subject.SerialNumber != hsaID {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if server.TLS, err = ofServer.ServerTLS(serverCert, serverKey); err != nil {
		t.Fatal(err)
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	cert, key, err := ofClient.Issue("system", hsaID)
	if err != nil {
		t.Fatal(err)
	}
	config, err := ofServer.ClientTLS(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: config}
	t.Cleanup(transport.CloseIdleConnections)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	return response.StatusCode
}
