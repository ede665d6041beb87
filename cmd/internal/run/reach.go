package run

import (
	"context"
	"crypto/tls"
	"errors"
	"net/url"
	"os"
	"time"
)

// refusalWait is how long a server may take to refuse our certificate: in TLS 1.3 that comes after our part of the handshake.
const refusalWait = 100 * time.Millisecond

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
		defer conn.Close()
		if err := conn.SetReadDeadline(time.Now().Add(refusalWait)); err != nil {
			return err
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		return nil
	}
}
