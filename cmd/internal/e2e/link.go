package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// Link is a way between two parts, on which connections can be cut, refused and slowed down.
type Link struct {
	t      testing.TB
	proxy  *toxiproxy.Proxy
	toxics atomic.Int64
}

// NewLink opens a way to an address.
func NewLink(t testing.TB, to string) *Link {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	l := &Link{t: t, proxy: toxiproxy.NewProxy(server, to, "127.0.0.1:0", to)}
	if err := l.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.proxy.Stop)
	return l
}

// Address is where the way begins.
func (l *Link) Address() string { return l.proxy.Listen }

// Cut cuts every connection; new ones are refused until Mend.
func (l *Link) Cut() { l.proxy.Stop() }

// Mend lets connections through again.
func (l *Link) Mend() {
	if err := l.proxy.Start(); err != nil {
		l.t.Error(err)
	}
}

// Slow holds everything that is sent in either direction back for so long, until Clear.
func (l *Link) Slow(by time.Duration) {
	for _, stream := range []string{"upstream", "downstream"} {
		l.add(`"type":"latency","stream":"` + stream + `","attributes":{"latency":` + millis(by) + `}}`)
	}
}

// Silence lets connections stand, and nothing through, until Clear: what was on its way is lost, and the connection is closed then.
func (l *Link) Silence() {
	l.add(`"type":"timeout","stream":"downstream","attributes":{"timeout":0}}`)
}

// add gives each a name of its own: two may be there at a time.
func (l *Link) add(toxic string) {
	name := fmt.Sprintf(`{"name":"%d",`, l.toxics.Add(1))
	if _, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(name + toxic)); err != nil {
		l.t.Error(err)
	}
}

// Clear ends Slow and Silence.
func (l *Link) Clear() { l.proxy.Toxics.ResetToxics(l.t.Context()) }

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
