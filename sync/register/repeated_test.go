package register_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"contactsync/consent/contact"
	"contactsync/contracts/contactsv1"
	"contactsync/contracts/testca"
	"contactsync/sync/plan"
	"contactsync/sync/push"
	"contactsync/sync/register"
)

// A call that is repeated within itself may have been carried out by an attempt before the last one.
func TestTheLastAttemptDoesNotTellWhatBecameOfTheFirst(t *testing.T) {
	t.Parallel()
	hangUp := func(w http.ResponseWriter) {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
	}
	for name, tt := range map[string]struct {
		answer func(w http.ResponseWriter, attempt int64, listener net.Listener)
		want   push.Class
	}{
		"cut, and then nobody is there": {func(w http.ResponseWriter, _ int64, listener net.Listener) {
			_ = listener.Close()
			hangUp(w)
		}, push.Unknown},
		"cut, and then too many": {func(w http.ResponseWriter, attempt int64, _ net.Listener) {
			if attempt == 1 {
				hangUp(w)
				return
			}
			w.WriteHeader(http.StatusTooManyRequests)
		}, push.Unknown},
		"too many at once": {func(w http.ResponseWriter, _ int64, _ net.Listener) { w.WriteHeader(http.StatusTooManyRequests) }, push.Retry},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changes := changesBy(t, tt.answer)
			_, err := changes.Change(t.Context(), []push.Wanted{{Person: tove, Target: plan.Target{Channel: contact.Mobile, Want: plan.Want{Kind: plan.Withdrawn, Revision: 1}}}})
			if e, ok := errors.AsType[*push.Error](err); !ok || e.Class != tt.want {
				t.Errorf("class %v, want %d: %v", e, tt.want, err)
			}
		})
	}
}

// changesBy is the adapter of a register that answers so.
func changesBy(t *testing.T, answer func(w http.ResponseWriter, attempt int64, listener net.Listener)) *register.ContactsV1 {
	t.Helper()
	ca, err := testca.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err1 := ca.Issue("register", "SE2321000016-CSR1", "127.0.0.1")
	clientCert, clientKey, err2 := ca.Issue("worker", caller)
	served, err3 := ca.ServerTLS(cert, key)
	config, err4 := ca.ClientTLS(clientCert, clientKey)
	var attempts atomic.Int64
	var server *httptest.Server
	server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		answer(w, attempts.Add(1), server.Listener)
	}))
	server.TLS = served
	server.StartTLS()
	t.Cleanup(server.Close)
	reads, _ := register.HTTPClients(config, 1, nil)
	client, err5 := contactsv1.NewClient(contactsv1.ClientConfig{BaseURL: server.URL, HTTP: reads})
	changes, err6 := register.NewContactsV1(register.ContactsV1Config{Client: client, Observe: func(string, string, string, time.Duration) {}})
	if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil {
		t.Fatal(err)
	}
	return changes
}
