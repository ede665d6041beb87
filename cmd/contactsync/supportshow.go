package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"contactsync/sync/support"
)

func showJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetIndent("", " ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// printed replaces what a terminal would obey: details come from many hands.
func printed(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// sheet is a text of labels and what there is to say beside them.
type sheet struct{ *tabwriter.Writer }

func newSheet(out io.Writer) sheet { return sheet{tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)} }

func (s sheet) heading(text string) { fmt.Fprintf(s, "\n%s\n", text) }

func (s sheet) line(label string, parts ...string) {
	fmt.Fprintf(s, "%s\t%s\n", label, printed(strings.Join(parts, ", ")))
}

// row is a line of a table.
func (s sheet) row(cells ...string) {
	for i, cell := range cells {
		cells[i] = printed(cell)
	}
	fmt.Fprintln(s, strings.Join(cells, "\t"))
}

func showReport(out io.Writer, r support.Report, lang string, asJSON bool) error {
	v := viewReport(r, lang)
	if asJSON {
		return showJSON(out, v)
	}
	s := newSheet(out)
	s.line("person", v.Person.Extension)
	s.line("register", v.Register.words())
	for _, c := range v.Channels {
		s.channel(c)
	}
	if len(v.Others) > 0 {
		s.heading("other entries, none of the resident's own")
		s.others(v.Others, nil)
	}
	s.heading("last outcomes")
	for _, o := range v.Outcomes {
		s.line("  "+when(o.At), o.words()...)
	}
	if len(v.Outcomes) == 0 {
		s.line("  none")
	}
	return s.Flush()
}

func (a answerJSON) words() string {
	switch {
	case !a.Answered:
		return "cannot be asked just now; values are masked"
	case !a.Known:
		return "does not know the person; values are masked"
	case a.Protected:
		return "record " + *a.Version + " of a protected person; values are masked"
	case a.Masked:
		return "record " + *a.Version + ", and it does not tell of another number of the person; values are masked"
	default:
		return "record " + *a.Version + ", not protected"
	}
}

func (s sheet) channel(c channelJSON) {
	s.heading(c.Channel)
	s.line("  state", c.Text)
	if h := c.DecidedHere; h != nil {
		s.line("  decided here", h.words()...)
	}
	for label, d := range c.decisions() {
		words := d.words()
		if c.Wanted != nil && c.Wanted.EventID == d.EventID {
			words = append(words, "counts")
		}
		s.line("  "+label, words...)
	}
	if c.Due != nil {
		s.line("  due", "since "+when(c.Due.Since), fmt.Sprintf("%d attempts", c.Due.Attempts), "next "+when(c.Due.NextAt))
	}
	for _, e := range c.Own {
		notify := "no notifications there"
		if e.Notify {
			notify = "may be notified there"
		}
		s.line("  in the register", e.Value, "the resident's own", notify)
	}
	if len(c.Own) == 0 {
		s.line("  in the register", "nothing of the resident's own is seen")
	}
	s.others(c.Others, c.OthersText)
}

// decisions gives what the worker keeps, with a label each.
func (c channelJSON) decisions() func(yield func(string, decisionJSON) bool) {
	return func(yield func(string, decisionJSON) bool) {
		if c.Share != nil && !yield("newest share", *c.Share) {
			return
		}
		if c.Withdrawal != nil && !yield("newest withdrawal", *c.Withdrawal) {
			return
		}
		for _, d := range c.AccountsClosed {
			if !yield("account closed", d) {
				return
			}
		}
		for _, d := range c.WaitingShares {
			if !yield("guardian's share", d) {
				return
			}
		}
	}
}

func (s sheet) others(others []otherJSON, text *string) {
	for _, o := range others {
		s.line("  entered by others", o.Value, strings.TrimSpace(o.Type+" "+orDash(o.Use)))
	}
	if text != nil {
		s.line("", *text)
	}
}

func (c choiceJSON) words() []string {
	words := present(new(c.Decision), c.Value, new("by "+c.Actor), new(when(c.DecidedAt)))
	if c.Correction != nil {
		return append(words, *c.Correction)
	}
	return words
}

func (d decisionJSON) words() []string {
	return present(d.Value, new(when(d.DecidedAt)), new("through "+d.Source), new(fmt.Sprintf("revision %d", d.Revision)))
}

func (o outcomeToldJSON) words() []string {
	words := present(new(o.Channel), new(o.Outcome), o.Reason, new(fmt.Sprintf("revision %d", o.Revision)))
	if o.Text != nil {
		words[len(words)-1] += ": " + *o.Text
	}
	return words
}

func present(texts ...*string) (out []string) {
	for _, t := range texts {
		if t != nil {
			out = append(out, *t)
		}
	}
	return out
}

func when(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func showRemoval(out io.Writer, v removalJSON, asJSON bool) error {
	if asJSON {
		return showJSON(out, v)
	}
	s := newSheet(out)
	fmt.Fprintln(s, v.Text)
	for _, value := range v.Values {
		s.line("  "+v.Channel, value)
	}
	if v.OthersText != nil {
		fmt.Fprintln(s, *v.OthersText)
		s.others(v.Others, nil)
	}
	if v.Confirm != nil {
		fmt.Fprintf(s, "\nTo confirm, until %s:\n  %s\n", when(v.Confirm.ExpiresAt), v.Confirm.Command)
	}
	return s.Flush()
}
