package config

import (
	"crypto/tls"
	"crypto/x509"
)

// authorities reads certificates to trust; nil for an empty variable.
func (r *Reader) authorities(v Variable) *x509.CertPool {
	v.ShownAs = "(certificates)"
	text, pool := r.Text(v), x509.NewCertPool()
	if text == "" {
		return nil
	}
	if !pool.AppendCertsFromPEM([]byte(text)) {
		r.Faultf(v, "holds no certificate in PEM")
	}
	return pool
}

// certificate reads a certificate and its key, which must belong together.
func (r *Reader) certificate(certVariable, keyVariable Variable) []tls.Certificate {
	certVariable.ShownAs = "(certificates)"
	cert, key := r.Text(certVariable), r.Text(keyVariable)
	if cert == "" || key == "" {
		if cert != key && certVariable.Optional {
			r.Faultf(certVariable, "and %s%s belong together", prefix, keyVariable.Name)
		}
		return nil
	}
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		r.Faultf(certVariable, "and %s%s are no certificate and its key in PEM", prefix, keyVariable.Name)
		return nil
	}
	return []tls.Certificate{pair}
}
