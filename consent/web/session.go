package web

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
)

// SessionID is what a site keeps of a session: the hash of the secret that lies in the browser's cookie. Who reads it in a
// database cannot take the session over.
type SessionID [sha256.Size]byte

// Session returns the session that the browser shows. Whether it is anybody's, the site knows.
func (k *Kit) Session(r *http.Request) (SessionID, bool) {
	cookie, err := r.Cookie(k.sessionCookie())
	if err != nil || cookie.Value == "" {
		return SessionID{}, false
	}
	return sha256.Sum256([]byte(cookie.Value)), true
}

// NewSession gives the browser a new secret, in place of any it has.
func (k *Kit) NewSession(w http.ResponseWriter) SessionID {
	secret := rand.Text()
	http.SetCookie(w, k.cookie(k.sessionCookie(), secret, 0))
	return sha256.Sum256([]byte(secret))
}

// EndSession takes the secret from the browser.
func (k *Kit) EndSession(w http.ResponseWriter) {
	http.SetCookie(w, k.cookie(k.sessionCookie(), "", -1))
}

// sessionCookie: by the prefix browsers see to it that no neighbouring site under the same domain can set the cookie.
func (k *Kit) sessionCookie() string {
	if k.Secure {
		return "__Host-" + k.Name + "_session"
	}
	return k.Name + "_session"
}

// cookie: maxAge 0 lives as long as the browser.
func (k *Kit) cookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, Secure: k.Secure, SameSite: http.SameSiteLaxMode}
}
