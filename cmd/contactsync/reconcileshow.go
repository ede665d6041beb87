package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"contactsync/sync/reconcile"
)

type reconciledJSON struct {
	Begun         time.Time            `json:"begun"`
	Ended         time.Time            `json:"ended"`
	Resumed       bool                 `json:"resumed"`
	Fix           bool                 `json:"fix"`
	RestoreShares bool                 `json:"restoreShares"`
	Persons       int64                `json:"persons"`
	Calls         int64                `json:"calls"`
	Unsettled     int64                `json:"unsettled"` // channels that wait for the push anyway
	Changes       int64                `json:"changes"`   // that count for the safety stop
	Differences   int64                `json:"differences"`
	Healed        int64                `json:"healed"`
	Left          int64                `json:"left"`
	Kinds         []reconciledKindJSON `json:"kinds"`
	Cases         []reconciledCaseJSON `json:"cases"`
	MoreCases     int64                `json:"moreCases"`
}

type reconciledKindJSON struct {
	Kind        string           `json:"kind"`
	Differences int64            `json:"differences"`
	Healed      int64            `json:"healed"`
	Left        int64            `json:"left"`
	By          map[string]int64 `json:"by"` // status
}

type reconciledCaseJSON struct {
	Pseudonym string  `json:"pseudonym"`
	Channel   *string `json:"channel"` // null: the person as a whole
	Kind      string  `json:"kind"`
	Status    string  `json:"status"`
}

func viewReconciled(r reconcile.Report) reconciledJSON {
	v := reconciledJSON{Begun: r.Run.Begun.UTC(), Ended: r.Ended.UTC(), Resumed: r.Run.Resumed, Fix: r.Run.Fix, RestoreShares: r.Run.RestoreShares,
		Persons: r.Run.Persons, Calls: r.Run.Calls, Unsettled: r.Run.Unsettled, Changes: r.Run.Changes, Left: r.Left(), MoreCases: r.More,
		Kinds: each(r.Kinds, viewReconciledKind), Cases: each(r.Cases, viewReconciledCase)}
	for _, k := range v.Kinds {
		v.Differences, v.Healed = v.Differences+k.Differences, v.Healed+k.Healed
	}
	return v
}

func viewReconciledKind(c reconcile.Count) reconciledKindJSON {
	v := reconciledKindJSON{string(c.Kind), c.Found(), c.By[reconcile.Healed], c.Left(), map[string]int64{}}
	for _, status := range reconcile.Statuses() {
		v.By[string(status)] = c.By[status]
	}
	return v
}

func viewReconciledCase(n reconcile.Named) reconciledCaseJSON {
	return reconciledCaseJSON{n.Pseudonym, some(string(n.Channel)), string(n.Kind), string(n.Status)}
}

func showReconciled(out io.Writer, v reconciledJSON, asJSON bool) error {
	if asJSON {
		return showJSON(out, v)
	}
	s := newSheet(out)
	s.line("persons", strconv.FormatInt(v.Persons, 10))
	s.line("calls", strconv.FormatInt(v.Calls, 10))
	s.line("waiting", fmt.Sprintf("%d channels, for the workers anyway", v.Unsettled))
	s.line("differences", fmt.Sprintf("%d", v.Differences), fmt.Sprintf("%d healed", v.Healed), fmt.Sprintf("%d left", v.Left))
	if len(v.Kinds) > 0 {
		fmt.Fprintln(s, "\nkind\tdifferences\thealed\tleft\tbecause")
	}
	for _, k := range v.Kinds {
		fmt.Fprintf(s, "%s\t%d\t%d\t%d\t%s\n", k.Kind, k.Differences, k.Healed, k.Left, because(k))
	}
	if len(v.Cases) > 0 {
		fmt.Fprintln(s, "\npseudonym\tchannel\tkind\tstatus")
	}
	for _, c := range v.Cases {
		fmt.Fprintf(s, "%s\t%s\t%s\t%s\n", c.Pseudonym, orDash(c.Channel), c.Kind, c.Status)
	}
	if v.MoreCases > 0 && len(v.Cases) > 0 {
		fmt.Fprintf(s, "\nThere are %d more: --cases names more of them.\n", v.MoreCases)
	}
	return s.Flush()
}

// because lists what the differences that are left are.
func because(k reconciledKindJSON) string {
	var why []string
	for _, status := range reconcile.Statuses() {
		if n := k.By[string(status)]; n > 0 && status != reconcile.Healed {
			why = append(why, fmt.Sprintf("%d %s", n, status))
		}
	}
	if len(why) == 0 {
		return "-"
	}
	return strings.Join(why, ", ")
}

// progressBar shows how far a run has come: on a terminal in one line that changes, else in a line now and then.
type progressBar struct {
	out      io.Writer
	terminal bool
	now      func() time.Time
	shown    time.Time
	phase    reconcile.Phase
	whole    bool // the phase was shown as done
}

const (
	barWidth  = 30
	barEvery  = 100 * time.Millisecond
	lineEvery = 10 * time.Second
)

func newProgressBar(out io.Writer, now func() time.Time) *progressBar {
	return &progressBar{out: out, terminal: isTerminal(out), now: now}
}

func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (b *progressBar) tell(p reconcile.Progress) {
	every, now := lineEvery, b.now()
	if b.terminal {
		every = barEvery
	}
	whole := p.Done() == 1
	if p.Phase != b.phase {
		b.phase, b.whole, b.shown = p.Phase, false, time.Time{}
	}
	if p.Phase == reconcile.Ended || p.Phase == reconcile.Proof && !p.Fix || (!whole || b.whole) && now.Sub(b.shown) < every {
		return
	}
	b.shown, b.whole = now, whole
	if b.terminal {
		fmt.Fprintf(b.out, "\r%s\x1b[K", barOf(p))
		return
	}
	fmt.Fprintln(b.out, barOf(p))
}

// barOf is a line of progress.
func barOf(p reconcile.Progress) string {
	if p.Phase == reconcile.Proof {
		return fmt.Sprintf("looks whether all is healed: %d looked at", p.Proved)
	}
	done := p.Done()
	full := int(done * barWidth)
	what := map[reconcile.Phase]string{reconcile.Withdrawals: "persons with a No", reconcile.Shares: "all others"}[p.Phase]
	return fmt.Sprintf("%-17s [%s] %3.0f %%  %d persons, %d calls, %d differences", what,
		strings.Repeat("#", full)+strings.Repeat(".", barWidth-full), done*100, p.Persons, p.Calls, p.Found)
}

// end leaves the last line of a terminal as it is.
func (b *progressBar) end() {
	if b.terminal && b.phase != "" {
		fmt.Fprintln(b.out)
	}
}
