package webtest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// AxeEnv names the environment variable with the path of axe.min.js, from the npm package axe-core.
const AxeEnv = "CONTACTSYNC_AXE"

// patience is how long Chromium may take to start, and anything on a page to appear.
const patience = 2 * time.Minute

// height of a window, in CSS pixels.
const height = 900

// Browser is a headless Chromium with a profile of its own, which ends with the test.
type Browser struct{ root context.Context }

// Open starts a browser.
func Open(t testing.TB) *Browser {
	t.Helper()
	path := chromium()
	if path == "" {
		missing(t, "no Chromium on this machine (Debian: chromium)")
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WSURLReadTimeout(patience), chromedp.Flag("disable-component-update", true))
	allocator, stop := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	root, end := chromedp.NewContext(allocator)
	t.Cleanup(func() { end(); stop() })
	if err := chromedp.Do(root); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return &Browser{root}
}

func chromium() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// Look is how a window shows pages. The zero Look is Swedish, wide, light, with JavaScript.
type Look struct {
	Language string // as in Accept-Language; empty: sv
	Width    int64  // CSS pixels; 0: 1280
	Dark     bool
	NoScript bool
	// SameVisitor shares the cookies of all windows that are so, as tabs of one browser do.
	SameVisitor bool
}

// Window is one tab.
type Window struct {
	t   testing.TB
	ctx context.Context
}

// Window opens a tab for a test, which may be a part of the one that opened the browser.
func (b *Browser) Window(t testing.TB, look Look) *Window {
	t.Helper()
	var options []chromedp.ContextOption
	if !look.SameVisitor {
		options = append(options, chromedp.WithNewBrowserContext())
	}
	ctx, end := chromedp.NewContext(b.root, options...)
	t.Cleanup(end)
	if err := chromedp.Do(ctx); err != nil { // without a deadline, which would be the window's own
		t.Fatalf("open a window: %v", err)
	}
	w := &Window{t, ctx}
	scheme, language, width := "light", look.Language, look.Width
	if look.Dark {
		scheme = "dark"
	}
	if language == "" {
		language = "sv"
	}
	if width == 0 {
		width = 1280
	}
	call(w, network.Enable, network.EnableParams{})
	call(w, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": language}})
	call(w, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	call(w, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: look.NoScript})
	w.size(width, height)
	return w
}

func (w *Window) size(width, height int64) {
	w.t.Helper()
	call(w, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1})
}

// call runs a command of the browser's protocol.
func call[P, R any](w *Window, command cdp.Command[P, R], params P) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	if _, err := chromedp.Call(ctx, command, params); err != nil {
		w.t.Fatalf("%T: %v", params, err)
	}
}

// run runs an action, or ends the test.
func run[T any](w *Window, action chromedp.Action[T]) T {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	result, err := chromedp.Run(ctx, action)
	if err != nil {
		w.t.Fatalf("in the browser: %v", err)
	}
	return result
}

// EveryPage runs a script in every page that is opened from now on, before the page's own.
func (w *Window) EveryPage(script string) {
	w.t.Helper()
	call(w, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
}

// Go opens an address.
func (w *Window) Go(address string) { w.t.Helper(); run(w, chromedp.Navigate(address)) }

// Submit clicks what loads another page, and returns when that is there.
func (w *Window) Submit(selector string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS(selector))); err != nil {
		w.t.Fatalf("click %s: %v", selector, err)
	}
}

// Click clicks an element.
func (w *Window) Click(selector string) { w.t.Helper(); run(w, chromedp.Click(chromedp.CSS(selector))) }

// Type replaces what a field holds.
func (w *Window) Type(selector, text string) {
	w.t.Helper()
	run(w, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector(%q).value = ""`, selector)))
	run(w, chromedp.SendKeys(chromedp.CSS(selector), text))
}

// Eval evaluates an expression in the page, even if the page's own scripts are disabled.
func Eval[T any](w *Window, expression string) T {
	w.t.Helper()
	return run(w, chromedp.Evaluate[T](expression))
}

// Text is the text of the first element that fits, as it is shown; empty if there is none, or the page is changing.
func (w *Window) Text(selector string) string {
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](fmt.Sprintf(`document.querySelector(%q)?.innerText ?? ""`, selector)))
	return text
}

// Until waits until an element shows a text, and ends the test if it does not come.
func (w *Window) Until(selector, text string) {
	w.t.Helper()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for deadline := time.Now().Add(patience); !strings.Contains(w.Text(selector), text); <-look.C {
		if time.Now().After(deadline) {
			w.t.Fatalf("%s does not say %q; the page: %s", selector, text, w.Text("body"))
		}
	}
}

// Becomes waits until the script's value is the wanted text: browsers focus and scroll after the page is there.
func (w *Window) Becomes(script, want string) {
	w.t.Helper()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	got := ""
	for deadline := time.Now().Add(patience); got != want; <-look.C {
		if got = Eval[string](w, script); got != want && time.Now().After(deadline) {
			w.t.Fatalf("%s is %q, want %q", script, got, want)
		}
	}
}

// Violations are the rules of WCAG 2.2 AA that the page breaks, by axe-core; also whether it can be read only by scrolling sideways.
func (w *Window) Violations() []string {
	w.t.Helper()
	path := os.Getenv(AxeEnv)
	if path == "" {
		missing(w.t, AxeEnv+" does not name axe.min.js (npm: axe-core)")
	}
	axe, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	const rules = `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}).then(r =>
		JSON.stringify(r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.html + " " + n.failureSummary))))`
	run(w, chromedp.Evaluate[chromedp.Void](string(axe)))
	answer := run(w, chromedp.Evaluate[string](rules, chromedp.EvalAwaitPromise))
	var found []string
	if err := json.Unmarshal([]byte(answer), &found); err != nil {
		w.t.Fatal(err)
	}
	if Eval[bool](w, `document.documentElement.scrollWidth > document.documentElement.clientWidth`) {
		found = append(found, "the page is wider than the window")
	}
	return found
}

// Screenshot is the top of the page as a PNG, in CSS pixels.
func (w *Window) Screenshot(width, height int64) []byte {
	w.t.Helper()
	w.size(width, height)
	return run(w, chromedp.CaptureScreenshot())
}
