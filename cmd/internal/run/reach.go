package run

import (
	"context"
	"crypto/tls"
	"net/url"
)

// Reachable returns a check that a TLS server at the URL takes us. It calls nothing.
func Reachable(address string, config *tls.Config) Check {
	return func(ctx context.Context) error {
		u, err := url.Parse(address)
		if err != nil {
			return err
		}
		host := u.Host
		if u.Port() == "" {
			host += ":443"
		}
		dialer := tls.Dialer{Config: config}
		conn, err := dialer.DialContext(ctx, "tcp", host)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}
