package rivta

import (
	"encoding/xml"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// scanner cuts a text into the raw tokens of XML. It takes what encoding/xml's Decoder takes and refuses the rest in the same line, as
// a test makes sure, in a fifth of the time: names and texts are pieces of the text itself, which lives as long as any of them does. What
// hardly any message has, it leaves to encoding/xml.
type scanner struct {
	text  string
	at    int
	attrs []xml.Attr      // of the last start
	names map[string]bool // beyond ASCII, that were judged
}

type tokenKind int

const (
	noToken tokenKind = iota // a comment
	startToken
	emptyToken // a start that is the end too
	endToken
	textToken
	instructionToken
	doctypeToken
)

// token is a piece of the text. Names are as written: Space is the prefix.
type token struct {
	kind  tokenKind
	name  xml.Name   // of an element; of an instruction only Local
	attrs []xml.Attr // until the next token
	text  string
}

// declaration is how nearly all messages begin.
const declaration = `<?xml version="1.0" encoding="UTF-8"?>`

// next returns the next token of a text that is not at its end.
func (s *scanner) next() (token, error) {
	if s.text[s.at] != '<' {
		text, err := s.characters(0)
		return token{kind: textToken, text: text}, err
	}
	switch rest := s.text[s.at:]; {
	case strings.HasPrefix(rest, "</"):
		s.at += len("</")
		return s.end()
	case strings.HasPrefix(rest, "<!--"):
		s.at += len("<!--")
		return s.comment()
	case strings.HasPrefix(rest, "<![CDATA["):
		s.at += len("<![CDATA[")
		return s.cdata()
	case strings.HasPrefix(rest, declaration):
		s.at += len(declaration)
		return token{kind: instructionToken, name: xml.Name{Local: "xml"}}, nil
	case strings.HasPrefix(rest, "<!"), strings.HasPrefix(rest, "<?"):
		return s.rare()
	}
	s.at++
	return s.start()
}

// malformed is where the text stops to be XML: behind what was read.
func (s *scanner) malformed() error {
	return &xml.SyntaxError{Line: 1 + strings.Count(s.text[:s.at], "\n")}
}

// take reads a byte; 0 at the end, where no token may be in its midst.
func (s *scanner) take() byte {
	if s.at == len(s.text) {
		return 0
	}
	s.at++
	return s.text[s.at-1]
}

func (s *scanner) space() {
	for s.at < len(s.text) && strings.IndexByte(" \t\r\n", s.text[s.at]) >= 0 {
		s.at++
	}
}

func (s *scanner) start() (token, error) {
	name, err := s.name()
	if err != nil {
		return token{}, err
	}
	for s.attrs = s.attrs[:0]; ; {
		s.space()
		switch rest := s.text[s.at:]; {
		case strings.HasPrefix(rest, ">"):
			s.at++
			return token{kind: startToken, name: name, attrs: s.attrs}, nil
		case strings.HasPrefix(rest, "/"):
			s.at++
			if s.take() != '>' {
				return token{}, s.malformed()
			}
			return token{kind: emptyToken, name: name, attrs: s.attrs}, nil
		}
		attr, err := s.attribute()
		if err != nil {
			return token{}, err
		}
		s.attrs = append(s.attrs, attr)
	}
}

func (s *scanner) attribute() (attr xml.Attr, err error) {
	if attr.Name, err = s.name(); err != nil {
		return attr, err
	}
	s.space()
	if s.take() != '=' {
		return attr, s.malformed()
	}
	s.space()
	quote := s.take()
	if quote != '"' && quote != '\'' {
		return attr, s.malformed()
	}
	attr.Value, err = s.characters(quote)
	return attr, err
}

func (s *scanner) end() (token, error) {
	name, err := s.name()
	if err != nil {
		return token{}, err
	}
	s.space()
	if s.take() != '>' {
		return token{}, s.malformed()
	}
	return token{kind: endToken, name: name}, nil
}

// name reads a name, as far as one that is not good goes, and cuts it at its colon.
func (s *scanner) name() (xml.Name, error) {
	begin, colon, colons, ascii := s.at, 0, 0, true
	for ; s.at < len(s.text) && isNameByte(s.text[s.at]); s.at++ {
		switch c := s.text[s.at]; {
		case c == ':':
			colon = s.at
			colons++
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	name := s.text[begin:s.at]
	switch {
	case name == "", !beginsName(name[0]), colons > 1, !ascii && !s.isName(name):
		return xml.Name{}, s.malformed()
	case colons == 0, colon == begin, colon == s.at-1:
		return xml.Name{Local: name}, nil
	}
	return xml.Name{Space: s.text[begin:colon], Local: s.text[colon+1 : s.at]}, nil
}

func beginsName(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c == ':' || c >= utf8.RuneSelf
}

func isNameByte(c byte) bool { return beginsName(c) || '0' <= c && c <= '9' || c == '.' || c == '-' }

// isName asks encoding/xml, which has the tables of the characters beyond ASCII, once for each name.
func (s *scanner) isName(name string) bool {
	good, judged := s.names[name]
	if !judged {
		_, err := xml.NewDecoder(strings.NewReader("<" + name + ">")).RawToken()
		good = err == nil
		if s.names == nil {
			s.names = map[string]bool{}
		}
		s.names[name] = good
	}
	return good
}

// characters reads text up to the next tag, or an attribute's value up to its quote. Line ends become \n.
func (s *scanner) characters(quote byte) (string, error) {
	begin, written := s.at, s.at
	var made []byte // what stands for the text up to written, where that is not the text itself
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; {
		case isPlain(c):
		case c == '<' && quote == 0:
			return s.judged(begin, written, made, s.at)
		case c == '<', c == '>' && quote == 0 && strings.HasSuffix(s.text[begin:s.at], "]]"):
			return "", s.malformed()
		case c == quote && quote != 0:
			s.at++
			return s.judged(begin, written, made, s.at-1)
		case c == '&':
			name, _, ended := strings.Cut(s.text[s.at+1:], ";")
			r, ok := entity(name)
			if !ok || !ended {
				return "", s.malformed()
			}
			made = utf8.AppendRune(append(made, s.text[written:s.at]...), r)
			s.at += len(name) + 1
			written = s.at + 1
		case c == '\r':
			made = append(append(made, s.text[written:s.at]...), '\n')
			if strings.HasPrefix(s.text[s.at:], "\r\n") {
				s.at++
			}
			written = s.at + 1
		}
	}
	if quote != 0 {
		return "", s.malformed()
	}
	return s.judged(begin, written, made, s.at)
}

// judged is the text from begin to end, if all its characters are allowed; made stands for what of it comes before written.
func (s *scanner) judged(begin, written int, made []byte, end int) (string, error) {
	text := s.text[begin:end]
	if written > begin {
		text = string(append(made, s.text[written:end]...))
	}
	if !IsText(text) {
		return "", s.malformed()
	}
	return text, nil
}

// entity is the character that a reference means.
func entity(name string) (rune, bool) {
	switch name {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "apos":
		return '\'', true
	case "quot":
		return '"', true
	}
	digits, ok := strings.CutPrefix(name, "#")
	base := 10
	if hexadecimal, is := strings.CutPrefix(digits, "x"); is {
		digits, base = hexadecimal, 16
	}
	n, err := strconv.ParseUint(digits, base, 64)
	return rune(n), ok && err == nil && n <= unicode.MaxRune
}

func (s *scanner) cdata() (token, error) {
	text, _, ended := strings.Cut(s.text[s.at:], "]]>")
	s.at += len(text)
	if !ended {
		return token{}, s.malformed()
	}
	s.at += len("]]>")
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	if !IsText(text) {
		return token{}, s.malformed()
	}
	return token{kind: textToken, text: text}, nil
}

// comment passes over one. What it holds, nobody judges.
func (s *scanner) comment() (token, error) {
	text, _, ended := strings.Cut(s.text[s.at:], "--")
	s.at += len(text)
	if !ended {
		return token{}, s.malformed()
	}
	s.at += len("--")
	if s.take() != '>' {
		return token{}, s.malformed()
	}
	return token{}, nil
}

// rare has encoding/xml read an instruction or a DOCTYPE, or say where what begins like one is wrong.
func (s *scanner) rare() (token, error) {
	d := xml.NewDecoder(strings.NewReader(s.text[s.at:]))
	read, err := d.RawToken()
	s.at += int(d.InputOffset())
	if _, ok := err.(*xml.SyntaxError); ok {
		return token{}, s.malformed()
	}
	if instruction, ok := read.(xml.ProcInst); ok {
		return token{kind: instructionToken, name: xml.Name{Local: instruction.Target}}, err
	}
	return token{kind: doctypeToken}, err
}
