package mockregister

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"contactsync/contracts/personv4"
)

// refs seals identities into the refs by which single records are named in addresses, and opens them again. A ref is the same
// each time (an initialization vector that is made of the content, as in SIV), tells nothing without the key, and needs no
// table.
type refs struct {
	key   []byte // of the tag
	block cipher.Block
}

// refsOf reads the key once. A register that cannot read it tries again at the next call.
func (r *Register) refsOf(ctx context.Context) (*refs, error) {
	r.refsMu.Lock()
	defer r.refsMu.Unlock()
	if r.refs == nil {
		var key []byte
		if err := r.pool.QueryRow(ctx, `select key from register.ref_key`).Scan(&key); err != nil {
			return nil, fmt.Errorf("read the key of refs: %w", err)
		}
		r.refs = newRefs(key)
	}
	return r.refs, nil
}

// newRefs makes two keys of the one, since each may have one use only.
func newRefs(key []byte) *refs {
	block, err := aes.NewCipher(keyed(key, []byte("ref cipher")))
	if err != nil {
		panic(err) // the key has the right length
	}
	return &refs{keyed(key, []byte("ref tag")), block}
}

func keyed(key, text []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(text)
	return mac.Sum(nil)
}

// seal gives the ref of an identity.
func (x *refs) seal(id personv4.ID) string {
	plain := []byte(id.Extension)
	if id.Root != personv4.RootPersonnummer {
		plain = append(plain, "|"+id.Root...)
	}
	tag := keyed(x.key, plain)[:aes.BlockSize]
	sealed := append(slices.Clone(tag), plain...)
	cipher.NewCTR(x.block, tag).XORKeyStream(sealed[len(tag):], plain)
	return base64.RawURLEncoding.EncodeToString(sealed)
}

// open gives the identity of a ref; false for what is none of ours.
func (x *refs) open(ref string) (personv4.ID, bool) {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(ref)
	if err != nil || len(sealed) <= aes.BlockSize {
		return personv4.ID{}, false
	}
	tag, plain := sealed[:aes.BlockSize], make([]byte, len(sealed)-aes.BlockSize)
	cipher.NewCTR(x.block, tag).XORKeyStream(plain, sealed[len(tag):])
	if !hmac.Equal(tag, keyed(x.key, plain)[:aes.BlockSize]) {
		return personv4.ID{}, false
	}
	extension, root, other := strings.Cut(string(plain), "|")
	if !other {
		root = personv4.RootPersonnummer
	}
	return personv4.ID{Root: root, Extension: extension}, true
}
