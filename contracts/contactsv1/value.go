package contactsv1

import (
	"regexp"
	"strings"
)

// mobileText is a number in E.164, with the plus.
var mobileText = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// mailText is the form of an address that the register keeps: one @, and a domain with a dot. Whether it reaches anybody is
// judged by whoever asked the person; here only what would harm a reader is kept out.
var mailText = regexp.MustCompile(`^[A-Za-z0-9.!#$%&'*+/=?^_{|}~\x60-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)+$`)

// maxMail is the length of an address that mail systems take (RFC 5321 §4.5.3.1).
const maxMail = 254

// ValidValue tells whether a channel can have the value: a number in E.164, or an address of at most 254 ASCII characters.
func ValidValue(c Channel, value string) bool {
	if c == Mobile {
		return mobileText.MatchString(value)
	}
	local, _, _ := strings.Cut(value, "@")
	dotted := strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, "..")
	return len(value) <= maxMail && mailText.MatchString(value) && !dotted
}
