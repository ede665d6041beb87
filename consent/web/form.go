package web

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

const (
	maxBody   = 64 << 10 // bytes of a form: far more than anything that is meant
	formLife  = 2 * time.Hour
	formIDLen = 16

	formPatience = 30 * time.Second // for all of a form to arrive
)

// Form reads a form that was sent. The error is a Fault.
func (k *Kit) Form(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(formPatience)) // a server without deadlines has none here either
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	err := r.ParseForm()
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, Fault{http.StatusRequestEntityTooLarge}
	}
	if err != nil {
		return nil, Fault{http.StatusBadRequest}
	}
	return r.PostForm, nil
}

// Seal is what a form is bound to: it counts only from this session, about this subject, for this purpose.
type Seal struct {
	Session          SessionID
	Subject, Purpose string
}

// FormID names one form that was shown, so that sending it twice can be seen.
type FormID [formIDLen]byte

// ErrForm says that a form's token is missing, forged, too old, or was given for something else. The site shows the form anew,
// and not what was typed: that may be somebody else's, who was logged in before in the same browser.
var ErrForm = errors.New("the form's token does not hold")

// ErrFormOld is the ErrForm of a token that is too old, and else holds. The site shows the form anew, with what was typed.
var ErrFormOld = fmt.Errorf("%w: it is too old", ErrForm)

// Token gives a form a new id and seals it for two hours.
func (k *Kit) Token(s Seal) string {
	var id FormID
	_, _ = rand.Read(id[:]) // never fails
	head := binary.BigEndian.AppendUint64(id[:], uint64(k.Now().Add(formLife).Unix()))
	return base64.RawURLEncoding.EncodeToString(append(head, k.mac(s, head)...))
}

// Open returns the id of a form whose token holds, else ErrForm or ErrFormOld.
func (k *Kit) Open(token string, s Seal) (FormID, error) {
	const headLen = formIDLen + 8
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) != headLen+sha256.Size || !hmac.Equal(raw[headLen:], k.mac(s, raw[:headLen])) {
		return FormID{}, ErrForm
	}
	if uint64(k.Now().Unix()) >= binary.BigEndian.Uint64(raw[formIDLen:]) {
		return FormID{}, ErrFormOld
	}
	return FormID(raw[:formIDLen]), nil
}

func (k *Kit) mac(s Seal, head []byte) []byte {
	return k.Digest("form", string(s.Session[:]), s.Subject, s.Purpose, string(head))
}

// Digest is a keyed hash of the parts, each with its length, for marks that tell nothing without the key.
func (k *Kit) Digest(parts ...string) []byte {
	mac := hmac.New(sha256.New, k.Key)
	for _, part := range parts {
		_ = binary.Write(mac, binary.BigEndian, uint64(len(part)))
		mac.Write([]byte(part))
	}
	return mac.Sum(nil)
}
