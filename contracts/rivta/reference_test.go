package rivta

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
)

// This file is Parse as it was before scanner: it has encoding/xml cut the text into tokens, and makes a map for each thing it looks up. What
// Parse accepts, and what it says of the rest, is compared with it.

func referenceParse(text string, limits Limits) (Element, error) {
	if int64(len(text)) > limits.Bytes {
		return Element{}, ErrTooLarge
	}
	text = strings.TrimPrefix(text, "\uFEFF")
	p := referenceParser{tokens: xml.NewDecoder(strings.NewReader(text)), depth: limits.Depth, left: limits.Bytes / perElement, budget: expansion * limits.Bytes}
	if err := p.run(); err != nil {
		return Element{}, err
	}
	e := p.root.Children[0]
	if int64(len(Append(nil, e))) > limits.Bytes {
		return Element{}, ErrTooLarge
	}
	return e, nil
}

// referenceParser builds the tree from raw tokens: encoding/xml's own reading of namespaces lets undeclared prefixes pass.
type referenceParser struct {
	tokens *xml.Decoder
	root   Element // holds the document's element as its only child
	open   []referenceFrame
	depth  int
	left   int64 // elements still allowed
	budget int64 // bytes of namespace names still allowed
}

// referenceFrame is an element whose end has not come yet.
type referenceFrame struct {
	raw     xml.Name // as written: prefix and local name
	element Element
	scope   *referenceScope
	text    []byte // what came since the last child began or ended; comments and CDATA cut text into pieces
}

// endText puts the collected text where it belongs.
func (f *referenceFrame) endText() {
	if n := len(f.element.Children); n > 0 {
		f.element.Children[n-1].Tail = string(f.text)
	} else {
		f.element.Text = string(f.text)
	}
	f.text = f.text[:0]
}

// referenceScope is what prefixes mean inside an element; "" is the default namespace.
type referenceScope struct {
	declared map[string]string
	outer    *referenceScope
}

func (s *referenceScope) lookup(prefix string) (string, bool) {
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

func (p *referenceParser) run() error {
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

func (p *referenceParser) end() error {
	if len(p.open) > 0 || len(p.root.Children) == 0 {
		return parseError("the document ends too early")
	}
	return nil
}

func (p *referenceParser) take(token xml.Token, first bool) error {
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

func (p *referenceParser) text(text []byte) error {
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

func (p *referenceParser) start(token xml.StartElement) error {
	if len(p.open) == p.depth {
		return parseError("elements are nested too deeply")
	}
	if p.left--; p.left < 0 {
		return parseError("there are too many elements")
	}
	if len(p.root.Children) > 0 {
		return parseError("more than one element at the top")
	}
	f := referenceFrame{raw: token.Name}
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
func (f *referenceFrame) declare(attrs []xml.Attr) (rest []xml.Attr, err error) {
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
		f.scope = &referenceScope{declared, f.scope}
	}
	return rest, nil
}

// resolve turns a name as written into one with its namespace. Attributes without a prefix are in none.
func (p *referenceParser) resolve(s *referenceScope, raw xml.Name, isElement bool) (xml.Name, error) {
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

func (p *referenceParser) spend(space string) error {
	if p.budget -= int64(len(space)); p.budget < 0 {
		return parseError("namespaces are too long")
	}
	return nil
}

func (p *referenceParser) close(raw xml.Name) error {
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
func (p *referenceParser) keepPrefixes(f *referenceFrame) error {
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
