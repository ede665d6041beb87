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

// perElement is how many of Limits.Bytes there must be for each element: a tree takes a hundred times the room of a text of the shortest tags,
// and whoever has a certificate may send many. The contracts' elements take some thirty bytes at least.
const perElement = 16

// Parse reads one XML document in UTF-8. It refuses what no SOAP message may hold (a DOCTYPE, processing instructions),
// entities beyond the predefined five, prefixes without a declaration, attributes given twice, and whatever exceeds the
// limits. Errors other than ErrTooLarge say what is wrong without quoting the text.
func Parse(r io.Reader, limits Limits) (Element, error) { return parseSaid(r, lengthOf(r), limits) }

// parseSaid is Parse of a text that is said to be so long; 0: nobody knows.
func parseSaid(r io.Reader, said int64, limits Limits) (Element, error) {
	limits.Bytes, limits.Depth = cmp.Or(limits.Bytes, 1<<20), cmp.Or(limits.Depth, 64)
	text, err := readAll(r, limits.Bytes, said)
	if err != nil {
		return Element{}, fmt.Errorf("read message: %w", err)
	}
	return parseText(text, limits)
}

// lengthOf tells how much is left of a text in memory; 0: it is not known.
func lengthOf(r io.Reader) int64 {
	if text, ok := r.(interface{ Len() int }); ok {
		return int64(text.Len())
	}
	return 0
}

// readAll reads at most one byte more than the limit. Room is made for as much as is said to come, if that is not much.
func readAll(r io.Reader, limit, said int64) ([]byte, error) {
	const most = 64 << 10
	text := bytes.NewBuffer(make([]byte, 0, max(min(said, most), 0)+bytes.MinRead)) // the end is found without growing
	_, err := text.ReadFrom(io.LimitReader(r, limit+1))
	return text.Bytes(), err
}

// parseText is Parse with limits given.
func parseText(text []byte, limits Limits) (Element, error) {
	if int64(len(text)) > limits.Bytes {
		return Element{}, ErrTooLarge
	}
	text = bytes.TrimPrefix(text, []byte("\uFEFF"))
	p := parser{scan: scanner{text: string(text)}, depth: limits.Depth, left: limits.Bytes / perElement, budget: expansion * limits.Bytes}
	p.open, p.elements = make([]frame, 0, 8), make([]Element, 0, 16) // as much as most messages need
	p.room = make([]Element, min(strings.Count(p.scan.text, "<")/2, 64))
	if err := p.run(); err != nil {
		return Element{}, malformed(err)
	}
	e := p.elements[0]
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
	scan     scanner
	open     []frame
	elements []Element // the open ones, each followed by its children so far
	room     []Element // for children, where they stay
	prefixes map[string]binding
	text     string // what came since the last tag; comments and CDATA cut text into pieces
	pieces   []byte // the same where there is more than one
	depth    int
	left     int64 // elements still allowed
	budget   int64 // bytes of namespace names still allowed
}

// frame is an element whose end has not come yet.
type frame struct {
	raw      xml.Name   // as written: prefix and local name
	at       int        // where in parser.elements
	space    string     // the default namespace
	shadowed []shadowed // what prefixes declared here mean outside
}

// binding is what a prefix means.
type binding struct {
	space string
	level int // how many elements are open where it is declared; 0: it means nothing
}

type shadowed struct {
	prefix string
	outer  binding
}

func (p *parser) run() error {
	for first := true; p.scan.at < len(p.scan.text); first = false {
		t, err := p.scan.next()
		if err == nil {
			err = p.take(t, first)
		}
		if err != nil {
			return err
		}
	}
	if len(p.open) > 0 || len(p.elements) == 0 {
		return parseError("the document ends too early")
	}
	return nil
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

func (p *parser) take(t token, first bool) error {
	switch t.kind {
	case startToken:
		return p.start(t)
	case emptyToken:
		if err := p.start(t); err != nil {
			return err
		}
		return p.end(t.name)
	case endToken:
		return p.end(t.name)
	case textToken:
		return p.addText(t.text)
	case doctypeToken:
		return parseError("a DOCTYPE is not allowed")
	case instructionToken:
		if t.name.Local != "xml" || !first {
			return parseError("a processing instruction is not allowed")
		}
	}
	return nil // comments, and the XML declaration
}

func (p *parser) addText(text string) error {
	switch {
	case len(p.open) == 0:
		if strings.Trim(text, " \t\r\n") != "" {
			return parseError("text outside the document's element")
		}
	case p.text == "":
		p.text = text
	case len(p.pieces) == 0:
		p.pieces = append(append(p.pieces, p.text...), text...)
	default:
		p.pieces = append(p.pieces, text...)
	}
	return nil
}

// endText puts the collected text where it belongs.
func (p *parser) endText(f *frame) {
	text := p.text
	if len(p.pieces) > 0 {
		text = string(p.pieces)
	}
	if last := len(p.elements) - 1; last > f.at {
		p.elements[last].Tail = text
	} else {
		p.elements[last].Text = text
	}
	p.text, p.pieces = "", p.pieces[:0]
}

func (p *parser) start(t token) error {
	if len(p.open) == p.depth {
		return parseError("elements are nested too deeply")
	}
	if p.left--; p.left < 0 {
		return parseError("there are too many elements")
	}
	f := frame{raw: t.name, at: len(p.elements)}
	if len(p.open) > 0 {
		parent := &p.open[len(p.open)-1]
		p.endText(parent)
		f.space = parent.space
	} else if len(p.elements) > 0 {
		return parseError("more than one element at the top")
	}
	attrs, err := p.declare(&f, t.attrs)
	if err != nil {
		return err
	}
	var e Element
	if e.Name, err = p.resolve(&f, t.name, true); err != nil {
		return err
	}
	for i := range attrs {
		if attrs[i].Name, err = p.resolve(&f, attrs[i].Name, false); err != nil {
			return err
		}
	}
	e.Attrs = append(e.Attrs, attrs...)
	if repeated(attrs) {
		return parseError("an attribute is given twice")
	}
	p.open, p.elements = append(p.open, f), append(p.elements, e)
	return nil
}

// declare takes the namespace declarations out of attrs, where the rest moves up.
func (p *parser) declare(f *frame, attrs []xml.Attr) (rest []xml.Attr, err error) {
	rest = attrs[:0]
	ownDefault := false
	for _, attr := range attrs {
		prefix := attr.Name.Local
		switch {
		case attr.Name.Space == "" && prefix == xmlnsPrefix:
			if ownDefault {
				return nil, parseError("an attribute is given twice")
			}
			f.space, ownDefault = attr.Value, true
		case attr.Name.Space != xmlnsPrefix:
			rest = append(rest, attr)
		case attr.Value == "" || prefix == xmlnsPrefix || prefix == "xml":
			return nil, parseError("a namespace declaration is not allowed")
		case !p.bind(f, prefix, attr.Value):
			return nil, parseError("an attribute is given twice")
		}
	}
	return rest, nil
}

// bind gives a prefix its meaning inside an element that begins. False: the element has given it one before.
func (p *parser) bind(f *frame, prefix, space string) bool {
	outer, level := p.prefixes[prefix], len(p.open)+1
	if outer.level == level {
		return false
	}
	if p.prefixes == nil {
		p.prefixes = map[string]binding{}
	}
	p.prefixes[prefix] = binding{space, level}
	f.shadowed = append(f.shadowed, shadowed{prefix, outer})
	return true
}

// lookup tells what a prefix means inside an element; "" is the default namespace.
func (p *parser) lookup(f *frame, prefix string) (space string, ok bool) {
	switch prefix {
	case "":
		return f.space, true
	case "xml":
		return xmlNamespace, true
	}
	bound := p.prefixes[prefix]
	return bound.space, bound.level > 0
}

// resolve turns a name as written into one with its namespace. Attributes without a prefix are in none.
func (p *parser) resolve(f *frame, raw xml.Name, isElement bool) (xml.Name, error) {
	if strings.Contains(raw.Local, ":") {
		return raw, parseError("a name has a colon too many")
	}
	if raw.Space == "" && !isElement {
		return raw, nil
	}
	space, ok := p.lookup(f, raw.Space)
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
	if len(attrs) < 2 {
		return false
	}
	seen := make(map[xml.Name]bool, len(attrs))
	for _, attr := range attrs {
		if seen[attr.Name] {
			return true
		}
		seen[attr.Name] = true
	}
	return false
}

func (p *parser) end(raw xml.Name) error {
	if len(p.open) == 0 || p.open[len(p.open)-1].raw != raw {
		return parseError("an element ends that was not begun")
	}
	f := &p.open[len(p.open)-1]
	p.endText(f)
	e := &p.elements[f.at]
	e.Children = p.settle(p.elements[f.at+1:])
	p.elements = p.elements[:f.at+1]
	if err := p.keepPrefixes(f, e); err != nil {
		return err
	}
	for _, s := range f.shadowed {
		p.prefixes[s.prefix] = s.outer
	}
	p.open = p.open[:len(p.open)-1]
	return nil
}

// settle moves an element's children to where they stay, in pieces of an array for many.
func (p *parser) settle(children []Element) []Element {
	const atOnce = 32
	n := len(children)
	if n == 0 {
		return nil
	}
	if len(p.room) < n {
		p.room = make([]Element, max(n, atOnce))
	}
	settled := p.room[:n:n]
	p.room = p.room[n:]
	copy(settled, children)
	return settled
}

// keepPrefixes declares on the element itself those prefixes that its text or attribute values speak of, so that names
// in content (xsi:type, fault codes) keep their meaning wherever the element goes. Unprefixed names in content do not,
// and the envelope's own prefix is not kept: it is in scope of everything and meant by nobody.
func (p *parser) keepPrefixes(f *frame, e *Element) error {
	var used map[string]string
	note := func(content string) {
		if !strings.Contains(content, ":") {
			return
		}
		for _, word := range strings.Fields(content) {
			prefix, _, ok := strings.Cut(word, ":")
			if !ok || prefix == "" || prefix == "xml" || strings.HasPrefix(prefix, generatedPrefix) {
				continue
			}
			if space, ok := p.lookup(f, prefix); ok && space != soapNamespace {
				if used == nil {
					used = map[string]string{}
				}
				used[prefix] = space
			}
		}
	}
	note(e.Text)
	for _, child := range e.Children {
		note(child.Tail)
	}
	for _, attr := range e.Attrs {
		note(attr.Value)
	}
	if len(used) == 0 {
		return nil
	}
	kept := make([]xml.Attr, 0, len(used)+len(e.Attrs))
	for prefix, space := range used {
		kept = append(kept, xml.Attr{Name: xml.Name{Space: xmlnsPrefix, Local: prefix}, Value: space})
		if err := p.spend(space); err != nil {
			return err
		}
	}
	slices.SortFunc(kept, func(a, b xml.Attr) int { return strings.Compare(a.Name.Local, b.Name.Local) })
	e.Attrs = append(kept, e.Attrs...)
	return nil
}
