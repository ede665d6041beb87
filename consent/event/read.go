package event

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"contactsync/consent/contact"
	"contactsync/consent/reason"
)

// Received is what reading one record gave: a decision in order, a refused one, or nothing that anybody can be told about.
type Received struct {
	// Decision is whole if Refusals is empty. Else it holds what could be read, the event id always.
	Decision Decision
	// RawPerson is the identity as sent, for the outcome. Empty only if unreadable.
	RawPerson RawPerson
	// Refusals says all that is wrong; the first is the reason of the outcome. Fields are paths in the event's JSON form.
	Refusals []*reason.Refusal
	// Unreadable is FormJSON, FormID or FormPerson: without a JSON object, an event id and a person there is nobody to
	// send an outcome to. Then nothing else is set.
	Unreadable reason.Code
}

// Read judges the form of one record, in binary or structured CloudEvents mode, and normalises what it holds. Today, for
// dates of birth, is taken from now.
//
// Of a withdrawal only event id, person, channel and revision count, and an event type it was not written for: whatever
// else is missing or wrong is dropped. Names are exact and unknown ones ignored. A JSON name or header that stands there
// twice (JSON: with different values) refuses a share; a withdrawal goes by the first, unless it is the person, channel or
// revision that is in doubt. It is a withdrawal if any of two decisions in one object says so.
func Read(headers []Header, value []byte, now time.Time) Received {
	var e envelope
	if !e.open(headers, value) {
		return Received{Unreadable: reason.FormJSON}
	}
	return e.judge(now)
}

func (e *envelope) judge(now time.Time) Received {
	if !e.isObject {
		return Received{Unreadable: reason.FormJSON}
	}
	if !usableID(e.told("id")) {
		return Received{Unreadable: reason.FormID}
	}
	person, _ := e.body.object("person")
	root, rootOK := person.text("root")
	extension, extensionOK := person.text("extension")
	if !rootOK || !extensionOK {
		return Received{Unreadable: reason.FormPerson}
	}
	r := reader{data: e.body, now: now, withdrawal: e.body.says("decision", "withdraw")}
	r.envelope(e)
	r.person(&person, root, extension)
	r.what()
	r.circumstances()
	return Received{Decision: r.decision, RawPerson: r.sent, Refusals: r.refusals}
}

// reader reads one event, field by field in the order in which its faults shall be told.
type reader struct {
	data       object
	now        time.Time
	withdrawal bool
	decision   Decision
	sent       RawPerson
	refusals   []*reason.Refusal
}

// refuse says no whatever was decided: what is wrong is needed for a withdrawal too.
func (r *reader) refuse(field string, code reason.Code) {
	r.refusals = append(r.refusals, &reason.Refusal{Field: field, Code: code})
}

// refuseShare says no to a share. A withdrawal goes on without the field.
func (r *reader) refuseShare(field string, code reason.Code) {
	if !r.withdrawal {
		r.refuse(field, code)
	}
}

// envelope judges the attributes. A type that was told, and is not ours, stops even a withdrawal: nobody knows what the
// rest means.
func (r *reader) envelope(e *envelope) {
	if kind := e.told("type"); kind != TypeDecision && (kind != "" || !r.withdrawal) {
		r.refuse("type", reason.FormType)
	}
	switch {
	case e.uncertain:
		r.refuse("data", reason.FormJSON)
	case e.repeated != "":
		r.refuseShare("", e.repeated)
	}
	if e.told("specversion") != "1.0" {
		r.refuseShare("specversion", reason.FormSpecVersion)
	}
	r.decision.EventID = e.told("id")
	if !isUUID(r.decision.EventID) {
		r.refuseShare("id", reason.FormID)
	}
	r.origin(e)
}

func (r *reader) origin(e *envelope) {
	source, ok := sourceOf(e.told("source"))
	if !ok {
		r.refuseShare("source", reason.FormSource)
	}
	r.decision.Source = source
	if told := e.attributes.find("time"); told != nil {
		if r.decision.Time, ok = parseTime(*told); !ok {
			r.refuseShare("time", reason.FormTime)
		}
	}
	if e.wrongType {
		r.refuseShare("datacontenttype", reason.FormContentType)
	}
}

func (r *reader) person(person *object, root, extension string) {
	switch {
	case r.data.ambiguous("person", "channel", "revision"), person.ambiguous("root", "extension"):
		r.refuse("data", reason.FormJSON)
	case r.data.doubtful, person.doubtful:
		r.refuseShare("data", reason.FormJSON)
	}
	id, err := contact.ParsePersonID(root, extension, r.now)
	r.sent = RawPerson{id} // as it would be of the texts: looking them up once more would cost as much as the judgement
	if err != nil {
		r.sent = AsSent(root, extension)
		field := "data.person.extension"
		if code := reason.Of(err); code == reason.FormIdentityRoot || code == reason.FormIdentityReserveNumber {
			field = "data.person.root"
		}
		r.refuse(field, reason.Of(err))
	}
	r.decision.Person = id
}

// what reads what was decided: channel, Yes or No, and how new it is.
func (r *reader) what() {
	if channel, ok := r.data.text("channel"); ok && knownChannel(channel) {
		r.decision.Channel = contact.Channel(channel)
	} else {
		r.refuse("data.channel", reason.FormChannel)
	}
	r.decision.Share = !r.withdrawal && r.data.says("decision", "share")
	if !r.decision.Share {
		r.refuseShare("data.decision", reason.FormDecision)
	}
	var ok bool
	if r.decision.Revision, ok = parseRevision(r.data.raw("revision")); !ok {
		r.refuse("data.revision", reason.FormRevision)
	}
	if r.decision.Share {
		r.value()
	}
}

func (r *reader) value() {
	raw, isText := r.data.text("value")
	if code := judgeText(raw, isText, r.data.absent("value")); code != "" {
		r.refuse("data.value", code)
		return
	}
	if r.decision.Channel == "" {
		return // refused already, and no telling how to judge the value
	}
	value, err := r.decision.Channel.Parse(raw)
	if err != nil {
		r.refuse("data.value", reason.Of(err))
	}
	r.decision.Value = value
}

// maxValue is longer than any value of any channel, and short enough to be judged at once.
const maxValue = 1 << 10

// judgeText judges what has nothing to do with the channel; blank and control characters are judged with it.
func judgeText(raw string, isText, absent bool) reason.Code {
	switch {
	case absent:
		return reason.ValueEmpty
	case !isText:
		return reason.ValueNotText
	case len(raw) > maxValue:
		return reason.ValueTooLong
	}
	return ""
}

// circumstances reads when, by whom and on which notice it was decided. None of it stops a withdrawal.
func (r *reader) circumstances() {
	if r.decision.Share {
		r.decision.Notify = r.notify()
	}
	told, _ := r.data.text("decidedAt")
	var ok bool
	if r.decision.DecidedAt, ok = parseTime(told); !ok {
		r.refuseShare("data.decidedAt", reason.FormDecidedAt)
	}
	r.decision.Actor = r.actor()
	r.decision.Notice = r.notice()
	if because := r.because(); !r.decision.Share {
		r.decision.Reason = because
	}
}

func (r *reader) notify() *bool {
	switch r.data.raw("notify") {
	case "true":
		return new(true)
	case "false":
		return new(false)
	}
	if !r.data.absent("notify") {
		r.refuseShare("data.notify", reason.FormNotify)
	}
	return nil
}

func (r *reader) actor() Actor {
	if r.data.absent("actor") {
		return Actor{Role: RoleResident}
	}
	raw, ok := r.data.object("actor")
	if !ok {
		r.refuseShare("data.actor", reason.FormActor)
		return Actor{}
	}
	actor, refusal := readActor(&raw, r.decision.Person, r.now)
	if refusal != nil {
		r.refuseShare(refusal.Field, refusal.Code)
		return Actor{}
	}
	return actor
}

func (r *reader) notice() Notice {
	if r.data.absent("notice") {
		return Notice{}
	}
	raw, _ := r.data.object("notice")
	version, ok := raw.text("version")
	language, languageOK := raw.text("language")
	if !ok || !isLabel(version) || raw.doubtful || (!raw.absent("language") && (!languageOK || !isLabel(language))) {
		r.refuseShare("data.notice", reason.FormNotice)
		return Notice{}
	}
	return Notice{Version: version, Language: language}
}

// because reads the reason of a withdrawal. In doubt it is the resident's whole No: if it is missing, unknown or told
// twice, or scoped to an e-service that cannot be told.
func (r *reader) because() WithdrawReason {
	if r.data.absent("reason") {
		return ReasonResident
	}
	told, _ := r.data.text("reason")
	because := WithdrawReason(told)
	if !because.known() {
		r.refuseShare("data.reason", reason.FormReason)
		return ReasonResident
	}
	if r.data.ambiguous("reason") || (because.Scoped() && r.decision.Source == "") {
		return ReasonResident
	}
	return because
}

// usableID tells whether an outcome can name the event: text of 1 to 255 bytes that every store and log can hold.
func usableID(id string) bool {
	return id != "" && len(id) <= 255 && !strings.ContainsFunc(id, unprintable)
}

// isLabel judges a short word such as a version.
func isLabel(s string) bool { return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, unprintable) }

func unprintable(r rune) bool { return r == utf8.RuneError || unicode.IsControl(r) }

// parseRevision reads a whole number from 1 to 2⁶³-1 in plain digits: 1.0 and 1e3 are whole numbers to some readers and
// not to others.
func parseRevision(raw string) (int64, bool) {
	if len(raw) > 19 || strings.Trim(raw, digits) != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(raw, 10, 64)
	if err != nil {
		return 0, false // ParseInt gives the nearest number that fits, which nobody sent
	}
	return n, n > 0
}

// parseTime reads an RFC 3339 time of the years 1900 to 9999, which every store and writer can hold. Go's own parser also
// takes a comma, an hour of one digit and an offset of a day.
func parseTime(s string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || s[13] != ':' || strings.Contains(s, ",") || (!strings.HasSuffix(s, "Z") && s[len(s)-5:] >= "24") {
		return time.Time{}, false
	}
	t = t.UTC()
	if t.Year() < 1900 || t.Year() > 9999 {
		return time.Time{}, false
	}
	return t, true
}

func knownChannel(name string) bool {
	for _, c := range contact.Channels {
		if string(c) == name {
			return true
		}
	}
	return false
}
