package rivta

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var mutations = flag.Int("mutations", 20_000, "texts in TestParseJudgesAsEncodingXMLDoes")

// messages are texts that Parse meets, and some with what few have.
func messages(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("../../testdata/contracts/golden/*.xml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d messages, error %v", len(files), err)
	}
	texts := []string{
		"\uFEFF<?xml version='1.0' encoding=\"utf-8\" standalone='yes' ?>\r\n<!-- - -->\r<a b='\"&#39;' c = \">\r\n\t]]>\"\n>d&lt;&#x1F600;&#0013;\n</a >\n",
		`<p:a xmlns:p="urn:a" xmlns="urn:b"><b xmlns="" p:c="p:d xml:e q:f"/> p:t <p:b xmlns:p='urn:c' p:d="p:x">]]&gt;]]</p:b>]></p:a>`,
		"<å:ö xmlns:å='u'>\r\n<![CDATA[<&]]>]]&gt;<![CDATA[\r\r\n]] >]]><x.1-·ö/><!--&\xff--> é\u0085\u2028 </å:ö>",
		"<!DOCTYPE a [<!ENTITY b '>'><!-- > -->]>\n<a>&b;</a>", "<?xml version=\"1.1\"?><a/>", "<?xml encoding='latin1'?><a/>", "<a><?b?></a>",
		`<a xmlns="u" xmlns="v"/>`, `<a xmlns:p="u" xmlns:p="v"/>`, `<a b="1" b="2"/>`,
		`<soap:Envelope xmlns:soap="` + soapNamespace + `"><soap:Body><a t="soap:b" xsi:type="c:d" xmlns:xsi="i" xmlns:c="j">soap:x</a></soap:Body></soap:Envelope>`,
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	return texts
}

// pieces are what the grammar is made of, and what breaks it.
var pieces = strings.Split("<|>|/|/>|</|<!--|-->|--|-|<![CDATA[|]]>|]]|]|<!|<!DOCTYPE |<?|?>|<?xml |<?xml version='1.0'?>|encoding='UTF-8'|version=|"+
	"&|;|&#|&#x|&lt;|&amp;|&#13;|&#10;|&#xD800;|&#x10FFFF;|&#x110000;|&#0;|&#xFFFE;|&quot|&b;|&å;|=|\"|'|:|a|a:|:a|p:|xmlns|xmlns:p=\"u\"|"+
	" xmlns=\"v\"| xmlns:xml='u'| xml:lang='sv'| p:b='c'| b='p:c'|<a>|</a>|<a/>|<p:b>|</p:b>|\r|\n|\r\n|\t| |0|.|_|é|·|ª|\u0300|٣|日|😀|\u0085|\u2028|\uFEFF|"+
	"\uFFFD|\uFFFE|\xff|\xc3|\xed\xa0\x80|\x00|\x01|\x1f|\x7f", "|")

// mutated breaks a text, or a part of it, in a few places.
func mutated(random *rand.Rand, text string) string {
	if random.IntN(8) > 0 { // short texts are read sooner
		begin := random.IntN(len(text))
		text = wrapped(random, text[begin:begin+random.IntN(min(len(text)-begin, 200))+1])
	}
	for range random.IntN(2 + random.IntN(6)) {
		at := random.IntN(len(text) + 1)
		behind := min(len(text), at+random.IntN(6))
		switch random.IntN(6) {
		case 0: // something goes
			text = text[:at] + text[behind:]
		case 1: // the rest goes
			if random.IntN(8) == 0 {
				text = text[:at]
			}
		case 2: // a byte is another
			if at < len(text) {
				text = text[:at] + string([]byte{byte(random.IntN(256))}) + text[at+1:]
			}
		case 3: // something is repeated elsewhere
			to := random.IntN(len(text) + 1)
			text = text[:to] + text[at:behind] + text[to:]
		default: // something comes
			text = text[:at] + pieces[random.IntN(len(pieces))] + text[at:]
		}
	}
	return text
}

// wrapped makes a text the content of an element, most times.
func wrapped(random *rand.Rand, text string) string {
	if random.IntN(8) == 0 {
		return text
	}
	return `<a xmlns:p="urn:a" xmlns:soap="` + soapNamespace + `" xmlns:ns="urn:b">` + text + "</a>"
}

// made puts a text together.
func made(random *rand.Rand) string {
	var b strings.Builder
	for range random.IntN(16) {
		b.WriteString(pieces[random.IntN(len(pieces))])
	}
	return wrapped(random, b.String())
}

// TestParseJudgesAsEncodingXMLDoes: the same tree of what is accepted, and of the rest the same error.
func TestParseJudgesAsEncodingXMLDoes(t *testing.T) {
	t.Parallel()
	texts := messages(t)
	for _, text := range texts {
		comparedWithReference(t, text, Limits{Bytes: 1 << 20, Depth: 64})
	}
	for n := range 50 {
		text := `<a xmlns:p="` + strings.Repeat("u", 1000) + `">` + strings.Repeat("<p:b/>", n) + "</a>"
		comparedWithReference(t, text, Limits{Bytes: 2000, Depth: 2})
	}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	accepted := 0
	verdicts := map[string]int{}
	for range *mutations {
		text := made(random)
		if random.IntN(4) > 0 {
			text = mutated(random, texts[random.IntN(len(texts))])
		}
		err := comparedWithReference(t, text, someLimits(random))
		if err == nil {
			accepted++
		} else {
			verdict, _, _ := strings.Cut(err.Error(), " in line")
			verdicts[verdict]++
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if accepted < *mutations/10 || len(verdicts) < 10 {
		t.Error("too many are refused, or for too few reasons")
	}
	t.Logf("of %d texts %d were accepted; the others: %v", *mutations, accepted, verdicts)
}

// someLimits are seldom small.
func someLimits(random *rand.Rand) Limits {
	limits := Limits{Bytes: 1 << 15, Depth: 16}
	if random.IntN(16) == 0 {
		limits = Limits{Bytes: int64(1 + random.IntN(4<<10)), Depth: 1 + random.IntN(8)}
	}
	return limits
}

func comparedWithReference(t *testing.T, text string, limits Limits) error {
	t.Helper()
	want, wantErr := referenceParse(text, limits)
	got, err := Parse(strings.NewReader(text), limits)
	if fmt.Sprint(err) != fmt.Sprint(wantErr) {
		t.Errorf("%q:\nerror %v, want %v", text, err, wantErr)
	} else if !same(want, got) {
		t.Errorf("%q (-want +got):\n%s", text, cmp.Diff(want, got))
	}
	return err
}

// same is cmp.Equal of two elements, for very many of them.
func same(a, b Element) bool {
	if a.Name != b.Name || a.Text != b.Text || a.Tail != b.Tail || len(a.Attrs) != len(b.Attrs) || len(a.Children) != len(b.Children) ||
		(a.Attrs == nil) != (b.Attrs == nil) || (a.Children == nil) != (b.Children == nil) {
		return false
	}
	for i := range a.Attrs {
		if a.Attrs[i] != b.Attrs[i] {
			return false
		}
	}
	for i := range a.Children {
		if !same(a.Children[i], b.Children[i]) {
			return false
		}
	}
	return true
}
