package rivta

import (
	"encoding/xml"
	"errors"
	"io"
)

// Element is an XML element with all it holds. Mixed content is kept the way of ElementTree: Text comes before the first
// child, each child's Tail right after it.
type Element struct {
	Redacted
	Name     xml.Name
	Attrs    []xml.Attr // namespace declarations only for prefixes that the element's own text or attribute values use
	Text     string
	Children []Element
	Tail     string
}

// Limits bound what Parse accepts. A zero field means the default.
type Limits struct {
	Bytes int64 // default 1 MiB
	Depth int   // default 64 elements inside each other
}

// ErrTooLarge is returned by Parse when the text is longer than Limits.Bytes.
var ErrTooLarge = errors.New("message is too large")

// Parse reads one XML document.
func Parse(r io.Reader, limits Limits) (Element, error) {
	return Element{}, errors.New("not built yet")
}

// Append writes the element to dst in canonical form, of which there is one for each element: Parse(Append(nil, e)) is e.
func Append(dst []byte, e Element) []byte { return dst }
