package archtest

import (
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestEveryMetricIsDocumented reads cmd/README.md, and every file that makes metrics. An alarm on a metric that there is not never rings.
func TestEveryMetricIsDocumented(t *testing.T) {
	t.Parallel()
	module := os.DirFS(root(t))
	readme, err := fs.ReadFile(module, "cmd/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), "\n## What the worker measures\n")
	section, _, _ = strings.Cut(section, "\n## ")
	made, listed := madeMetrics(t, module), names(section, "(?m)^\\| `(contactsync_[a-z_]+)")
	if diff := cmp.Diff(listed, made); diff != "" {
		t.Errorf("metrics (-cmd/README.md +code):\n%s", diff)
	}
	for _, name := range names(section, `(contactsync_[a-z_]+)`) {
		if !slices.Contains(made, name) {
			t.Errorf("cmd/README.md speaks of %s, which nothing measures", name)
		}
	}
}

// madeMetrics are the names in the files that import Prometheus.
func madeMetrics(t *testing.T, module fs.FS) []string {
	t.Helper()
	files, err := readFiles(module)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		if f.test || !slices.ContainsFunc(f.imports, func(i imported) bool { return i.path == "github.com/prometheus/client_golang/prometheus" }) {
			continue
		}
		text, err := fs.ReadFile(module, f.path)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return names(all.String(), `"(contactsync_[a-z_]+)"`)
}

// names are what a pattern finds in a text, each once and in order.
func names(text, pattern string) (found []string) {
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	slices.Sort(found)
	return slices.Compact(found)
}
