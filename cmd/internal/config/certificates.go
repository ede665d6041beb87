package config

import (
	"crypto/tls"
	"crypto/x509"
)

// authorities reads certificates to trust.
func (r *Reader) authorities(v Variable, text string) *x509.CertPool {
	pool := x509.NewCertPool()
	if text != "" && !pool.AppendCertsFromPEM([]byte(text)) {
		r.Faultf(v, "holds no certificate in PEM")
	}
	r.shown[v.Name] = "(certificates)"
	return pool
}

// certificate reads a certificate and its key, which must belong together.
func (r *Reader) certificate(certVariable, keyVariable Variable) []tls.Certificate {
	cert, key := r.Text(certVariable), r.Text(keyVariable)
	r.shown[certVariable.Name] = "(certificates)"
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
