// Package web is the page kit of our sites: layout, stylesheet, texts in two languages, sessions, form tokens, the headers that
// keep strangers out, and one place where errors become pages.
//
// A site brings templates, texts and handlers; a handler returns an error, and the kit says it to the reader. The kit knows
// cookies, not persons: whose a session is, the site keeps. It writes no HTML by itself but the layout, and puts nothing
// personal into logs, URLs or cookies. Start with New, then Kit.Handle and Kit.Render.
package web

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// minKey is the shortest key of form tokens, in bytes.
const minKey = 32

// Config of a kit. All fields but Secure are required; the file systems are searched at their root.
type Config struct {
	Name      string // of the site; begins the names of its cookies
	Home      string // path that error pages lead back to
	Key       []byte // of form tokens: at least 32 bytes, the same over restarts and instances
	Secure    bool   // the site is reached by https: cookies travel over nothing else
	Templates fs.FS  // a file PAGE.html for each page; files that begin with _ belong to all
	Texts     fs.FS  // LANGUAGE.json for each language
	Static    fs.FS  // files served at /static/ beside the kit's own
	Now       func() time.Time
	Log       *slog.Logger
}

// Kit serves one site.
type Kit struct {
	Config
	catalogue Catalogue
	pages     map[string]*template.Template
	static    map[string]staticFile
	mux       *http.ServeMux
	methods   map[string][]string // by path, for the answer 405
}

// Handler answers a request, or says what went wrong before anything was written.
type Handler func(http.ResponseWriter, *http.Request) error

//go:embed layout.html texts/*.json static/*
var kitFiles embed.FS

// New makes a kit, and checks what the site brings.
func New(c Config) (*Kit, error) {
	if c.Name == "" || c.Home == "" || c.Templates == nil || c.Texts == nil || c.Static == nil || c.Now == nil || c.Log == nil {
		return nil, errors.New("web: all fields of Config but Secure are required")
	}
	if len(c.Key) < minKey {
		return nil, fmt.Errorf("web: Key has %d bytes, and needs %d", len(c.Key), minKey)
	}
	ownTexts, textsFault := fs.Sub(kitFiles, "texts")
	ownStatic, staticFault := fs.Sub(kitFiles, "static")
	catalogue, catalogueFault := ReadCatalogue(ownTexts, c.Texts)
	pages, pagesFault := parsePages(c.Templates)
	static, filesFault := readStatic(ownStatic, c.Static)
	if err := errors.Join(textsFault, staticFault, catalogueFault, pagesFault, filesFault); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	k := &Kit{Config: c, catalogue: catalogue, pages: pages, static: static, mux: http.NewServeMux(), methods: map[string][]string{}}
	k.Handle("GET", "/static/{file}", k.serveStatic)
	k.mux.Handle("/", k.page(k.noSuchPage))
	return k, nil
}

// Handle registers a page.
func (k *Kit) Handle(method, path string, h Handler) {
	k.methods[path] = append(k.methods[path], method)
	k.mux.Handle(method+" "+path, k.page(h))
}

// noSuchPage answers what no page answers: the path is unknown, or known under another method.
func (k *Kit) noSuchPage(w http.ResponseWriter, r *http.Request) error {
	methods := k.methods[cmp.Or(strings.TrimSuffix(r.URL.Path, "/"), "/{$}")]
	if len(methods) == 0 {
		return Fault{http.StatusNotFound}
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	return Fault{http.StatusMethodNotAllowed}
}

// Handler serves the site: a request that another site caused and that would change something is refused.
func (k *Kit) Handler() http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(k.page(func(http.ResponseWriter, *http.Request) error { return Fault{http.StatusForbidden} }))
	guarded := protection.Handler(k.mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, seen := k.Now(), &statusRecorder{ResponseWriter: w}
		guard(w.Header(), k.Secure)
		guarded.ServeHTTP(seen, r)
		// The pattern, not the path: what a stranger writes there is not ours to keep.
		k.Log.Info("request", "method", method(r), "route", cmp.Or(r.Pattern, "-"), "status", seen.status, "seconds", k.Now().Sub(began).Seconds())
	})
}

// guard sets the headers of every answer. Pages are personal, so nothing is kept; files say otherwise for themselves.
func guard(h http.Header, secure bool) {
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "+
		"form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	// no-referrer would make browsers send "Origin: null", by which a form of ours looks like a stranger's.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

func method(r *http.Request) string {
	if slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodPost}, r.Method) {
		return r.Method
	}
	return "other"
}

// page makes a handler one that says its errors, and its panics, to the reader.
func (k *Kit) page(h Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if fault := recover(); fault != nil {
				// Of what was thrown only the type: a text could hold a value.
				k.fail(w, r, fmt.Errorf("panic of type %T: %s", fault, debug.Stack()))
			}
		}()
		if err := h(w, r); err != nil {
			k.fail(w, r, err)
		}
	})
}

// Fault is an error that the reader caused or can understand; any other is ours. Its texts are error.STATUS.*.
type Fault struct{ Status int }

func (f Fault) Error() string { return http.StatusText(f.Status) }

// fail is the one place where an error becomes a page. What is our fault is logged under an id that the page shows.
func (k *Kit) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // nobody reads on
	}
	fault, logID := Fault{http.StatusInternalServerError}, ""
	if !errors.As(err, &fault) {
		logID = rand.Text()[:10]
		k.Log.Error("page failed", "log_id", logID, "route", r.Pattern, "err", err)
	}
	p := k.NewPage(r, k.Home)
	p.Title = p.T(fmt.Sprintf("error.%d.title", fault.Status))
	err = k.Render(w, r, fault.Status, "error", struct {
		*Page
		Text, LogID string
	}{p, p.T(fmt.Sprintf("error.%d.text", fault.Status)), logID})
	if err != nil {
		k.Log.Error("error page failed", "err", err)
		http.Error(w, "500", http.StatusInternalServerError)
	}
}

// statusRecorder remembers the status for the log.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (s *statusRecorder) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

func (s *statusRecorder) Write(b []byte) (int, error) {
	s.status = cmp.Or(s.status, http.StatusOK)
	return s.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (s *statusRecorder) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// staticFile is a file that is the same for everybody.
type staticFile struct {
	text []byte
	etag string
}

func (k *Kit) serveStatic(w http.ResponseWriter, r *http.Request) error {
	file, known := k.static[r.PathValue("file")]
	if !known {
		return Fault{http.StatusNotFound}
	}
	w.Header().Set("Cache-Control", "no-cache") // may be kept, and is asked after
	w.Header().Set("ETag", file.etag)
	http.ServeContent(w, r, r.PathValue("file"), time.Time{}, bytes.NewReader(file.text))
	return nil
}
