package audit

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// StoreLog, version 2.0 of informationsecurity:auditing:log, takes records of who did what with a patient's data.
const (
	StoreLogNamespace = "urn:riv:informationsecurity:auditing:log:StoreLogResponder:2"
	LogNamespace      = "urn:riv:informationsecurity:auditing:log:2"
	// MaxStoreLog is how many records one call may have (TKB-log 2.0.8, rule 2).
	MaxStoreLog = 500
)

// ActivityType is what was done.
type ActivityType string

// The activity types that our logs know.
const (
	ActivityRead   ActivityType = "Läsa"
	ActivityWrite  ActivityType = "Skriva"
	ActivityDelete ActivityType = "Radera"
)

// Purposes are the ones that there are.
func Purposes() []string {
	return []string{"Vård och behandling", "Kvalitetssäkring", "Annan dokumentation enligt lag", "Statistik", "Administration", "Kvalitetsregister"}
}

// Organisation is a care provider or a care unit.
type Organisation struct {
	ID   string // HSA-id
	Name string // may be empty
}

// Identity is a person's (IIType).
type Identity struct{ Root, Extension string }

// Record is one record of StoreLog (LogType). It prints as "[log record]".
type Record struct {
	ID           uuid.UUID // unique: one that was stored before is refused
	SystemID     string    // HSA-id of the system that made the record
	SystemName   string    // may be empty
	Activity     ActivityType
	Level, Args  string // may be empty
	Start        time.Time
	Purpose      string
	UserID       string    // HSA-id of who did it
	UserPerson   *Identity // of who did it; nil: not told
	CareProvider Organisation
	CareUnit     Organisation
	ResourceType string
	Patient      *Identity // nil: nobody in particular
}

// Format prints nothing of the person, whatever the verb.
func (Record) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[log record]") }

// hsaID is the type HsaId; test systems have other letters than SE before the digits.
var hsaID = regexp.MustCompile(`^[A-Z]{2,8}[0-9]{10,12}-[A-Za-z0-9]{1,20}$`)

const maxHSAID, maxArgs, maxWord = 32, 8192, 256

// IsHSAID tells whether a text is one.
func IsHSAID(text string) bool { return len(text) <= maxHSAID && hsaID.MatchString(text) }

// judge tells what the contract would refuse, without saying anything of the person.
func (r Record) judge() error {
	var faults []error
	demand := func(holds bool, what string) {
		if !holds {
			faults = append(faults, errors.New(what))
		}
	}
	demand(r.ID != uuid.Nil, "logId is missing")
	for name, id := range map[string]string{"systemId": r.SystemID, "userId": r.UserID, "careProviderId": r.CareProvider.ID, "careUnitId": r.CareUnit.ID} {
		demand(IsHSAID(id), name+" is no HSA-id")
	}
	for name, word := range map[string]string{"activityType": string(r.Activity), "purpose": r.Purpose, "resourceType": r.ResourceType} {
		demand(word != "", name+" is missing")
	}
	for name, word := range map[string]string{"systemName": r.SystemName, "activityType": string(r.Activity), "activityLevel": r.Level, "purpose": r.Purpose,
		"careProviderName": r.CareProvider.Name, "careUnitName": r.CareUnit.Name, "resourceType": r.ResourceType} {
		demand(utf8.RuneCountInString(word) <= maxWord, name+" is longer than 256 characters")
	}
	demand(utf8.RuneCountInString(r.Args) <= maxArgs, "activityArgs is longer than 8192 characters")
	demand(!r.Start.IsZero(), "startDate is missing")
	return errors.Join(faults...)
}

// ErrTooManyRecords says that one message was to hold more records than the contract takes, or none.
var ErrTooManyRecords = errors.New("a StoreLog message has 1 to 500 records")

// WriteStoreLog writes the body of one StoreLog message. Nothing is written if one of the records would be refused.
func WriteStoreLog(to io.Writer, records []Record) error {
	if len(records) == 0 || len(records) > MaxStoreLog {
		return ErrTooManyRecords
	}
	for _, r := range records {
		if err := r.judge(); err != nil {
			return fmt.Errorf("log record %s: %w", r.ID, err)
		}
	}
	w := &xmlWriter{to: to}
	w.text(xml.Header + `<StoreLog xmlns="` + StoreLogNamespace + `" xmlns:l="` + LogNamespace + `">` + "\n")
	for _, r := range records {
		w.record(r)
	}
	w.text("</StoreLog>\n")
	return w.err
}

// xmlWriter keeps the first error.
type xmlWriter struct {
	to  io.Writer
	err error
}

func (w *xmlWriter) record(r Record) {
	w.text("<log>")
	w.leaf("logId", r.ID.String())
	w.in("system", func() {
		w.leaf("systemId", r.SystemID)
		w.optional("systemName", r.SystemName)
	})
	w.in("activity", func() {
		w.leaf("activityType", string(r.Activity))
		w.optional("activityLevel", r.Level)
		w.optional("activityArgs", r.Args)
		w.leaf("startDate", r.Start.UTC().Format("2006-01-02T15:04:05.999999Z07:00"))
		w.leaf("purpose", r.Purpose)
	})
	w.in("user", func() {
		w.leaf("userId", r.UserID)
		w.identity("personId", r.UserPerson)
		w.care(r)
	})
	w.in("resources", func() {
		w.in("resource", func() {
			w.leaf("resourceType", r.ResourceType)
			if r.Patient != nil {
				w.in("patient", func() { w.identity("patientId", r.Patient) })
			}
			w.care(r)
		})
	})
	w.text("</log>\n")
}

func (w *xmlWriter) care(r Record) {
	w.in("careProvider", func() {
		w.leaf("careProviderId", r.CareProvider.ID)
		w.optional("careProviderName", r.CareProvider.Name)
	})
	w.in("careUnit", func() {
		w.leaf("careUnitId", r.CareUnit.ID)
		w.optional("careUnitName", r.CareUnit.Name)
	})
}

func (w *xmlWriter) identity(name string, id *Identity) {
	if id != nil {
		w.in(name, func() {
			w.leaf("root", id.Root)
			w.leaf("extension", id.Extension)
		})
	}
}

func (w *xmlWriter) in(name string, children func()) {
	w.text("<l:" + name + ">")
	children()
	w.text("</l:" + name + ">")
}

func (w *xmlWriter) optional(name, value string) {
	if value != "" {
		w.leaf(name, value)
	}
}

func (w *xmlWriter) leaf(name, value string) {
	w.in(name, func() {
		if w.err == nil {
			w.err = xml.EscapeText(w.to, []byte(value))
		}
	})
}

func (w *xmlWriter) text(s string) {
	if w.err == nil {
		_, w.err = io.WriteString(w.to, s)
	}
}
