package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"contactsync/cmd/internal/run"
	"contactsync/contracts/contactsv1"
	"contactsync/contracts/rivta"
	"contactsync/contracts/testca"
)

// patientRegister holds a reader of its feed until it is released.
type patientRegister struct {
	contactsv1.Service
	reading, release chan struct{}
}

func (r patientRegister) Changes(ctx context.Context, _ contactsv1.Call, _ contactsv1.From) (contactsv1.Page, error) {
	close(r.reading)
	select {
	case <-r.release:
		return contactsv1.Page{Cursor: "x"}, nil
	case <-ctx.Done():
		return contactsv1.Page{}, ctx.Err()
	}
}

// A caller whose body never ends is sent away, while one that has sent all and waits for news is not.
func TestSlowCallersAndPatientOnes(t *testing.T) {
	t.Parallel()
	patient := patientRegister{reading: make(chan struct{}), release: make(chan struct{})}
	address, client := servedPatiently(t, patient)
	page := make(chan error, 1)
	go func() {
		response, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: client}}).Get("https://" + address + contactsv1.Path + "/changes?wait=60")
		if err == nil {
			text, _ := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if response.StatusCode != http.StatusOK || !strings.Contains(string(text), `"cursor":"x"`) {
				err = errors.New(response.Status)
			}
		}
		page <- err
	}()
	select {
	case <-patient.reading:
	case err := <-page:
		t.Fatalf("the patient reader: %v", err)
	}
	conn, err := tls.Dial("tcp", address, client)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST "+contactsv1.Path+"/contacts/lookup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
	line, _ := bufio.NewReader(conn).ReadString('\n') // until the server has had enough
	if !strings.Contains(line, "408 Request Timeout") {
		t.Errorf("answered %q", line)
	}
	close(patient.release) // longer after it began than a request may take to come in
	if err := <-page; err != nil {
		t.Errorf("the patient reader: %v", err)
	}
}

func servedPatiently(t *testing.T, service contactsv1.Service) (address string, client *tls.Config) {
	t.Helper()
	ca, err1 := testca.New(time.Now())
	serverCert, serverKey, err2 := ca.Issue("register", "", "127.0.0.1")
	clientCert, clientKey, err3 := ca.Issue("system", journal)
	serverTLS, err4 := ca.ServerTLS(serverCert, serverKey)
	client, err5 := ca.ClientTLS(clientCert, clientKey)
	listener, err6 := net.Listen("tcp", "127.0.0.1:0")
	if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil {
		t.Fatal(err)
	}
	handler := contactsv1.NewHandler(service, contactsv1.HandlerConfig{
		Rights: func(context.Context, rivta.Caller, string) (contactsv1.Rights, error) {
			return contactsv1.Rights{Read: true}, nil
		}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		ended <- run.Serve(ctx, run.Server{Name: "register", Listener: listener, Handler: handler, TLS: serverTLS,
			ReadTimeout: 2 * time.Second, Log: slog.New(slog.DiscardHandler)})
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return listener.Addr().String(), client
}
