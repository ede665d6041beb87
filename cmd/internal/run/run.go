// Package run is the plumbing of a process: serving HTTP until told to stop, the ops listener that tells an operator how the
// process is, and noticing that whoever started it is gone.
//
// It knows nothing of consent, contracts or sync. Start with Serve and Ops.
package run

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// drainTimeout is how long requests under way may take to finish once a server has been told to stop.
const drainTimeout = 1500 * time.Millisecond

// How long a client may take, so that one that dawdles, on purpose or not, holds nothing up for long. What a handler does between
// reading and answering is not counted: a page or a reader may wait for news.
const (
	headerTimeout = 10 * time.Second // for the TLS handshake, and for the head of a request
	readTimeout   = 30 * time.Second // for a whole request
	writeTimeout  = 30 * time.Second // for each piece of an answer
	idleTimeout   = 2 * time.Minute

	maxHeader = 64 << 10
)

// Server is one HTTP service on an open listener.
type Server struct {
	Name     string
	Listener net.Listener
	Handler  http.Handler
	TLS      *tls.Config // nil serves plain HTTP
	// ReadTimeout is how long a whole request may take to come in; 0: half a minute. It does not bound how long
	// a handler takes to answer.
	ReadTimeout time.Duration
	Log         *slog.Logger
}

// Serve serves until ctx ends, finishes the requests under way and returns nil. The listener is closed in any case.
// With TLS it speaks HTTP/1.1 only, which is a third faster than HTTP/2 for small calls.
func Serve(ctx context.Context, s Server) error {
	server := &http.Server{
		Handler:           prompt(s.Handler),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       cmp.Or(s.ReadTimeout, readTimeout),
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.Log.With("server", s.Name).Handler(), slog.LevelWarn),
	}
	listener := s.Listener
	if s.TLS != nil {
		listener = tls.NewListener(listener, s.TLS)
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		if server.Shutdown(draining) != nil {
			_ = server.Close()
		}
	})
	err := server.Serve(listener)
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// prompt cuts off clients that do not take what is written. The server's own WriteTimeout begins with the request, and would cut
// off those that wait for an answer; it does forget the deadline when the answer is over.
func prompt(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(&promptWriter{w, http.NewResponseController(w)}, r)
	})
}

type promptWriter struct {
	http.ResponseWriter
	control *http.ResponseController
}

// Write also sets the deadline for what the server has still to send when the handler has returned.
func (w *promptWriter) Write(piece []byte) (int, error) {
	_ = w.control.SetWriteDeadline(time.Now().Add(writeTimeout))
	return w.ResponseWriter.Write(piece)
}

// Unwrap serves http.ResponseController.
func (w *promptWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
