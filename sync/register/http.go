package register

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"contactsync/sync/push"

	"github.com/hashicorp/go-retryablehttp"
)

// retries within one call: short ones only, the long ones are the store's.
const retries = 2

// Allowance is who says when a call may be made; see push.Allowance.
type Allowance interface {
	Take(ctx context.Context) (give func(), err error)
}

// HeldUp has each call wait before it is sent, as behind a slow network.
func HeldUp(allowance Allowance, d time.Duration) Allowance { return heldUp{allowance, d} }

type heldUp struct {
	Allowance
	by time.Duration
}

// Take implements Allowance.
func (h heldUp) Take(ctx context.Context) (give func(), err error) {
	give = func() {}
	if h.Allowance != nil {
		if give, err = h.Allowance.Take(ctx); err != nil {
			return nil, err
		}
	}
	wait := time.NewTimer(h.by)
	defer wait.Stop()
	select {
	case <-wait.C:
		return give, nil
	case <-ctx.Done():
		give()
		return nil, ctx.Err()
	}
}

// allowed makes each attempt of a call wait for its turn: what a service counts are requests.
type allowed struct {
	allowance Allowance
	next      http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (a *allowed) RoundTrip(r *http.Request) (*http.Response, error) {
	give, err := a.allowance.Take(r.Context())
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	response, err := a.next.RoundTrip(r)
	if err == nil || r.Context().Err() == nil { // else the request may still be on its way
		give()
	}
	return response, err
}

// sessions are kept by the host that they are with. The certificates are those of the first handshake: who reloads them must begin anew.
const sessions = 8

// HTTPClients returns the client for reads and the one for writes, over the same connections. Reads are repeated after
// connection trouble; a write only if it was certainly never sent: a repeated update could land after a later one. Each attempt waits
// for its allowance; nil: there is no limit.
func HTTPClients(config *tls.Config, connections int, allowance Allowance) (reads, writes *http.Client) {
	if config = config.Clone(); config == nil {
		config = &tls.Config{}
	}
	config.ClientSessionCache = tls.NewLRUClientSessionCache(sessions) // most of a handshake is what two certificates cost
	var transport http.RoundTripper = &roundTripper{&http.Transport{
		TLSClientConfig:     config,
		MaxIdleConnsPerHost: connections, // the default of 2 makes a new TLS handshake for almost every call
		MaxConnsPerHost:     connections,
		IdleConnTimeout:     90 * time.Second,
		TLSHandshakeTimeout: 3 * time.Second,
	}}
	if allowance != nil {
		transport = &allowed{allowance, transport}
	}
	return client(transport, retryRead), client(transport, retryWrite)
}

// roundTripper hides CloseIdleConnections, which the library calls whenever it gives a request up: that would close the
// connections of all others. And it hides what net/http tells of an answer that is no HTTP.
type roundTripper struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t *roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Idempotency-Key") != "" { // which net/http takes for a leave to repeat the request by itself: outside of any turn, and untold
		once := *r
		once.GetBody = nil
		r = &once
	}
	response, err := t.RoundTripper.RoundTrip(r)
	if loose, ok := r.Context().Value(looseKey{}).(*int); ok && isLoose(response, err) {
		*loose++
	}
	if err != nil {
		return nil, untold(err)
	}
	response.Body = untoldBody{response.Body}
	return response, nil
}

type looseKey struct{}

// countingLoose counts, of the attempts of a call under the context, those that may have been carried out for all that is known of them. What
// the last one of several attempts came to does not tell what became of the others.
func countingLoose(ctx context.Context) (_ context.Context, loose *int) {
	loose = new(int)
	return context.WithValue(ctx, looseKey{}, loose), loose
}

func isLoose(response *http.Response, err error) bool {
	if err != nil {
		return !neverSent(err)
	}
	return response.StatusCode >= http.StatusInternalServerError
}

type untoldBody struct{ io.ReadCloser }

// Read implements io.Reader.
func (b untoldBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	return n, untold(err)
}

// illegible is an error whose text may quote the answer, and with it a person's details.
type illegible struct{ cause error }

// Error implements error.
func (*illegible) Error() string { return "the answer is no HTTP, or the connection broke" }

// Unwrap lets the kind of the error be told, but not its text.
func (e *illegible) Unwrap() error { return e.cause }

// untold leaves an error as it is whose text is about the connection.
func untold(err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if _, network := errors.AsType[net.Error](err); network || strings.HasPrefix(err.Error(), "tls: ") || strings.HasPrefix(err.Error(), "x509: ") {
		return err
	}
	return &illegible{err}
}

func client(transport http.RoundTripper, retry retryablehttp.CheckRetry) *http.Client {
	c := &retryablehttp.Client{
		HTTPClient: &http.Client{Transport: transport, CheckRedirect: noRedirect},
		RetryMax:   retries, CheckRetry: retry, Backoff: shortBackoff,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	return &http.Client{Transport: repeating{c}, CheckRedirect: noRedirect}
}

// repeating is retryablehttp.RoundTripper, but for the copy that it makes of each body, also of one that can be had again.
type repeating struct{ client *retryablehttp.Client }

// RoundTrip implements http.RoundTripper.
func (r repeating) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.GetBody == nil || request.Body == nil {
		return (&retryablehttp.RoundTripper{Client: r.client}).RoundTrip(request)
	}
	_ = request.Body.Close()
	copied := *request
	again := retryablehttp.Request{Request: &copied}
	if err := again.SetBody(retryablehttp.ReaderFunc(func() (io.Reader, error) { return request.GetBody() })); err != nil {
		return nil, err
	}
	again.ContentLength = request.ContentLength // SetBody could not tell it
	response, err := r.client.Do(&again)
	if wrapped, ok := err.(*url.Error); ok {
		err = wrapped.Err // the client around this one wraps it anew
	}
	return response, err
}

// noRedirect: following a redirect would turn the call into a GET of something else.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func retryRead(ctx context.Context, res *http.Response, err error) (bool, error) {
	if ctx.Err() != nil || errors.Is(err, push.ErrNoAllowance) {
		return false, nil
	}
	// A fault is HTTP 500 whoever is to blame: it is judged by its code, not here.
	return err != nil || res.StatusCode > http.StatusNotImplemented, nil
}

func retryWrite(ctx context.Context, _ *http.Response, err error) (bool, error) {
	return ctx.Err() == nil && err != nil && neverSent(err) && !errors.Is(err, push.ErrNoAllowance), nil
}

// shortBackoff is at most 0.4 s in all, and ignores Retry-After: a longer wish gives the person back to the queue.
func shortBackoff(_, _ time.Duration, attempt int, _ *http.Response) time.Duration {
	return rand.N(100*time.Millisecond<<attempt) + time.Millisecond
}
