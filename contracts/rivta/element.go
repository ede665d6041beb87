package rivta

import (
	"encoding/xml"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Namespaces with a meaning to XML itself.
const (
	xmlNamespace = "http://www.w3.org/XML/1998/namespace"
	xmlnsPrefix  = "xmlns"
	// generatedPrefix begins the prefixes that Append makes up. Parse does not take them for prefixes used in content.
	generatedPrefix = "cs."
)

// Element is an XML element with all it holds. Mixed content is kept the way of ElementTree: Text comes before the first
// child, each child's Tail right after it. Comments and prefixes are not kept, except prefixes that content speaks of.
type Element struct {
	Redacted
	Name xml.Name
	// Attrs holds the attributes in their order. Namespace declarations stand first (Name.Space "xmlns"), and only those of
	// prefixes that this element's own text or attribute values use, as in xsi:type="p:Name".
	Attrs    []xml.Attr
	Text     string
	Children []Element
	Tail     string
}

// Attr returns the value of an attribute, and whether there is one.
func (e Element) Attr(name xml.Name) (string, bool) {
	for _, attr := range e.Attrs {
		if attr.Name == name {
			return attr.Value, true
		}
	}
	return "", false
}

// Append writes the element to dst in canonical form, without an XML declaration and without e.Tail. Parsing what it wrote
// gives e again, and each element has one form: equal elements, equal bytes. Characters that XML 1.0 cannot carry become
// U+FFFD.
func Append(dst []byte, e Element) []byte { return AppendInside(dst, "", &e) }

// AppendInside is Append of an element inside one of the namespace around. It declares the default namespace where it differs from
// that, and prefixes for attributes on the element that has them: so a subtree reads the same wherever it is put.
func AppendInside(dst []byte, around string, e *Element) []byte {
	dst = appendAttrs(appendName(dst, around, e.Name), e.Attrs)
	begun := len(dst)
	dst = appendText(append(dst, '>'), e.Text, false)
	for i := range e.Children {
		child := &e.Children[i]
		dst = appendText(AppendInside(dst, e.Name.Space, child), child.Tail, false)
	}
	return appendEnd(dst, begun, e.Name)
}

// AppendWhole is AppendInside of an element of which content writes what is between its tags.
func AppendWhole(dst []byte, around string, name xml.Name, content func(dst []byte) []byte) []byte {
	dst = appendName(dst, around, name)
	begun := len(dst)
	return appendEnd(content(append(dst, '>')), begun, name)
}

func appendName(dst []byte, around string, name xml.Name) []byte {
	dst = append(append(dst, '<'), name.Local...)
	if name.Space != around {
		dst = appendAttr(dst, xmlnsPrefix, name.Space)
	}
	return dst
}

// appendEnd ends an element whose start ends at begun, with its '>'.
func appendEnd(dst []byte, begun int, name xml.Name) []byte {
	if len(dst) == begun+len(">") {
		return append(dst[:begun], "/>"...)
	}
	return append(append(append(dst, "</"...), name.Local...), '>')
}

func appendAttrs(dst []byte, attrs []xml.Attr) []byte {
	var prefixes []string // the namespaces that got a prefix; the first one's is cs.0
	for _, attr := range attrs {
		switch space := attr.Name.Space; space {
		case "":
			dst = appendAttr(dst, attr.Name.Local, attr.Value)
		case xmlnsPrefix:
			dst = appendAttr(dst, "xmlns:"+attr.Name.Local, attr.Value)
		case xmlNamespace:
			dst = appendAttr(dst, "xml:"+attr.Name.Local, attr.Value)
		default:
			number := index(prefixes, space)
			prefix := generatedPrefix + strconv.Itoa(number)
			if number == len(prefixes) {
				prefixes = append(prefixes, space)
				dst = appendAttr(dst, "xmlns:"+prefix, space)
			}
			dst = appendAttr(dst, prefix+":"+attr.Name.Local, attr.Value)
		}
	}
	return dst
}

// index is where s stands in list, or the list's length.
func index(list []string, s string) int {
	for i, item := range list {
		if item == s {
			return i
		}
	}
	return len(list)
}

func appendAttr(dst []byte, name, value string) []byte {
	dst = append(append(append(dst, ' '), name...), `="`...)
	return append(appendText(dst, value, true), '"')
}

// appendText escapes as Canonical XML does, so that line ends and tabs come back as they are.
func appendText(dst []byte, text string, inAttr bool) []byte {
	written := 0
	for i := 0; i < len(text); {
		if isPlain(text[i]) {
			i++
			continue
		}
		r, width := utf8.DecodeRuneInString(text[i:]) // U+FFFD for a byte that is no UTF-8
		if escaped := escape(r, inAttr); escaped != "" {
			dst = append(append(dst, text[written:i]...), escaped...)
			written = i + width
		}
		i += width
	}
	return append(dst, text[written:]...)
}

// isPlain tells of a byte that it means itself, wherever it is read or written.
func isPlain(c byte) bool {
	return c >= ' ' && c < utf8.RuneSelf && c != '&' && c != '<' && c != '>' && c != '"' && c != '\''
}

// escape is what is written for a character; empty: itself.
func escape(r rune, inAttr bool) string {
	switch {
	case r >= utf8.RuneSelf:
		if r == utf8.RuneError || !isChar(r) {
			return "\uFFFD"
		}
	case r == '&':
		return "&amp;"
	case r == '<':
		return "&lt;"
	case r == '>' && !inAttr:
		return "&gt;"
	case r == '"' && inAttr:
		return "&#34;"
	case r == '\t' && inAttr:
		return "&#9;"
	case r == '\n' && inAttr:
		return "&#10;"
	case r == '\r':
		return "&#13;"
	case !isChar(r):
		return "\uFFFD"
	}
	return ""
}

// IsText tells whether XML 1.0 can carry the text unchanged.
func IsText(text string) bool {
	for i := range len(text) {
		if c := text[i]; c >= utf8.RuneSelf {
			return utf8.ValidString(text) && strings.IndexFunc(text, func(r rune) bool { return !isChar(r) }) < 0
		} else if c < ' ' && !isChar(rune(c)) {
			return false
		}
	}
	return true
}

// isChar is production [2] of XML 1.0.
func isChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' ||
		r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF
}
