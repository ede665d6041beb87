package contact

import (
	"net/mail"
	"net/netip"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/go-playground/validator/v10"
	"golang.org/x/net/idna"

	"contactsync/consent/reason"
)

// Lengths by RFC 5321 §4.5.3.1 and RFC 1035 §2.3.4, in bytes of the ASCII form.
const (
	maxAddress = 254
	maxLocal   = 64
	maxLabel   = 63
)

// ParseEmail judges an e-mail address and returns it with its domain in lower-case ASCII (an international domain as punycode).
// The part before @ is kept as it is: its case belongs to the receiver.
//
// We refuse more than the RFCs do: quoted local parts, comments, IP literals and undotted domains are lawful and practically never
// a resident's own address, and a local part outside ASCII (EAI) reaches hardly any mail system of health care.
// The error is a reason.Refusal: empty, control characters, or of the family value_invalid:email_*.
func ParseEmail(raw string) (Value, error) {
	if address, ok := plainEmail(raw); ok {
		return KnownValue(address), nil
	}
	return parseEmail(raw)
}

// plainEmail knows at sight what nearly everybody has: letters, digits and a few signs before @, an ASCII domain under a top level
// of letters behind it. The judgement below takes many times as long to say the same; a test holds the two together. False says
// nothing about the address.
func plainEmail(raw string) (address string, ok bool) {
	local, domain, _ := strings.Cut(raw, "@")
	if len(raw) > maxAddress || len(local) > maxLocal || local == "" || badDots(local) || !only(local, "._-+") {
		return "", false
	}
	if !only(domain, ".-") {
		return "", false
	}
	lower := strings.ToLower(domain)
	top := lower[strings.LastIndexByte(lower, '.')+1:]
	if len(top) == len(lower) || strings.Trim(top, "abcdefghijklmnopqrstuvwxyz") != "" {
		return "", false
	}
	for label := range strings.SplitSeq(lower, ".") {
		edged := strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") || strings.HasPrefix(label, "xn--")
		if label == "" || len(label) > maxLabel || edged {
			return "", false
		}
	}
	if lower == domain {
		return raw, true
	}
	return local + "@" + lower, true
}

// only tells whether s is ASCII letters, digits and the signs.
func only(s, signs string) bool {
	for i := range len(s) {
		if !isLetterOrDigit(rune(s[i])) && strings.IndexByte(signs, s[i]) < 0 {
			return false
		}
	}
	return true
}

// parseEmail judges an address rule by rule.
func parseEmail(raw string) (Value, error) {
	if code := judgeEmailText(raw); code != "" {
		return Value{}, reason.Refuse(code)
	}
	local, domain, _ := strings.Cut(raw, "@")
	if code := judgeLocal(local); code != "" {
		return Value{}, reason.Refuse(code)
	}
	domain, code := asciiDomain(domain)
	if code == "" {
		code = judgeAddress(local+"@"+domain, domain)
	}
	if code != "" {
		return Value{}, reason.Refuse(code)
	}
	return KnownValue(local + "@" + domain), nil
}

// judgeEmailText judges what concerns the text as a whole; after it there is exactly one @.
func judgeEmailText(raw string) reason.Code {
	switch {
	case strings.TrimSpace(raw) == "":
		return reason.ValueEmpty
	case utf8.RuneCountInString(raw) > maxAddress: // in runes, as punycode may be shorter than UTF-8
		return reason.EmailTooLong
	case strings.ContainsFunc(raw, unicode.IsControl):
		return reason.ValueControlCharacters
	case strings.TrimSpace(raw) != raw:
		return reason.EmailSpaceAround
	case strings.ContainsAny(raw, "<>"):
		return reason.EmailDisplayName
	case strings.Contains(raw, `"`):
		return reason.EmailQuotedLocal
	case strings.ContainsAny(raw, "()"):
		return reason.EmailComment
	case !strings.Contains(raw, "@"):
		return reason.EmailAtMissing
	case strings.Count(raw, "@") > 1:
		return reason.EmailAtRepeated
	}
	return ""
}

func judgeLocal(local string) reason.Code {
	switch {
	case local == "":
		return reason.EmailLocalMissing
	case strings.ContainsFunc(local, isNotASCII):
		return reason.EmailLocalNotASCII
	case len(local) > maxLocal:
		return reason.EmailLocalTooLong
	case strings.ContainsFunc(local, isNotAtext), strings.Contains(local, "=?"):
		// "=?" begins an encoded word (RFC 2047): some mailers decode it, and would send to another address than the one judged.
		return reason.EmailLocalCharacters
	case badDots(local):
		return reason.EmailLocalDots
	}
	return ""
}

// asciiDomain returns the domain in lower-case ASCII. Only international domains go through IDNA: its rules for lookup refuse
// plain names that exist, such as those with hyphens in third and fourth place.
func asciiDomain(domain string) (string, reason.Code) {
	switch {
	case domain == "":
		return "", reason.EmailDomainMissing
	case strings.HasPrefix(domain, "["):
		return "", reason.EmailIPLiteral
	case strings.ContainsFunc(domain, isNoDomainCharacter):
		return "", reason.EmailDomainCharacters
	}
	lower := strings.ToLower(domain)
	switch inASCII := !strings.ContainsFunc(lower, isNotASCII); {
	case inASCII && strings.ContainsFunc(domain, isNotASCII):
		return "", reason.EmailDomainIDN // the Kelvin sign, whose lower case is a plain k
	case inASCII && !strings.Contains("."+lower, ".xn--"):
		return lower, ""
	}
	ascii, err := idna.Lookup.ToASCII(lower)
	if err != nil || shown(ascii) != shown(lower) {
		return "", reason.EmailDomainIDN
	}
	return ascii, ""
}

// shown is the domain as a person reads it. IDNA also maps full-width letters to plain ones and drops invisible characters;
// an address that would come back as another than the one written is refused instead.
func shown(domain string) string {
	text, _ := idna.Punycode.ToUnicode(domain) // whether it can be decoded was judged by ToASCII
	return text
}

// judgeAddress judges the normalised address: our rules on the domain, then the base form.
func judgeAddress(address, domain string) reason.Code {
	if badDots(domain) {
		return reason.EmailDomainDots
	}
	if !strings.Contains(domain, ".") {
		return reason.EmailDomainUndotted
	}
	if _, err := netip.ParseAddr(domain); err == nil {
		return reason.EmailIPLiteral
	}
	for label := range strings.SplitSeq(domain, ".") {
		if strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return reason.EmailDomainHyphen
		}
		if len(label) > maxLabel {
			return reason.EmailLabelTooLong
		}
	}
	if len(address) > maxAddress {
		return reason.EmailTooLong
	}
	parsed, err := mail.ParseAddress(address)
	if err != nil || parsed.Address != address || baseForm().Var(address, "email") != nil {
		return reason.EmailForm
	}
	return ""
}

// baseForm is the validator's judgement of form. It is built once, as a compiled pattern would be, and holds no state of ours:
// building it for each address would cost several times the judgement.
var baseForm = sync.OnceValue(func() *validator.Validate { return validator.New() })

func badDots(s string) bool {
	return strings.HasPrefix(s, ".") || strings.HasSuffix(s, ".") || strings.Contains(s, "..")
}

func isNotASCII(r rune) bool { return r > unicode.MaxASCII }

// isNoDomainCharacter tells of ASCII that no host name has, and of broken UTF-8, to which IDNA would give a name of its own.
// What else is beyond ASCII is for IDNA to judge.
func isNoDomainCharacter(r rune) bool {
	return r <= unicode.MaxASCII && !isLetterOrDigit(r) && r != '-' && r != '.' || r == utf8.RuneError
}

// isNotAtext tells of characters outside a dot-atom (RFC 5322 §3.2.3).
func isNotAtext(r rune) bool {
	return !isLetterOrDigit(r) && !strings.ContainsRune(".!#$%&'*+-/=?^_`{|}~", r)
}

func isLetterOrDigit(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}
