package web

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// Page is what the layout shows around a page; the data of a page embeds it.
type Page struct {
	Texts
	Title   string
	Home    string   // path that the site's name leads to
	Here    string   // path that shows this page by GET, for the switch of language
	Failed  bool     // something in the form is wrong: the title says so first
	Refresh int      // without JavaScript the page at Next is loaded after so many seconds; 0: never
	Next    string   // path; one that differs from the present in its fragment only would not be loaded
	Scripts []string // names of static files
}

// NewPage begins a page in the reader's language.
func (k *Kit) NewPage(r *http.Request, here string) *Page {
	return &Page{Texts: k.catalogue.For(k.Language(r)), Home: k.Home, Here: here}
}

// Other is the language that the page can be switched to.
func (p *Page) Other() Language {
	if p.Lang == Swedish {
		return English
	}
	return Swedish
}

// Render writes a page. The name is that of its template; data embeds a *Page.
func (k *Kit) Render(w http.ResponseWriter, r *http.Request, status int, name string, data any) error {
	k.keepLanguage(w, r)
	return k.write(w, status, name, "layout.html", data)
}

// RenderBlock writes one block of a page alone.
func (k *Kit) RenderBlock(w http.ResponseWriter, name, block string, data any) error {
	return k.write(w, http.StatusOK, name, block, data)
}

// write executes first: a template that fails midway must not leave half a page behind a status that says all is well.
func (k *Kit) write(w http.ResponseWriter, status int, name, block string, data any) error {
	page, known := k.pages[name]
	if !known {
		return fmt.Errorf("no page %q", name)
	}
	var body bytes.Buffer
	if err := page.ExecuteTemplate(&body, block, data); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = body.WriteTo(w) // a reader who has gone is no fault
	return nil
}

// parsePages parses the layout, what belongs to all pages, and then each page on a copy of both.
func parsePages(site fs.FS) (map[string]*template.Template, error) {
	layout, err := template.ParseFS(kitFiles, "layout.html")
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(site, "*.html")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if strings.HasPrefix(name, "_") {
			if layout, err = layout.ParseFS(site, name); err != nil {
				return nil, err
			}
		}
	}
	pages := map[string]*template.Template{}
	if pages["error"], err = layout.Clone(); err != nil {
		return nil, err
	}
	for _, name := range names {
		if strings.HasPrefix(name, "_") {
			continue
		}
		page, err := layout.Clone()
		if err == nil {
			page, err = page.ParseFS(site, name)
		}
		if err != nil {
			return nil, err
		}
		pages[strings.TrimSuffix(name, path.Ext(name))] = page
	}
	return pages, nil
}

// readStatic reads the files of all, each at the root of its file system.
func readStatic(all ...fs.FS) (map[string]staticFile, error) {
	files := map[string]staticFile{}
	for _, fsys := range all {
		entries, err := fs.ReadDir(fsys, ".")
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			text, err := fs.ReadFile(fsys, entry.Name())
			if err != nil {
				return nil, err
			}
			sum := sha256.Sum256(text)
			files[entry.Name()] = staticFile{text, fmt.Sprintf(`"%x"`, sum[:8])}
		}
	}
	return files, nil
}
