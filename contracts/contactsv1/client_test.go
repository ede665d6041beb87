package contactsv1

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"contactsync/contracts/rivta"
)

// answered is a Doer that answers every request so.
type answered http.HandlerFunc

func (a answered) Do(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	a(w, r)
	return w.Result(), nil
}

// A proxy knows nothing of problems, and still tells when to come again.
func TestAProxysWishToBeLeftAloneIsHeard(t *testing.T) {
	t.Parallel()
	client, err := NewClient(ClientConfig{BaseURL: "https://127.0.0.1:1", HTTP: answered(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusServiceUnavailable)
	})})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.ChangedSince(t.Context(), nil)
	if status, ok := errors.AsType[*rivta.StatusError](err); !ok || status.Status != http.StatusServiceUnavailable || status.RetryAfter != 7*time.Second {
		t.Errorf("error %#v", err)
	}
}
