package xsd

import (
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strings"

	"contactsync/contracts/rivta"
)

const (
	schemaNamespace   = "http://www.w3.org/2001/XMLSchema"
	instanceNamespace = "http://www.w3.org/2001/XMLSchema-instance"
)

// Walker goes through the children of one element in the schema's order. Each type tells its fields once, in its Walk
// method, and is read and written by the same lines: so both judge alike, and what was read is written as it came.
type Walker struct {
	reading  bool
	space    string          // namespace of the schema that declares the type
	children []rivta.Element // reading: those not taken yet
	text     []byte          // writing: the message so far
	around   string          // writing: namespace of the element that is gone through
	err      error           // the first fault; after it all steps do nothing
}

// Kind is a type of the schema: how its elements become a T and back. The walker is that of the elements around, and is lent to the
// kind for those inside.
type Kind[T any] struct {
	name  xml.Name // of the type
	read  func(*Walker, *rivta.Element, *T) error
	write func(*Walker, xml.Name, *T) error // the name is the element's
}

// Reading tells whether fields are to be set. What is being written belongs to somebody else, who may be reading it: a Walk leaves
// it as it is.
func (w *Walker) Reading() bool { return w.reading }

// One walks over an element that must be there.
func One[T any](w *Walker, name string, field *T, k Kind[T]) {
	switch {
	case !w.reading:
		put(w, name, field, k)
	case w.atHand(name):
		take(w, name, field, k)
	default:
		w.fail(name, errors.New("missing or out of place"))
	}
}

// Maybe walks over an element that may be absent: the field is nil then.
func Maybe[T any](w *Walker, name string, field **T, k Kind[T]) {
	switch {
	case w.reading && w.atHand(name):
		*field = new(T)
		take(w, name, *field, k)
	case !w.reading && *field != nil:
		put(w, name, *field, k)
	}
}

// MaybeText is Maybe for texts that cannot be empty: the field is empty when the element is absent.
func MaybeText(w *Walker, name string, field *string, k Kind[string]) {
	switch {
	case w.reading && w.atHand(name):
		take(w, name, field, k)
	case !w.reading && *field != "":
		put(w, name, field, k)
	}
}

// Many walks over an element that may be repeated.
func Many[T any](w *Walker, name string, field *[]T, k Kind[T]) {
	if !w.reading {
		for i := range *field {
			put(w, name, &(*field)[i], k)
		}
		return
	}
	for w.atHand(name) {
		var value T
		*field = append(*field, value)
		take(w, name, &(*field)[len(*field)-1], k)
	}
}

// OneOrMore is Many of which one must be there.
func OneOrMore[T any](w *Walker, name string, field *[]T, k Kind[T]) {
	Many(w, name, field, k)
	if len(*field) == 0 {
		w.fail(name, errors.New("missing or out of place"))
	}
}

// take reads the element at hand.
func take[T any](w *Walker, name string, field *T, k Kind[T]) {
	e := &w.children[0]
	w.children = w.children[1:]
	w.fail(name, checkAttrs(e, k.name))
	w.fail(name, k.read(w, e, field))
}

// put writes an element.
func put[T any](w *Walker, name string, field *T, k Kind[T]) {
	w.fail(name, k.write(w, xml.Name{Space: w.space, Local: name}, field))
}

// Type names a type of the schema that declares the one being walked over. Types that two majors of a schema share name
// theirs by it.
func (w *Walker) Type(local string) xml.Name { return xml.Name{Space: w.space, Local: local} }

func (w *Walker) atHand(name string) bool {
	return w.err == nil && len(w.children) > 0 && w.children[0].Name == xml.Name{Space: w.space, Local: name}
}

// fail keeps the first fault, with the path to it.
func (w *Walker) fail(name string, err error) {
	if err != nil && w.err == nil {
		w.err = pathError{name, err}
	}
}

// pathError tells where in a message a fault lies. Names in it are the schema's, never the message's.
type pathError struct {
	name string
	err  error
}

func (e pathError) Error() string {
	if inner, ok := e.err.(pathError); ok {
		return e.name + "/" + inner.Error()
	}
	return e.name + ": " + e.err.Error()
}

func (e pathError) Unwrap() error { return e.err }

// Unknown walks over what stands behind all known elements: elements of other namespaces (xs:any ##other, lax).
func (w *Walker) Unknown(field *[]rivta.Element) {
	if !w.reading {
		for _, e := range *field {
			w.text = rivta.AppendInside(w.text, w.around, &e)
			if !w.foreign(e) || !isText(e) {
				w.fail("any", errors.New("not an element of another namespace"))
			}
		}
		return
	}
	for w.err == nil && len(w.children) > 0 && w.foreign(w.children[0]) {
		e := w.children[0]
		e.Tail = ""
		*field = append(*field, e)
		w.children = w.children[1:]
	}
}

func (w *Walker) foreign(e rivta.Element) bool { return e.Name.Space != "" && e.Name.Space != w.space }

// isText tells whether XML can carry all text in the element.
func isText(e rivta.Element) bool {
	for _, attr := range e.Attrs {
		if !rivta.IsText(attr.Value) {
			return false
		}
	}
	return rivta.IsText(e.Text) && !slices.ContainsFunc(e.Children, func(c rivta.Element) bool {
		return !isText(c) || !rivta.IsText(c.Tail)
	})
}

// Walkable is a pointer to a type that tells its fields.
type Walkable[T any] interface {
	*T
	Walk(*Walker)
}

// Parts is the kind of a complex type that a namespace's schema declares.
func Parts[T any, P Walkable[T]](name xml.Name) Kind[T] {
	return Kind[T]{
		name:  name,
		read:  func(w *Walker, e *rivta.Element, v *T) error { return readParts(w, e, name.Space, P(v)) },
		write: func(w *Walker, element xml.Name, v *T) error { return writeParts(w, element, name.Space, P(v)) },
	}
}

// readParts reads the children of an element that holds elements only.
func readParts(w *Walker, e *rivta.Element, space string, b Body) error {
	if hasText(e) {
		return errors.New("text among elements")
	}
	around := *w
	*w = Walker{reading: true, space: space, children: e.Children}
	b.Walk(w)
	rest, err := w.children, w.err
	*w = around
	if err == nil && len(rest) > 0 {
		return errors.New("an element that does not belong here")
	}
	return err
}

// hasText tells whether there is more than white space among an element's children.
func hasText(e *rivta.Element) bool {
	return Trim(e.Text) != "" || slices.ContainsFunc(e.Children, func(child rivta.Element) bool { return Trim(child.Tail) != "" })
}

// writeParts writes an element that holds elements only.
func writeParts(w *Walker, name xml.Name, space string, b Body) error {
	around := *w
	text := rivta.AppendWhole(w.text, w.around, name, func(dst []byte) []byte {
		*w = Walker{space: space, around: name.Space, text: dst}
		b.Walk(w)
		return w.text
	})
	err := w.err
	*w = around
	w.text = text
	return err
}

// checkAttrs refuses attributes: the schemas have none. Those that schema validation itself allows everywhere may stand:
// where a schema lies, and xsi:type, as long as it names the type that the element has anyway.
func checkAttrs(e *rivta.Element, declared xml.Name) error {
	for _, attr := range e.Attrs {
		switch attr.Name {
		case xml.Name{Space: instanceNamespace, Local: "schemaLocation"},
			xml.Name{Space: instanceNamespace, Local: "noNamespaceSchemaLocation"}:
		case xml.Name{Space: instanceNamespace, Local: "type"}:
			if TypeName(*e, attr.Value) != declared {
				return errors.New("xsi:type of another type")
			}
		default:
			if attr.Name.Space != "xmlns" {
				return errors.New("an attribute that does not belong here")
			}
		}
	}
	return nil
}

// TypeName resolves a name in content. One without a prefix is taken to be of the element's own namespace.
func TypeName(e rivta.Element, text string) xml.Name {
	prefix, local, ok := strings.Cut(Trim(text), ":")
	if !ok {
		return xml.Name{Space: e.Name.Space, Local: prefix}
	}
	space, _ := e.Attr(xml.Name{Space: "xmlns", Local: prefix})
	return xml.Name{Space: space, Local: local}
}

// Trim removes what XML calls white space from both ends.
func Trim(text string) string { return strings.Trim(text, " \t\r\n") }

// Body is a request or an answer of a contract; its direct children are in the contract's own namespace.
type Body interface{ Walk(*Walker) }

// Encode writes a body as the element of that name, as rivta.Append does. The error says what the schema forbids.
func Encode(name xml.Name, b Body) ([]byte, error) {
	const usual = 2 << 10
	w := Walker{text: make([]byte, 0, usual)}
	if err := writeParts(&w, name, name.Space, b); err != nil {
		return w.text, fmt.Errorf("write %s: %w", name.Local, err)
	}
	return w.text, nil
}

// Decode reads the element of that name. Names in the error are the schema's, never the message's.
func Decode(name xml.Name, b Body, e rivta.Element) error {
	err := checkAttrs(&e, xml.Name{Space: name.Space, Local: name.Local + "Type"})
	if err == nil && e.Name != name {
		err = errors.New("another element")
	}
	if err == nil {
		err = readParts(&Walker{}, &e, name.Space, b)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name.Local, err)
	}
	return nil
}
