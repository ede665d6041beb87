package mockregister

import "contactsync/contracts/contactsv1"

// fence is the highest decision that was applied for a person and channel. The zero fence is below every decision.
type fence struct {
	revision  int64
	withdrawn bool
	eventID   string // of a share
}

// fenceOf is the fence that a change leaves when it is applied.
func fenceOf(c contactsv1.Change) fence {
	f := fence{revision: c.Revision, withdrawn: c.Decision == contactsv1.Withdraw}
	if !f.withdrawn {
		f.eventID = c.EventID
	}
	return f
}

// judge tells what becomes of a decision that meets the fence f: applied if it goes before it, duplicate if it is the same,
// superseded if the fence goes before it. The higher revision goes before the lower; at the same one a withdrawal goes before
// a share, and of two shares that with the greater event id.
func (f fence) judge(next fence) contactsv1.OutcomeKind {
	switch {
	case next == f:
		return contactsv1.Duplicate
	case next.revision != f.revision:
		return appliedIf(next.revision > f.revision)
	case next.withdrawn != f.withdrawn:
		return appliedIf(next.withdrawn)
	}
	return appliedIf(next.eventID > f.eventID)
}

func appliedIf(applied bool) contactsv1.OutcomeKind {
	if applied {
		return contactsv1.Applied
	}
	return contactsv1.Superseded
}
