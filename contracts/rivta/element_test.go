package rivta

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func parse(text string) (Element, error) { return Parse(strings.NewReader(text), Limits{}) }

func TestCanonicalForm(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ sentence, text, want string }{
		{"a prefix becomes a default namespace", `<p:a xmlns:p="urn:a"><p:b/></p:a>`, `<a xmlns="urn:a"><b/></a>`},
		{"a child of another namespace tells so", `<a xmlns="urn:a" xmlns:q="urn:b"><q:b/></a>`, `<a xmlns="urn:a"><b xmlns="urn:b"/></a>`},
		{"a child of no namespace tells so", `<p:a xmlns:p="urn:a"><b/></p:a>`, `<a xmlns="urn:a"><b xmlns=""/></a>`},
		{"attributes get prefixes of their own", `<a xmlns:p="urn:a" xmlns:q="urn:b" q:y="2" p:x="1" z="3"/>`,
			`<a xmlns:cs.0="urn:b" cs.0:y="2" xmlns:cs.1="urn:a" cs.1:x="1" z="3"/>`},
		{"attributes of one namespace share a prefix", `<a xmlns:p="urn:a" p:x="1" p:y="2"/>`, `<a xmlns:cs.0="urn:a" cs.0:x="1" cs.0:y="2"/>`},
		{"the language stays", `<a xml:lang="sv"/>`, `<a xml:lang="sv"/>`},
		{"a prefix that content speaks of stays", `<a xmlns:p="urn:a" xmlns:q="urn:b"><b t="p:T"/></a>`, `<a><b xmlns:p="urn:a" t="p:T"/></a>`},
		{"also one between children", `<a xmlns:p="urn:a"><b/> p:T</a>`, `<a xmlns:p="urn:a"><b/> p:T</a>`},
		{"a prefix of our own making is none of the content's", `<a xmlns:p="urn:a" p:x="cs.0:y"/>`, `<a xmlns:cs.0="urn:a" cs.0:x="cs.0:y"/>`},
		{"a colon alone makes no prefix", `<a xmlns:p="urn:a">http://x at 12:30</a>`, `<a>http://x at 12:30</a>`},
		{"mixed text stays in place", `<a> b <c> d </c> e <f/> g </a>`, `<a> b <c> d </c> e <f/> g </a>`},
		{"comments go, and the text around them is one", `<a>b<!-- c -->d</a>`, `<a>bd</a>`},
		{"CDATA becomes text", `<a><![CDATA[<&>]]></a>`, `<a>&lt;&amp;&gt;</a>`},
		{"line ends in text", "<a>b\r\nc\rd&#13;e</a>", "<a>b\nc\nd&#13;e</a>"},
		{"white space in attributes", `<a b="&#9;&#10;&#13;&quot;&apos;&gt;"/>`, `<a b="&#9;&#10;&#13;&#34;'>"/>`},
		{"characters beyond ASCII", `<å>&#x1F600;</å>`, `<å>😀</å>`},
		{"a byte order mark and a declaration", "\uFEFF<?xml version='1.0' encoding='utf-8'?>\n<a/>\n", `<a/>`},
	} {
		e, err := parse(row.text)
		if err != nil {
			t.Errorf("%s: %v", row.sentence, err)
			continue
		}
		if diff := cmp.Diff(row.want, string(Append(nil, e))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.sentence, diff)
		}
		again, err := parse(row.want)
		if diff := cmp.Diff(e, again); diff != "" || err != nil {
			t.Errorf("%s: the canonical form reads otherwise: %v\n%s", row.sentence, err, diff)
		}
	}
}

func TestRefusedXML(t *testing.T) {
	t.Parallel()
	for sentence, text := range map[string]string{
		"nothing":                         "",
		"text only":                       "a",
		"text before the element":         "a<b/>",
		"text behind the element":         "<b/>a",
		"two elements":                    "<a/><b/>",
		"no end":                          "<a>",
		"an end too many":                 "<a/></a>",
		"ends in the wrong order":         "<a><b></a></b>",
		"an end with another prefix":      `<p:a xmlns:p="u" xmlns:q="u"></q:a>`,
		"a DOCTYPE":                       "<!DOCTYPE a><a/>",
		"a DOCTYPE with entities":         `<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`,
		"an entity that is not known":     "<a>&b;</a>",
		"a processing instruction":        "<a><?b c?></a>",
		"a stylesheet":                    `<?xml-stylesheet href="a"?><a/>`,
		"a declaration behind a space":    ` <?xml version="1.0"?><a/>`,
		"XML 1.1":                         `<?xml version="1.1"?><a/>`,
		"another encoding":                `<?xml version="1.0" encoding="ISO-8859-1"?><a/>`,
		"bytes that are no UTF-8":         "<a>\xff</a>",
		"a control character":             "<a>\x01</a>",
		"a control character by number":   "<a>&#1;</a>",
		"a prefix without declaration":    "<p:a/>",
		"an attribute's prefix without":   `<a p:b=""/>`,
		"a prefix declared in a sibling":  `<a><b xmlns:p="u"/><p:c/></a>`,
		"a prefix that is taken back":     `<a xmlns:p="u"><b xmlns:p=""/></a>`,
		"the prefix xmlns declared":       `<a xmlns:xmlns="u"/>`,
		"an attribute twice":              `<a b="1" b="2"/>`,
		"an attribute twice by prefixes":  `<a xmlns:p="u" xmlns:q="u" p:b="1" q:b="2"/>`,
		"a declaration twice":             `<a xmlns:p="u" xmlns:p="v"/>`,
		"a default namespace twice":       `<a xmlns="u" xmlns="v"/>`,
		"a name with two colons":          `<p:a:b xmlns:p="u"/>`,
		"a name that begins with a colon": `<:a/>`,
		"an attribute without quotes":     `<a b=c/>`,
		"an attribute without a value":    `<a b/>`,
		"a less-than in an attribute":     `<a b="<"/>`,
		"an end of CDATA in text":         `<a>]]></a>`,
		"65 elements inside each other":   strings.Repeat("<a>", 65) + strings.Repeat("</a>", 65),
	} {
		if e, err := parse(text); err == nil {
			t.Errorf("%s was read as %s", sentence, Append(nil, e))
		} else if errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", sentence, err)
		}
	}
}

func TestErrorsQuoteNothing(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"<a>&s3cret;</a>", "<s3cret></a>", "<s3cret:a/>", `<a s3cret=1/>`, `<a s3cret="" s3cret=""/>`,
		`<?xml version="s3cret"?><a/>`, `<?xml version="1.0" encoding="s3cret"?><a/>`, "<a>s3cret\x00</a>"} {
		if _, err := parse(text); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	const mebibyte = 1 << 20
	spaces := func(n int) string { return "<a>" + strings.Repeat(" ", n-len("<a></a>")) + "</a>" }
	long := strings.Repeat("u", 1000)
	for _, row := range []struct {
		sentence, text string
		refused        string // begins the error; empty: none
	}{
		{"1 MiB", spaces(mebibyte), ""},
		{"1 MiB and a byte", spaces(mebibyte + 1), ErrTooLarge.Error()},
		{"64 elements inside each other", strings.Repeat("<a>", 64) + strings.Repeat("</a>", 64), ""},
		{"as many elements as may be", "<a>" + strings.Repeat("<b/>", mebibyte/perElement-1) + "</a>", ""},
		{"one element too many", "<a>" + strings.Repeat("<b/>", mebibyte/perElement) + "</a>", "there are too many elements"},
		{"what grows to more than 1 MiB in canonical form", "<a><![CDATA[" + strings.Repeat("&", mebibyte/2) + "]]></a>", ErrTooLarge.Error()},
		{"a namespace repeated too often", `<a xmlns:p="` + long + `">` + strings.Repeat("<p:b/>", 60_000) + "</a>", "namespaces"},
		{"a namespace of attributes repeated too often", `<a xmlns:p="` + long + `">` + strings.Repeat(`<b p:c=""/>`, 60_000) + "</a>", "namespaces"},
		{"a prefix in content repeated too often", `<a xmlns:p="` + long + `">` + strings.Repeat(`<b>p:c</b>`, 60_000) + "</a>", "namespaces"},
		{"text in very many pieces", "<a>" + strings.Repeat("b<!---->", mebibyte/8-1) + "</a>", ""},
		{"very many attributes", "<a" + manyAttributes(60_000) + "/>", ""},
	} {
		_, err := parse(row.text)
		if text := fmt.Sprint(err); row.refused == "" && err != nil || !strings.HasPrefix(text, row.refused) {
			t.Errorf("%s: error %v, want %q", row.sentence, err, row.refused)
		}
	}
	if _, err := parse(spaces(mebibyte + 1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("error %v, want ErrTooLarge", err)
	}
}

func manyAttributes(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(" a" + strconv.Itoa(i) + `=""`)
	}
	return b.String()
}

// elements draws what Parse can give.
func elements(depth int) *rapid.Generator[Element] {
	text := rapid.StringOf(rapid.OneOf(rapid.SampledFrom([]rune(" \t\n\r<>&\"']:p")), rapid.Rune().Filter(isChar)))
	space := rapid.SampledFrom([]string{"", "urn:a", "urn:b&\"<", xmlNamespace + "/not"})
	local := rapid.SampledFrom([]string{"a", "b", "å"})
	return rapid.Custom(func(t *rapid.T) Element {
		e := Element{Name: xml.Name{Space: space.Draw(t, "space"), Local: local.Draw(t, "name")}, Text: text.Draw(t, "text")}
		for _, name := range rapid.SliceOfNDistinct(local, 0, 3, rapid.ID).Draw(t, "attributes") {
			e.Attrs = append(e.Attrs, xml.Attr{Name: xml.Name{Space: space.Draw(t, "space"), Local: name}, Value: text.Draw(t, "value")})
		}
		if depth == 0 {
			return e
		}
		for range rapid.IntRange(0, 2).Draw(t, "children") {
			child := elements(depth-1).Draw(t, "child")
			child.Tail = text.Draw(t, "tail")
			e.Children = append(e.Children, child)
		}
		return e
	})
}

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := elements(3).Draw(t, "element")
		text := Append(nil, want)
		got, err := parse(string(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-written +read):\n%s\n%s", diff, text)
		}
	})
}

func TestIsText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{"": true, "å\t\n\r😀\uFFFD": true, "\x00": false, "\x1f": false, "\uFFFE": false, "\xff": false} {
		if IsText(text) != want {
			t.Errorf("IsText(%q) is %v", text, !want)
		}
	}
}

// FuzzParse: no text makes Parse panic, it judges as encoding/xml does, and what it accepts has one canonical form that reads the same.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{`<a xmlns="u" xmlns:p="v" p:b="p:c">d<e/>f</a>`, "<!DOCTYPE a><a/>", "<a>&#13;<![CDATA[]]></a>",
		`<a xmlns:cs.0="u" b="cs.0:c"><d cs.0:e=""/></a>`, "\uFEFF<?xml version='1.0'?><a/>"} {
		f.Add(seed)
	}
	for _, seed := range messages(f) {
		f.Add(seed)
	}
	f.Add(`<p:a xmlns:p="` + "&#38;&#38;&#38;" + `">` + strings.Repeat("<p:b/><c/>", 20) + "</p:a>")
	f.Add("<a><![CDATA[" + strings.Repeat("&", 100) + "]]>" + strings.Repeat(`<b c='"' d='"""'/>`, 9) + "</a>")
	f.Fuzz(func(t *testing.T, text string) {
		comparedWithReference(t, text, Limits{Bytes: 1 << 20, Depth: 64})
		e, err := parse(text)
		if err != nil {
			return
		}
		once := Append(nil, e)
		if less := int64(len(once)) - 1; less > 0 {
			if _, err := Parse(strings.NewReader(text), Limits{Bytes: less}); err == nil {
				t.Fatalf("accepted with room for one byte less than its canonical form:\n%s", once)
			}
		}
		again, err := parse(string(once))
		if err != nil {
			t.Fatalf("the canonical form is refused: %v\n%s", err, once)
		}
		if diff := cmp.Diff(e, again); diff != "" {
			t.Fatalf("(-first +second):\n%s", diff)
		}
	})
}
