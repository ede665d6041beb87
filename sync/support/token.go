package support

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"
	"time"
)

// tokenLife is long enough to read what goes and to talk it over.
const tokenLife = 10 * time.Minute

// token is a confirmation token taken apart: when it expires, a code over the detail that was shown, and a code over both and
// the removal it was given for. Two codes tell a token that is not for this removal from one whose detail has changed.
//
// In writing it is the expiry in seconds since 1970 (base 36) and both codes (base64url), with dots between.
type token struct{ expires, forWhat, forRemoval string }

// codeBytes of each code are kept: nobody can try 2^128 in ten minutes.
const codeBytes = 16

func (d *Desk) newToken(r Removal, x detail, expires time.Time) string {
	t := token{expires: strconv.FormatInt(expires.Unix(), 36)}
	t.forWhat = t.detailCode(d.Secret, r, x)
	t.forRemoval = t.removalCode(d.Secret, r)
	return strings.Join([]string{t.expires, t.forWhat, t.forRemoval}, ".")
}

// readToken judges all of a token but the detail. A removal without one has the zero token.
func (d *Desk) readToken(r Removal) (token, error) {
	if r.Token == "" {
		return token{}, nil
	}
	parts := strings.Split(r.Token, ".")
	if len(parts) != 3 {
		return token{}, ErrTokenForeign
	}
	t := token{parts[0], parts[1], parts[2]}
	seconds, err := strconv.ParseInt(t.expires, 36, 64)
	if err != nil || !equal(t.forRemoval, t.removalCode(d.Secret, r)) {
		return token{}, ErrTokenForeign
	}
	if !d.Now().Before(time.Unix(seconds, 0)) {
		return token{}, ErrTokenExpired
	}
	return t, nil
}

// shows tells whether x is the detail that the token was given for.
func (t token) shows(secret []byte, r Removal, x detail) bool {
	return equal(t.forWhat, t.detailCode(secret, r, x))
}

func (t token) removalCode(secret []byte, r Removal) string {
	return code(secret, "removal", t.expires, t.forWhat, r.Person.Root(), r.Person.RevealExtension(), string(r.Channel), r.Reason, r.Ground)
}

// detailCode covers the person too: that two persons have the same number does not show in their tokens.
func (t token) detailCode(secret []byte, r Removal, x detail) string {
	fields := []string{"detail", t.expires, r.Person.Root(), r.Person.RevealExtension(), strconv.FormatInt(x.revision, 10)}
	for _, v := range x.values {
		fields = append(fields, v.Reveal())
	}
	return code(secret, fields...)
}

// code is a keyed code over the fields, each with its length before it: no other fields make the same text.
func code(secret []byte, fields ...string) string {
	mac := hmac.New(sha256.New, secret)
	for _, f := range fields {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(f))))
		mac.Write([]byte(f))
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:codeBytes])
}

func equal(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }
