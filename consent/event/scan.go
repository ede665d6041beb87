package event

import "strings"

// scanner walks over JSON and tells where things begin and end. It takes exactly what encoding/json takes, which FuzzObject holds
// it to, but however deep, and decodes nothing on the way: its walk token by token was most of the price of a decision.
type scanner struct {
	text string
	at   int
}

// next passes over white space and gives the byte that follows; 0, which is no JSON, at the end.
func (s *scanner) next() byte {
	for ; s.at < len(s.text); s.at++ {
		if c := s.text[s.at]; c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return c
		}
	}
	return 0
}

// take passes over a byte and white space before it, if that is what follows.
func (s *scanner) take(c byte) bool { return s.next() == c && s.skip(c) }

// skip passes over a byte, if that is what follows.
func (s *scanner) skip(c byte) bool {
	found := s.at < len(s.text) && s.text[s.at] == c
	if found {
		s.at++
	}
	return found
}

// name passes over a member's name and the colon behind it, and gives the name in its quotes.
func (s *scanner) name() (quoted string, ok bool) {
	if s.next() != '"' {
		return "", false
	}
	start := s.at
	if !s.quoted() {
		return "", false
	}
	return s.text[start:s.at], s.take(':')
}

// value passes over one value, however deep: nothing here calls itself.
func (s *scanner) value() bool {
	var room [16]byte
	around := room[:0] // the closing bracket of each array and object that we are in
	for {
		c := s.next()
		switch c {
		case '{', '[':
			s.at++
			around = append(around, c+2) // in ASCII a closing bracket stands two behind the opening one
			if s.next() != c+2 {
				if !s.member(c + 2) {
					return false
				}
				continue
			}
		default:
			if !s.scalar(c) {
				return false
			}
		}
		for len(around) > 0 && s.take(around[len(around)-1]) {
			around = around[:len(around)-1]
		}
		if len(around) == 0 {
			return true
		}
		if !s.take(',') || !s.member(around[len(around)-1]) {
			return false
		}
	}
}

// member passes over what stands before a value in what the bracket closes.
func (s *scanner) member(bracket byte) bool {
	if bracket == ']' {
		return true
	}
	_, ok := s.name()
	return ok
}

// scalar passes over a value that begins with c and is neither array nor object.
func (s *scanner) scalar(c byte) bool {
	switch c {
	case '"':
		return s.quoted()
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	}
	return s.number()
}

func (s *scanner) word(w string) bool {
	found := strings.HasPrefix(s.text[s.at:], w)
	if found {
		s.at += len(w)
	}
	return found
}

func (s *scanner) number() bool {
	s.skip('-')
	if !s.skip('0') && !s.digits() {
		return false
	}
	if s.skip('.') && !s.digits() {
		return false
	}
	if s.skip('e') || s.skip('E') {
		_ = s.skip('+') || s.skip('-')
		return s.digits()
	}
	return true
}

// digits passes over one digit or more.
func (s *scanner) digits() bool {
	start := s.at
	for s.at < len(s.text) && '0' <= s.text[s.at] && s.text[s.at] <= '9' {
		s.at++
	}
	return s.at > start
}

// quoted passes over a string, from its first quote to behind its last. Broken UTF-8 is for who decodes it.
func (s *scanner) quoted() bool {
	for s.at++; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			return true
		case c < ' ', c == '\\' && !s.escape():
			return false
		}
	}
	return false
}

// escape moves from a backslash to the last byte of what it begins.
func (s *scanner) escape() bool {
	rest := s.text[s.at+1:]
	if rest != "" && strings.IndexByte(`"\/bfnrt`, rest[0]) >= 0 {
		s.at++
		return true
	}
	if len(rest) < len("u0000") || rest[0] != 'u' || strings.Trim(rest[1:5], digits+"abcdefABCDEF") != "" {
		return false
	}
	s.at += len("u0000")
	return true
}
