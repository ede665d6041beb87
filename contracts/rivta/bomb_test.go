package rivta

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestBombsTakeBoundedMemoryAndTime sends what is small and tries to become large. It runs alone: memory is the whole process's.
func TestBombsTakeBoundedMemoryAndTime(t *testing.T) {
	const (
		mebibyte = 1 << 20
		most     = 320 * mebibyte   // allocated in all, most of it at no one time
		longest  = 30 * time.Second // a second or two where nothing else runs
	)
	fill := func(before, piece, after string) string {
		return before + strings.Repeat(piece, (mebibyte-len(before)-len(after))/len(piece)) + after
	}
	var entities strings.Builder // "billion laughs"
	for i := range 10 {
		fmt.Fprintf(&entities, `<!ENTITY l%d "%s">`, i+1, strings.Repeat("&l"+strconv.Itoa(i)+";", 10))
	}
	long := strings.Repeat("u", 10_000)
	var declarations strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&declarations, ` xmlns:p%d="u"`, i)
	}
	var names strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&names, "<å%d/>", i)
	}
	for sentence, text := range map[string]string{
		"very many names beyond ASCII":       "<a>" + names.String() + "</a>",
		"entities of entities":               `<!DOCTYPE a [<!ENTITY l0 "ha">` + entities.String() + `]><a>&l10;</a>`,
		"an entity from elsewhere":           `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///dev/zero">]><a>&x;</a>`,
		"a schema from elsewhere":            `<!DOCTYPE a SYSTEM "https://127.0.0.1:1/a.dtd"><a/>`,
		"as many elements as there is room":  fill("<a>", "<a/>", "</a>"),
		"elements that begin only":           fill("", "<a>", ""),
		"as many attributes":                 "<a" + manyAttributes(90_000) + "/>",
		"one long namespace, often":          fill(`<a xmlns:p="`+long+`">`, "<p:b/>", "</a>"),
		"many prefixes, and content of them": fill("<a"+declarations.String()+">", "<b>p1:x p2:x p3:x</b>", "</a>"),
		"prefixes declared anew":             fill("<a>", `<b xmlns:p="u" p:c="p:d"/>`, "</a>"),
		"comments between":                   fill("<a>", "b<!---->", "</a>"),
		"one long name":                      fill("<", "a", "/>"),
		"character references":               fill("<a>", "&#38;", "</a>"),
		"ten mebibytes":                      "<a>" + strings.Repeat(" ", 10*mebibyte) + "</a>",
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		_, _ = parse(text)
		took := time.Since(began)
		runtime.ReadMemStats(&after)
		allocated := after.TotalAlloc - before.TotalAlloc
		if allocated > most || took > longest {
			t.Errorf("%s: %d MiB in %v", sentence, allocated/mebibyte, took)
		}
		t.Logf("%s: %d MiB in %v", sentence, allocated/mebibyte, took)
	}
}
