package webtest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"contactsync/consent/webtest"
)

const page = `<!doctype html><html lang="en"><title>x</title><main><h1 id="top" class="a big">Hello <b>there</b></h1>
<ul><li>one<li class="big">two</ul><input name="n" type="tel" value="v"></main>`

func TestElementsAreFoundBySelector(t *testing.T) {
	t.Parallel()
	doc := webtest.Parse(t, strings.NewReader(page))
	for selector, want := range map[string]int{
		"h1": 1, "#top": 1, ".big": 2, "li.big": 1, "ul li": 2, "main .a": 1, "[name=n][type=tel]": 1, "input[type=text]": 0, "ul h1": 0, "ul *": 2,
	} {
		if got := len(doc.All(selector)); got != want {
			t.Errorf("%s: %d, want %d", selector, got, want)
		}
	}
	if doc.One("h1").Text() != "Hello there" || doc.One("input").Attr("value") != "v" || !doc.One("h1").Is(".big") || doc.Has("h2") {
		t.Error("an element is not what it is")
	}
}

// TestFaultsOfAPageAreSeen: a check that never finds anything would be worth nothing.
func TestFaultsOfAPageAreSeen(t *testing.T) {
	t.Parallel()
	bodies := map[string]string{
		"/":      `<label>Name <input></label><p>Fine</p>`,
		"/label": `<input>`,
		"/pale":  `<style>p {color: #aaa; background: #fff}</style><p>Pale</p>`,
		"/dark":  `<style>:root {color-scheme: light dark} @media (prefers-color-scheme: dark) {p {color: #222; background: #000}}</style><p>Dark</p>`,
		"/wide":  `<style>p {width: 400px}</style><p>Wide</p>`,
	}
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(`<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>x</title><main><h1>x</h1>` + bodies[r.URL.Path]))
	}))
	t.Cleanup(site.Close)
	browser := webtest.Open(t)
	for path, want := range map[string]string{"/": "", "/label": "label", "/pale": "color-contrast", "/dark": "color-contrast", "/wide": "wider than the window"} {
		window := browser.Window(t, webtest.Look{Width: 320, Dark: path == "/dark"})
		window.Go(site.URL + path)
		found := strings.Join(window.Violations(), "\n")
		if want == "" && found != "" || !strings.Contains(found, want) {
			t.Errorf("%s: found %q, want %q", path, found, want)
		}
	}
}
