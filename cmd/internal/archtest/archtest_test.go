package archtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

func TestProjectKeepsItsArrows(t *testing.T) {
	t.Parallel()
	breaches, err := projectRules().violations(os.DirFS(root(t)))
	if err != nil {
		t.Fatal(err)
	}
	for _, breach := range breaches {
		t.Error(breach)
	}
}

func TestEveryRuleCanBeBroken(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		path, source string
		want         string // "" is allowed
	}{
		"consent knows contracts":           {"consent/event/a.go", `package event; import "contactsync/contracts/rivta"`, "must not know tree contracts"},
		"consent knows sync in a test":      {"consent/event/a_test.go", `package event; import "contactsync/sync/plan"`, "must not know tree sync"},
		"contracts know consent":            {"contracts/rivta/a.go", `package rivta; import "contactsync/consent/contact"`, "must not know tree consent"},
		"contracts write the access log":    {"contracts/mockregister/a.go", `package mockregister; import "contactsync/consent/audit"`, ""},
		"contracts test with a database":    {"contracts/rivta/a_test.go", `package rivta; import "contactsync/consent/pgtest"`, ""},
		"sync knows consent":                {"sync/plan/a.go", `package plan; import "contactsync/consent/event"`, ""},
		"sync knows cmd":                    {"sync/plan/a.go", `package plan; import "contactsync/cmd/internal/run"`, "must not know tree cmd"},
		"cmd knows all":                     {"cmd/contactsync/a.go", `package main; import "contactsync/sync/plan"`, ""},
		"an upper row knows a lower one":    {"consent/contact/a.go", `package contact; import "contactsync/consent/event"`, "lower row"},
		"a lower row knows an upper one":    {"consent/event/a.go", `package event; import "contactsync/consent/contact"`, ""},
		"an outside test uses a lower row":  {"consent/contact/a_test.go", `package contact_test; import "contactsync/consent/event"`, ""},
		"an import under another name":      {"sync/plan/a.go", `package plan; import ev "contactsync/consent/event"`, "under another name"},
		"an import for its effect":          {"sync/plan/a.go", `package plan; import _ "embed"`, ""},
		"a directory of another name":       {"sync/plan/a.go", `package planning`, "directory of another name"},
		"a package without a row":           {"sync/extra/a.go", `package extra`, "no row"},
		"a package at the root of sync":     {"sync/a.go", `package sync`, "no row"},
		"a package outside the trees":       {"tools/a.go", `package tools`, "no row"},
		"a name that says nothing":          {"consent/util/a.go", `package util`, "says nothing"},
		"a name used twice":                 {"sync/event/a.go", `package event`, "exists in consent/event too"},
		"kafka-go outside stream":           {"sync/intake/a.go", `package intake; import "github.com/segmentio/kafka-go/protocol"`, "reserved for consent/stream"},
		"kafka-go outside stream in a test": {"sync/intake/a_test.go", `package intake; import "github.com/segmentio/kafka-go"`, "reserved for consent/stream"},
		"kafka-go in stream":                {"consent/stream/a.go", `package stream; import "github.com/segmentio/kafka-go"`, ""},
		"a test library in production":      {"sync/plan/a.go", `package plan; import "pgregory.net/rapid"`, "for tests only"},
		"a test library in a test":          {"sync/plan/a_test.go", `package plan; import "pgregory.net/rapid"`, ""},
		"the in-process broker in dev":      {"cmd/internal/devstack/a.go", `package devstack; import "github.com/twmb/franz-go/pkg/kfake"`, ""},
		"the in-process broker elsewhere":   {"consent/stream/a.go", `package stream; import "github.com/twmb/franz-go/pkg/kfake"`, "for tests only"},
		"the test broker in production":     {"consent/outbox/a.go", `package outbox; import "contactsync/consent/kafkatest"`, "for tests only"},
		"a test package in production":      {"consent/outbox/a.go", `package outbox; import "contactsync/consent/pgtest"`, "for tests only"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			module := fstest.MapFS{
				"consent/event/event.go": {Data: []byte("package event")},
				test.path:                {Data: []byte(test.source)},
			}
			breaches, err := projectRules().violations(module)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(breaches, "; ")
			if test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// root is the directory of go.mod.
func root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
	}
}
