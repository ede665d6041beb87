package portal_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"contactsync/consent/portal"
)

// texts reads the texts of this site in a language.
func texts(t *testing.T, language string) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("texts", language+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]string
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// source is the text of the Go files and pages of both the site and its kit.
func source(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, pattern := range []string{"*.go", "pages/*.html", "../web/*.go", "../web/*.html"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
	}
	return all.String()
}

// TestEveryTextIsUsed: New refuses a catalogue that is not complete in both languages; here nothing is left over either.
func TestEveryTextIsUsed(t *testing.T) {
	t.Parallel()
	used := source(t)
	for key := range texts(t, "sv") {
		family, rest, _ := strings.Cut(key, ".")
		switch family {
		case "mobile", "email": // by section.C
			key = rest
		case "state":
			key, _, _ = strings.Cut(rest, ".")
		case "correction":
			key = rest
		case "person": // the states of test persons come from outside
			continue
		}
		if !strings.Contains(used, `"`+key+`"`) && !(family == "state" && strings.Contains(used, `"state.`+rest+`"`)) {
			t.Errorf("%s.%s is not used", family, rest)
		}
	}
}

// TestNoTextStandsInAPage: what people read lies in the catalogues.
func TestNoTextStandsInAPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, v := range []*visitor{w.visitor("en").get("/"), w.loggedIn("en", 0), w.visitor("en").get("/nowhere")} {
		if strings.Contains(v.body, "{{") || strings.Contains(v.body, "ZgotmplZ") || strings.Contains(v.body, "<no value>") {
			t.Errorf("the page at %s is not filled", v.url.Path)
		}
		for _, key := range []string{"settings.", "choose.", "error.4", "page.", "state.", "fact.", "mobile."} {
			if strings.Contains(v.page.One("body").Text(), key) {
				t.Errorf("the page at %s shows the key of a text: %s…", v.url.Path, key)
			}
		}
	}
}

// TestNoticeVersionNamesItsTexts: a choice is kept with the version of the texts that were read. New texts, new version.
func TestNoticeVersionNamesItsTexts(t *testing.T) {
	t.Parallel()
	const known = "2026-11-23 8dc0df2827dd"
	var notice []string
	for _, language := range []string{"sv", "en"} {
		for key, text := range texts(t, language) {
			if slices.Contains([]string{"legend", "share", "who", "withdraw", "no", "notify", "notify.hint"}, strings.TrimPrefix(strings.TrimPrefix(key, "mobile."), "email.")) {
				notice = append(notice, language+key+text)
			}
		}
	}
	slices.Sort(notice)
	sum := sha256.Sum256([]byte(strings.Join(notice, "\n")))
	if got := portal.NoticeVersion + " " + hex.EncodeToString(sum[:6]); got != known {
		t.Errorf("the texts are %s, known as %s: a changed text needs a new NoticeVersion", got, known)
	}
}
