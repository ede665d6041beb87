package contactsv1

import "strings"

// The forms of texts are judged by hand: a regular expression takes ten times as long, and a bulk has thousands of them. A test holds
// each to the expression in its comment.

// maxMail is the length of an address that mail systems take (RFC 5321 §4.5.3.1).
const maxMail = 254

// ValidValue tells whether a channel can have the value: a number in E.164, or an address of at most 254 ASCII characters. Whether an
// address reaches anybody is judged by whoever asked the person; here only what would harm a reader is kept out.
func ValidValue(c Channel, value string) bool {
	if c == Mobile {
		return isMobile(value)
	}
	local, domain, _ := strings.Cut(value, "@")
	dotted := strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, "..")
	return len(value) <= maxMail && isLocal(local) && isDomain(domain) && !dotted
}

// isMobile is E.164 with the plus: ^\+[1-9][0-9]{6,14}$
func isMobile(s string) bool {
	return len(s) >= 8 && len(s) <= 16 && s[0] == '+' && s[1] != '0' && consists(s[1:], isDigit)
}

// isLocal is what stands before the @ of an address: ^[A-Za-z0-9.!#$%&'*+/=?^_{|}~`-]{1,64}$
func isLocal(s string) bool {
	return s != "" && len(s) <= 64 && consists(s, func(c byte) bool {
		return isAlphanumeric(c) || strings.IndexByte(".!#$%&'*+/=?^_{|}~`-", c) >= 0
	})
}

// isDomain is a name with a dot: ^L(\.L)+$ where L is [A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?
func isDomain(s string) bool {
	labels := 0
	for label := range strings.SplitSeq(s, ".") {
		labels++
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' || !consists(label, isAlphanumericOrHyphen) {
			return false
		}
	}
	return labels > 1
}

// isRoot is an OID: ^[0-2](\.(0|[1-9][0-9]{0,15})){1,20}$
func isRoot(s string) bool {
	if s == "" || s[0] < '0' || s[0] > '2' {
		return false
	}
	arcs := 0
	for s = s[1:]; s != ""; arcs++ {
		if s[0] != '.' {
			return false
		}
		s = s[1:]
		n := 0
		for n < len(s) && isDigit(s[n]) {
			n++
		}
		if n == 0 || n > 16 || n > 1 && s[0] == '0' {
			return false
		}
		s = s[n:]
	}
	return arcs >= 1 && arcs <= 20
}

// isExtension is an identity in whatever form: ^[0-9A-Za-z-]{1,32}$
func isExtension(s string) bool {
	return s != "" && len(s) <= 32 && consists(s, isAlphanumericOrHyphen)
}

// isEventID is ^[A-Za-z0-9._:-]{1,64}$
func isEventID(s string) bool {
	return s != "" && len(s) <= 64 && consists(s, func(c byte) bool { return isAlphanumericOrHyphen(c) || c == '.' || c == '_' || c == ':' })
}

// isVersion is ^[0-9]{14}$
func isVersion(s string) bool { return len(s) == 14 && consists(s, isDigit) }

func consists(s string, of func(byte) bool) bool {
	for i := range len(s) {
		if !of(s[i]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isAlphanumeric(c byte) bool { return isDigit(c) || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' }

func isAlphanumericOrHyphen(c byte) bool { return isAlphanumeric(c) || c == '-' }
