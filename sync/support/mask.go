package support

import (
	"strings"

	"contactsync/consent/contact"
	"contactsync/sync/plan"
	"contactsync/sync/register"
)

// mask leaves of a value what somebody who has it before them recognises: the last two digits of a number, first letter and
// domain of an address; of one so short that this would be all of it, nothing. It tells nothing of the length.
func mask(v contact.Value) contact.Value {
	text := v.Reveal()
	local, domain, address := strings.Cut(text, "@")
	start, all := []rune(local), []rune(text)
	switch {
	case text == "":
		return v
	case address && len(start) > 1:
		return contact.KnownValue(string(start[0]) + "***@" + domain)
	case !address && len(all) > 4:
		return contact.KnownValue("***" + string(all[len(all)-2:]))
	default:
		return contact.KnownValue("***")
	}
}

// forEyes masks every value of a report, unless they may be shown.
func (r Report) forEyes() Report {
	if r.Register.Whole() {
		return r
	}
	r.Others = maskOthers(r.Others)
	channels := make([]Channel, len(r.Channels))
	for i, c := range r.Channels {
		channels[i] = c.masked()
	}
	r.Channels = channels
	return r
}

func (c Channel) masked() Channel {
	if c.Here != nil {
		here := *c.Here
		here.Value = mask(here.Value)
		c.Here = &here
	}
	c.Wanted, c.Share, c.Withdrawal = c.Wanted.masked(), c.Share.masked(), c.Withdrawal.masked()
	waiting := make([]Decision, len(c.Waiting))
	for i, w := range c.Waiting {
		waiting[i] = *w.masked()
	}
	own := make([]plan.Entry, len(c.Own))
	for i, e := range c.Own {
		own[i] = plan.Entry{Value: mask(e.Value), Notify: e.Notify}
	}
	c.Waiting, c.Own, c.Others = waiting, own, maskOthers(c.Others)
	return c
}

func (d *Decision) masked() *Decision {
	if d == nil {
		return nil
	}
	out := *d
	out.Value = mask(d.Value)
	return &out
}

func maskOthers(others []register.Other) []register.Other {
	out := make([]register.Other, len(others))
	for i, o := range others {
		o.Value = mask(o.Value)
		out[i] = o
	}
	return out
}

func maskAll(values []contact.Value) []contact.Value {
	out := make([]contact.Value, len(values))
	for i, v := range values {
		out[i] = mask(v)
	}
	return out
}
