// Package personv3 is the national service's contract for contact details in the major before personv4: the same four operations
// on the same records, for care systems that were built before there was digital notification.
//
// It cannot express whether a person may be notified at an entry (digitalNotification), wants no letters on paper
// (optoutPaperNotification), or has protected population registration apart from secrecy (protectedPopulationRecord). Nothing
// of that is lost by it: a register puts an update over the record that it replaces, see Update.Over.
//
// The newest major is canonical: messages are read and written here, records are personv4's. Identities, periods, addresses and
// organisations have the same shape in both majors and are personv4's too, in this major's namespace. Start with types.go and
// Service; over.go is what an update keeps.
package personv3
