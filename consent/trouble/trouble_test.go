package trouble_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"contactsync/consent/trouble"
)

// journal is a Log and what it has written.
func journal() (*trouble.Log, func() []string) {
	var text bytes.Buffer
	noTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
			return slog.Attr{}
		}
		return a
	}
	l := trouble.New(slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{ReplaceAttr: noTime})))
	return l, func() []string {
		defer text.Reset()
		return strings.Split(strings.TrimSpace(text.String()), "\n")
	}
}

func want(t *testing.T, got []string, lines ...string) {
	t.Helper()
	if strings.Join(got, "|") != strings.Join(lines, "|") {
		t.Errorf("logged %q, want %q", got, lines)
	}
}

func TestOneLineAMinuteAndOneAtTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, written := journal()
		for range 110 { // twice a second
			l.Warn("p1", "fetch failed", errors.New("away"), "topic", "x")
			l.Warn("p2", "fetch failed", errors.New("away"), "topic", "x")
			<-time.After(time.Second / 2)
		}
		want(t, written(), `msg="fetch failed" topic=x error=away`)
		<-time.After(6 * time.Second)
		l.Warn("p1", "fetch failed", errors.New("away"), "topic", "x")
		l.Warn("p1", "fetch failed", errors.New("another text"))
		want(t, written(), `msg="fetch failed" topic=x error=away`, `msg="fetch failed" error="another text"`)
		l.Over("p2", "over")
		want(t, written(), "")
		l.Over("p1", "over", "group", "g")
		l.Over("p1", "over", "group", "g")
		want(t, written(), `msg=over group=g`)
		l.Warn("p1", "fetch failed", errors.New("away"))
		want(t, written(), `msg="fetch failed" error=away`)
		l.Leave("p1")
		want(t, written(), "")
		l.Over("p2", "over")
		want(t, written(), `msg=over`)
	})
}

// An error that names our own port, which is another one each time, is the same trouble; one that varies without end is cut off.
func TestWhatVariesIsNotSaidEachTime(t *testing.T) {
	t.Parallel()
	l, written := journal()
	for port := range 50 {
		op := &net.OpError{Op: "read", Net: "tcp", Source: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 50000 + port},
			Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9092}, Err: errors.New("reset")}
		l.Warn("p", "fetch failed", fmt.Errorf("fetch: %w", op))
	}
	want(t, written(), `msg="fetch failed" error="fetch: read tcp 127.0.0.1:9092: reset"`)
	for n := range 50 {
		l.Warn("p", "fetch failed", fmt.Errorf("error %d", n))
	}
	if n := len(written()); n != 19 {
		t.Errorf("%d lines", n)
	}
}
