package register

import (
	"context"
	"crypto/tls"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// retries within one call: short ones only, the long ones are the store's.
const retries = 2

// HTTPClients returns the client for reads and the one for writes, over the same connections. Reads are repeated after
// connection trouble; a write only if it was certainly never sent: a repeated update could land after a later one.
func HTTPClients(config *tls.Config, connections int) (reads, writes *http.Client) {
	transport := &roundTripper{&http.Transport{
		TLSClientConfig:     config,
		MaxIdleConnsPerHost: connections, // the default of 2 makes a new TLS handshake for almost every call
		MaxConnsPerHost:     connections,
		IdleConnTimeout:     90 * time.Second,
		TLSHandshakeTimeout: 3 * time.Second,
	}}
	return client(transport, retryRead), client(transport, retryWrite)
}

// roundTripper hides CloseIdleConnections, which the library calls whenever it gives a request up: that would close the
// connections of all others.
type roundTripper struct{ http.RoundTripper }

func client(transport http.RoundTripper, retry retryablehttp.CheckRetry) *http.Client {
	c := &retryablehttp.Client{
		HTTPClient: &http.Client{Transport: transport, CheckRedirect: noRedirect},
		RetryMax:   retries, CheckRetry: retry, Backoff: shortBackoff,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	std := c.StandardClient()
	std.CheckRedirect = noRedirect
	return std
}

// noRedirect: following a redirect would turn the call into a GET of something else.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func retryRead(ctx context.Context, res *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, nil
	}
	// A fault is HTTP 500 whoever is to blame: it is judged by its code, not here.
	return err != nil || res.StatusCode > http.StatusNotImplemented, nil
}

func retryWrite(ctx context.Context, _ *http.Response, err error) (bool, error) {
	return ctx.Err() == nil && err != nil && neverSent(err), nil
}

// shortBackoff is at most 0.4 s in all, and ignores Retry-After: a longer wish gives the person back to the queue.
func shortBackoff(_, _ time.Duration, attempt int, _ *http.Response) time.Duration {
	return rand.N(100*time.Millisecond<<attempt) + time.Millisecond
}
