package mockregister

import (
	"contactsync/contracts/contactsv1"
	"contactsync/contracts/personv4"
)

// own is what a record holds as the resident's own: of each channel the first entry that has a value.
type own struct {
	mobile, email             *string
	mobileNotify, emailNotify bool
}

// ownOf reads the resident's own details out of the entries.
func ownOf(entries []personv4.Entry) own {
	var o own
	for _, e := range entries {
		if e.Value == nil || *e.Value == "" {
			continue
		}
		switch channel, _ := channelOf(e); {
		case channel == contactsv1.Mobile && o.mobile == nil:
			o.mobile, o.mobileNotify = e.Value, isTrue(e.DigitalNotification)
		case channel == contactsv1.Email && o.email == nil:
			o.email, o.emailNotify = e.Value, isTrue(e.DigitalNotification)
		}
	}
	return o
}

// pair gives the codes of a channel's own entries.
func pair(channel contactsv1.Channel) (kind, use string) {
	if channel == contactsv1.Mobile {
		return typePhone, useMobile
	}
	return typeMail, usePersonal
}

// channelOf tells whose channel's own entry this is; false for an entry of somebody else.
func channelOf(e personv4.Entry) (contactsv1.Channel, bool) {
	for _, channel := range []contactsv1.Channel{contactsv1.Mobile, contactsv1.Email} {
		if kind, use := pair(channel); e.Type == kind && e.Use != nil && *e.Use == use {
			return channel, true
		}
	}
	return "", false
}

// setOwn makes a detail the only own entry of its channel, at the place where the first of the old ones stood, else at the
// end. Without a detail they all go. Every other entry stays as it is.
func setOwn(entries []personv4.Entry, channel contactsv1.Channel, detail *contactsv1.NewDetail) []personv4.Entry {
	out := make([]personv4.Entry, 0, len(entries)+1)
	placed := detail == nil
	for _, e := range entries {
		if of, isOwn := channelOf(e); !isOwn || of != channel {
			out = append(out, e)
		} else if !placed {
			out, placed = append(out, renewed(e, *detail)), true
		}
	}
	if !placed {
		kind, use := pair(channel)
		out = append(out, renewed(personv4.Entry{Type: kind, Use: &use}, *detail))
	}
	return out
}

// renewed keeps rank and unknown elements of an entry; comment and period were said of the old value, and stay only with it.
func renewed(e personv4.Entry, detail contactsv1.NewDetail) personv4.Entry {
	if e.Value == nil || *e.Value != detail.Value {
		e.Comment, e.Period = nil, nil
	}
	notify := isTrue(e.DigitalNotification)
	if detail.Notify != nil {
		notify = *detail.Notify
	}
	e.Value, e.DigitalNotification = &detail.Value, &notify
	return e
}

// endPaperOptOut takes the choice against letters on paper back if nothing may replace them any more (TKB 5.1 §7.10.3, rule 3).
func endPaperOptOut(record *personv4.Record) (ended bool) {
	if !isTrue(record.OptoutPaper) || mayNotify(record.Entries) {
		return false
	}
	record.OptoutPaper = new(false)
	return true
}

func isTrue(b *bool) bool { return b != nil && *b }
