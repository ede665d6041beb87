// Package webtest is for tests of pages: documents that are asked by selector, and a headless Chromium that reads pages as
// people do, with the accessibility rules of axe-core.
//
// It is for tests only. Chromium and axe-core are looked for on the machine; where they are missing tests skip with a message,
// and fail where CI=true. Start with Parse and Open.
package webtest

import (
	"io"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// Element is an element of a parsed page.
type Element struct {
	t    testing.TB
	node *html.Node
}

// Parse reads a page or a part of one.
func Parse(t testing.TB, page io.Reader) Element {
	t.Helper()
	node, err := html.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	return Element{t, node}
}

// All returns the elements under e that a selector fits, such as `input#value[type=tel]` or `.news [role=status]`.
func (e Element) All(selector string) []Element {
	e.t.Helper()
	found := []Element{e}
	for step := range strings.FieldsSeq(selector) {
		match := matcher(e.t, step)
		var next []Element
		for _, f := range found {
			for node := range f.node.Descendants() {
				if node.Type == html.ElementNode && match(Element{e.t, node}) {
					next = append(next, Element{e.t, node})
				}
			}
		}
		found = next
	}
	return found
}

// One returns the only element that fits, and ends the test if there is none or another.
func (e Element) One(selector string) Element {
	e.t.Helper()
	found := e.All(selector)
	if len(found) != 1 {
		e.t.Fatalf("%d elements fit %q, want one", len(found), selector)
	}
	return found[0]
}

// Has tells whether an element fits.
func (e Element) Has(selector string) bool { e.t.Helper(); return len(e.All(selector)) > 0 }

// Is tells whether the element itself fits a selector of one step.
func (e Element) Is(step string) bool { e.t.Helper(); return matcher(e.t, step)(e) }

// Attr returns an attribute, or empty.
func (e Element) Attr(name string) string {
	value, _ := e.attr(name)
	return value
}

func (e Element) attr(name string) (string, bool) {
	for _, a := range e.node.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

// Text is what is written in the element, with single spaces.
func (e Element) Text() string {
	var text strings.Builder
	for node := range e.node.Descendants() {
		if node.Type == html.TextNode {
			text.WriteString(node.Data + " ")
		}
	}
	return strings.Join(strings.Fields(text.String()), " ")
}

// matcher reads one step of a selector: a tag or *, #id, .class and [attribute=value], in that order, all of them optional.
func matcher(t testing.TB, step string) func(Element) bool {
	t.Helper()
	parts := regexp.MustCompile(`^([a-z0-9]*|\*)((?:[#.][\w-]+|\[[\w-]+(?:=[^\]]*)?\])*)$`).FindStringSubmatch(step)
	if parts == nil {
		t.Fatalf("the selector %q cannot be read", step)
	}
	conditions := regexp.MustCompile(`([#.])([\w-]+)|\[([\w-]+)(=([^\]]*))?\]`).FindAllStringSubmatch(parts[2], -1)
	return func(e Element) bool {
		if parts[1] != "" && parts[1] != "*" && e.node.Data != parts[1] {
			return false
		}
		for _, c := range conditions {
			if !e.fits(c) {
				return false
			}
		}
		return true
	}
}

// fits judges one condition: kind, name; or "", "", attribute, "=value" if one is asked for, value.
func (e Element) fits(c []string) bool {
	switch c[1] {
	case "#":
		return e.Attr("id") == c[2]
	case ".":
		return strings.Contains(" "+e.Attr("class")+" ", " "+c[2]+" ")
	}
	value, there := e.attr(c[3])
	return there && (c[4] == "" || value == c[5])
}
