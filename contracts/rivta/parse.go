package rivta

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Limits bound what Parse accepts. A zero field means the default.
type Limits struct {
	Bytes int64 // default 1 MiB
	Depth int   // default 64 elements inside each other
}

// ErrTooLarge is returned by Parse for a text that is longer than Limits.Bytes, as it came or in canonical form: what was
// accepted once can be written and read again. The sender should send less.
var ErrTooLarge = errors.New("message is too large")

// expansion bounds how many times Limits.Bytes the namespace names of all elements together may take, since the canonical
// form repeats them: a small text with one long namespace must not become a huge one before its length is looked at.
const expansion = 16

// Parse reads one XML document in UTF-8. It refuses what no SOAP message may hold (a DOCTYPE, processing instructions),
// entities beyond the predefined five, prefixes without a declaration, attributes given twice, and whatever exceeds the
// limits. Errors other than ErrTooLarge say what is wrong without quoting the text.
func Parse(r io.Reader, limits Limits) (Element, error) {
	limits.Bytes, limits.Depth = cmp.Or(limits.Bytes, 1<<20), cmp.Or(limits.Depth, 64)
	text, err := io.ReadAll(io.LimitReader(r, limits.Bytes+1))
	if err != nil {
		return Element{}, fmt.Errorf("read message: %w", err)
	}
	if int64(len(text)) > limits.Bytes {
		return Element{}, ErrTooLarge
	}
	text = bytes.TrimPrefix(text, []byte("\uFEFF"))
	p := parser{tokens: xml.NewDecoder(bytes.NewReader(text)), depth: limits.Depth,
		budget: expansion * limits.Bytes}
	if err := p.run(); err != nil {
		return Element{}, err
	}
	e := p.root.Children[0]
	spent := expansion*limits.Bytes - p.budget
	if longest(int64(len(text)), spent) > limits.Bytes && int64(len(Append(nil, e))) > limits.Bytes {
		return Element{}, ErrTooLarge
	}
	return e, nil
}

// longest bounds the canonical form of a text, so that it is made only of texts that may be too long in it. No character becomes more than
// five bytes, the shortest tag of four gets an empty namespace, and each other namespace is named once where it is spent.
func longest(text, spent int64) int64 { return 6 * (text + spent) }

// parser builds the tree from raw tokens: encoding/xml's own reading of namespaces lets undeclared prefixes pass.
type parser struct {
	tokens *xml.Decoder
	root   Element // holds the document's element as its only child
	open   []frame
	depth  int
	budget int64 // bytes of namespace names still allowed
}

// frame is an element whose end has not come yet.
type frame struct {
	raw     xml.Name // as written: prefix and local name
	element Element
	scope   *scope
	text    []byte // what came since the last child began or ended; comments and CDATA cut text into pieces
}

// endText puts the collected text where it belongs.
func (f *frame) endText() {
	if n := len(f.element.Children); n > 0 {
		f.element.Children[n-1].Tail = string(f.text)
	} else {
		f.element.Text = string(f.text)
	}
	f.text = f.text[:0]
}

// scope is what prefixes mean inside an element; "" is the default namespace.
type scope struct {
	declared map[string]string
	outer    *scope
}

func (s *scope) lookup(prefix string) (string, bool) {
	if prefix == "xml" {
		return xmlNamespace, true
	}
	for ; s != nil; s = s.outer {
		if space, ok := s.declared[prefix]; ok {
			return space, true
		}
	}
	return "", prefix == ""
}

func (p *parser) run() error {
	for first := true; ; first = false {
		token, err := p.tokens.RawToken()
		if errors.Is(err, io.EOF) {
			return p.end()
		}
		if err == nil {
			err = p.take(token, first)
		}
		if err != nil {
			return malformed(err)
		}
	}
}

// malformed drops encoding/xml's own text, which quotes what it read.
func malformed(err error) error {
	if syntax, ok := errors.AsType[*xml.SyntaxError](err); ok {
		return fmt.Errorf("malformed XML in line %d", syntax.Line)
	}
	if own, ok := errors.AsType[parseError](err); ok {
		return own
	}
	return errors.New("malformed XML")
}

// parseError is a fixed text.
type parseError string

func (e parseError) Error() string { return string(e) }

func (p *parser) end() error {
	if len(p.open) > 0 || len(p.root.Children) == 0 {
		return parseError("the document ends too early")
	}
	return nil
}

func (p *parser) take(token xml.Token, first bool) error {
	switch token := token.(type) {
	case xml.StartElement:
		return p.start(token)
	case xml.EndElement:
		return p.close(token.Name)
	case xml.CharData:
		return p.text(token)
	case xml.Directive:
		return parseError("a DOCTYPE is not allowed")
	case xml.ProcInst:
		if token.Target != "xml" || !first {
			return parseError("a processing instruction is not allowed")
		}
	}
	return nil // comments, and the XML declaration
}

func (p *parser) text(text []byte) error {
	if len(p.open) > 0 {
		f := &p.open[len(p.open)-1]
		f.text = append(f.text, text...)
		return nil
	}
	if len(bytes.Trim(text, " \t\r\n")) > 0 {
		return parseError("text outside the document's element")
	}
	return nil
}

func (p *parser) start(token xml.StartElement) error {
	if len(p.open) == p.depth {
		return parseError("elements are nested too deeply")
	}
	if len(p.root.Children) > 0 {
		return parseError("more than one element at the top")
	}
	f := frame{raw: token.Name}
	if len(p.open) > 0 {
		parent := &p.open[len(p.open)-1]
		parent.endText()
		f.scope = parent.scope
	}
	attrs, err := f.declare(token.Attr)
	if err != nil {
		return err
	}
	if f.element.Name, err = p.resolve(f.scope, token.Name, true); err != nil {
		return err
	}
	for _, attr := range attrs {
		if attr.Name, err = p.resolve(f.scope, attr.Name, false); err != nil {
			return err
		}
		f.element.Attrs = append(f.element.Attrs, attr)
	}
	if repeated(f.element.Attrs) {
		return parseError("an attribute is given twice")
	}
	p.open = append(p.open, f)
	return nil
}

// declare takes the namespace declarations out of attrs and opens a scope with them.
func (f *frame) declare(attrs []xml.Attr) (rest []xml.Attr, err error) {
	declared := map[string]string{}
	for _, attr := range attrs {
		prefix := attr.Name.Local
		switch {
		case attr.Name.Space == "" && prefix == xmlnsPrefix:
			prefix = ""
		case attr.Name.Space != xmlnsPrefix:
			rest = append(rest, attr)
			continue
		case attr.Value == "" || prefix == xmlnsPrefix || prefix == "xml":
			return nil, parseError("a namespace declaration is not allowed")
		}
		if _, ok := declared[prefix]; ok {
			return nil, parseError("an attribute is given twice")
		}
		declared[prefix] = attr.Value
	}
	if len(declared) > 0 {
		f.scope = &scope{declared, f.scope}
	}
	return rest, nil
}

// resolve turns a name as written into one with its namespace. Attributes without a prefix are in none.
func (p *parser) resolve(s *scope, raw xml.Name, isElement bool) (xml.Name, error) {
	if strings.Contains(raw.Local, ":") {
		return raw, parseError("a name has a colon too many")
	}
	if raw.Space == "" && !isElement {
		return raw, nil
	}
	space, ok := s.lookup(raw.Space)
	if !ok {
		return raw, parseError("a prefix is not declared")
	}
	return xml.Name{Space: space, Local: raw.Local}, p.spend(space)
}

func (p *parser) spend(space string) error {
	if p.budget -= int64(len(space)); p.budget < 0 {
		return parseError("namespaces are too long")
	}
	return nil
}

func repeated(attrs []xml.Attr) bool {
	seen := make(map[xml.Name]bool, len(attrs))
	for _, attr := range attrs {
		if seen[attr.Name] {
			return true
		}
		seen[attr.Name] = true
	}
	return false
}

func (p *parser) close(raw xml.Name) error {
	if len(p.open) == 0 || p.open[len(p.open)-1].raw != raw {
		return parseError("an element ends that was not begun")
	}
	f := p.open[len(p.open)-1]
	p.open = p.open[:len(p.open)-1]
	f.endText()
	if err := p.keepPrefixes(&f); err != nil {
		return err
	}
	parent := &p.root
	if len(p.open) > 0 {
		parent = &p.open[len(p.open)-1].element
	}
	parent.Children = append(parent.Children, f.element)
	return nil
}

// keepPrefixes declares on the element itself those prefixes that its text or attribute values speak of, so that names
// in content (xsi:type, fault codes) keep their meaning wherever the element goes. Unprefixed names in content do not,
// and the envelope's own prefix is not kept: it is in scope of everything and meant by nobody.
func (p *parser) keepPrefixes(f *frame) error {
	used := map[string]string{}
	note := func(content string) {
		for _, word := range strings.Fields(content) {
			prefix, _, ok := strings.Cut(word, ":")
			if !ok || prefix == "" || prefix == "xml" || strings.HasPrefix(prefix, generatedPrefix) {
				continue
			}
			if space, ok := f.scope.lookup(prefix); ok && space != soapNamespace {
				used[prefix] = space
			}
		}
	}
	note(f.element.Text)
	for _, child := range f.element.Children {
		note(child.Tail)
	}
	for _, attr := range f.element.Attrs {
		note(attr.Value)
	}
	if len(used) == 0 {
		return nil
	}
	kept := make([]xml.Attr, 0, len(used)+len(f.element.Attrs))
	for prefix, space := range used {
		kept = append(kept, xml.Attr{Name: xml.Name{Space: xmlnsPrefix, Local: prefix}, Value: space})
		if err := p.spend(space); err != nil {
			return err
		}
	}
	slices.SortFunc(kept, func(a, b xml.Attr) int { return strings.Compare(a.Name.Local, b.Name.Local) })
	f.element.Attrs = append(kept, f.element.Attrs...)
	return nil
}
