package contracttest

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"maps"
	"slices"
	"strings"

	"contactsync/contracts/rivta"
	"contactsync/contracts/xsd"
)

// CompatibleXML tells what in a served schema or WSDL breaks with the shipped one, each as a sentence; none: callers need not do
// anything.
//
// A type of a SOAP contract travels both ways, so that what widens it breaks readers as what narrows it breaks writers. What may
// come is what RIV-TA calls a minor: an optional element of a namespace of its own, just before the room for such elements; and
// types and elements that nothing shipped refers to. Comments, prefixes, addresses, the minor's number and the order in which types
// are declared say nothing.
func CompatibleXML(shipped, served []byte) []string {
	before, err := rivta.Parse(bytes.NewReader(shipped), rivta.Limits{})
	if err != nil {
		return []string{"the shipped document: " + err.Error()}
	}
	now, err := rivta.Parse(bytes.NewReader(served), rivta.Limits{})
	if err != nil {
		return []string{"the served document: " + err.Error()}
	}
	space, _ := before.Attr(xml.Name{Local: "targetNamespace"})
	c := comparison{own: space}
	c.element("the document", before, now)
	return c.breaks
}

type comparison struct {
	own    string // the document's namespace
	breaks []string
}

func (c *comparison) breakf(format string, args ...any) {
	c.breaks = append(c.breaks, fmt.Sprintf(format, args...))
}

func (c *comparison) element(place string, before, now rivta.Element) {
	if before.Name != now.Name {
		c.breakf("%s: %s has become %s", place, label(before), label(now))
		return
	}
	c.attributes(place, attributes(before), attributes(now))
	if strings.TrimSpace(before.Text) != strings.TrimSpace(now.Text) {
		c.breakf("%s: another text", place)
	}
	switch before.Name.Local {
	case "schema", "types":
		c.declarations(place, parts(before), parts(now))
	case "sequence":
		c.sequence(place, parts(before), parts(now))
	default:
		c.inOrder(place, parts(before), parts(now))
	}
}

func (c *comparison) attributes(place string, before, now map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, still := now[name]; !still {
			c.breakf("%s: %s is gone", place, name)
		} else if before[name] != now[name] {
			c.breakf("%s: %s was %s and is %s", place, name, before[name], now[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if _, known := before[name]; !known {
			c.breakf("%s: %s is new", place, name)
		}
	}
}

// attributes are those that say something, with names in them resolved and what is left out as if it were written.
func attributes(e rivta.Element) map[string]string {
	values := map[string]string{}
	if e.Name.Local == "element" || e.Name.Local == "any" {
		values["minOccurs"], values["maxOccurs"] = "1", "1"
	}
	for _, attr := range e.Attrs {
		switch attr.Name.Local {
		case "type", "ref", "base", "itemType", "element", "message", "binding":
			name := xsd.TypeName(e, attr.Value)
			values[attr.Name.Local] = "{" + name.Space + "}" + name.Local
		case "location", "schemaLocation":
		default:
			if attr.Name.Space != "xmlns" && (attr.Name.Local != "version" || e.Name.Local != "schema") {
				values[attr.Name.Local] = attr.Value
			}
		}
	}
	return values
}

// parts leaves out what is written for people.
func parts(e rivta.Element) []rivta.Element {
	return slices.DeleteFunc(slices.Clone(e.Children), func(child rivta.Element) bool {
		return child.Name.Local == "annotation" || child.Name.Local == "documentation"
	})
}

// declarations may stand in any order, and there may be more of them.
func (c *comparison) declarations(place string, before, now []rivta.Element) {
	declared := map[string]rivta.Element{}
	for _, e := range now {
		declared[label(e)] = e
	}
	for _, e := range before {
		if current, still := declared[label(e)]; still {
			c.element(label(e), e, current)
		} else {
			c.breakf("%s: %s is gone", place, label(e))
		}
	}
}

// sequence compares what stands in order, and lets in elements of a minor before the last one, the room for them.
func (c *comparison) sequence(place string, before, now []rivta.Element) {
	if n := len(before); n > 0 && before[n-1].Name.Local == "any" && len(now) >= n {
		added := now[n-1 : len(now)-1]
		now = slices.Concat(now[:n-1], now[len(now)-1:])
		for _, e := range added {
			if !c.isMinor(e) {
				c.breakf("%s: %s is new, and neither optional nor of a namespace of its own, or it is out of place", place, label(e))
			}
		}
	}
	c.inOrder(place, before, now)
}

// isMinor tells whether a part of a sequence is an optional element of another namespace.
func (c *comparison) isMinor(e rivta.Element) bool {
	ref, _ := e.Attr(xml.Name{Local: "ref"})
	optional, _ := e.Attr(xml.Name{Local: "minOccurs"})
	return ref != "" && xsd.TypeName(e, ref).Space != c.own && optional == "0"
}

func (c *comparison) inOrder(place string, before, now []rivta.Element) {
	for i, e := range before {
		if i >= len(now) {
			c.breakf("%s: %s is gone", place, label(e))
		} else if label(e) != label(now[i]) {
			c.breakf("%s: where %s was is %s", place, label(e), label(now[i]))
			return
		} else {
			c.element(place+", "+label(e), e, now[i])
		}
	}
	for _, e := range now[min(len(before), len(now)):] {
		c.breakf("%s: %s is new", place, label(e))
	}
}

// label is what a declaration or a part is known by.
func label(e rivta.Element) string {
	text := e.Name.Local
	values := attributes(e)
	for _, key := range []string{"name", "ref", "namespace", "value", "element", "targetNamespace"} {
		if values[key] != "" {
			return text + " " + values[key]
		}
	}
	return text
}
