package event

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"pgregory.net/rapid"

	"contactsync/consent/contact"
)

func TestKeyIsTheHMACOfCryptoHMAC(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		pepper := rapid.SliceOfN(rapid.Byte(), 0, 3*sha256.BlockSize).Draw(t, "pepper")
		root, extension := rapid.String().Draw(t, "root"), rapid.StringN(0, 200, -1).Draw(t, "extension")
		mac := hmac.New(sha256.New, pepper)
		mac.Write([]byte(root + "|" + extension))
		want := hex.EncodeToString(mac.Sum(nil)[:16])
		if got := Key(pepper, contact.KnownPersonID(root, extension)); got != want {
			t.Errorf("key %s, want %s", got, want)
		}
	})
}
