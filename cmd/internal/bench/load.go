package bench

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/stream"
	"contactsync/contracts/personv4"
)

const (
	channelsEach = len(contact.Channels)
	// valuesEach is how often one person may decide on one channel. 070-174 06 05 to 06 99 are numbers that nobody has.
	valuesEach  = 95
	firstMobile = 701740605
	eService    = "urn:hsaid:SE2321000016-ES01"
	// floodService is another one, which sends more than all others.
	floodService = "urn:hsaid:SE2321000016-ES02"
)

// load is the decisions of one measurement, all of them shares. Everything about a decision follows from its number, so that
// a million of them take no memory. They go round the persons, so that those of one person lie far apart.
type load struct {
	persons   []digits
	channels  int // each person decides on: 1 (every other person on the other one), or 2
	decisions int
	flood     int // from this number on they are by floodService; 0: none is
	began     time.Time
}

// keys is the number of pairs of person and channel.
func (l load) keys() int { return len(l.persons) * l.channels }

// digits are a generated person's personal identity number. The collector does not look into a million of them, which it does into a
// million contact.PersonID: that would be measured too.
type digits [12]byte

func digitsOf(extension string) (d digits) {
	copy(d[:], extension)
	return d
}

// Format prints the redacted form whatever the verb.
func (digits) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[person]") }

// asked is how the register is asked for the person.
func (d digits) asked() personv4.ID {
	return personv4.ID{Root: personv4.RootPersonnummer, Extension: string(d[:])}
}

func (d digits) id() contact.PersonID {
	return contact.KnownPersonID(contact.RootPersonnummer, string(d[:]))
}

// key is the pair that decision i is about; step counts the decisions on the same pair.
func (l load) key(i int) (key, step int) { return i % l.keys(), i / l.keys() }

func (l load) number(key, step int) int { return step*l.keys() + key }

// lastStep is the step of the newest decision on a pair: the one that the register must show in the end.
func (l load) lastStep(key int) int { return (l.decisions - 1 - key) / l.keys() }

func (l load) place(key int) (person int, channel contact.Channel) {
	person = key % len(l.persons)
	return person, contact.Channels[(person+key/len(l.persons))%channelsEach]
}

// keysOf are the pairs of a person.
func (l load) keysOf(person int) []int {
	keys := []int{person, person + len(l.persons)}
	return keys[:l.channels]
}

// value is what is shared, another one in each step.
func value(channel contact.Channel, step int) string {
	if channel == contact.Mobile {
		return "+46" + strconv.Itoa(firstMobile+step)
	}
	return "resident" + strconv.Itoa(step) + "@example.se"
}

// stepOf is the reverse of value; false for a value that nobody has decided.
func stepOf(channel contact.Channel, text string) (step int, ok bool) {
	if channel == contact.Mobile {
		text = strings.TrimPrefix(text, "+46")
		number, err := strconv.Atoi(text)
		return number - firstMobile, err == nil && number >= firstMobile && number < firstMobile+valuesEach
	}
	text = strings.TrimSuffix(strings.TrimPrefix(text, "resident"), "@example.se")
	step, err := strconv.Atoi(text)
	return step, err == nil && step >= 0 && step < valuesEach
}

// revision grows with the number, and lies in the past: a share ahead of the clock would be refused.
func (l load) revision(i int) int64 { return l.began.UnixMicro() - int64(l.decisions-i) }

func (l load) decision(i int) event.Decision {
	key, step := l.key(i)
	person, channel := l.place(key)
	source := eService
	if l.flood > 0 && i >= l.flood {
		source = floodService
	}
	return event.Decision{
		EventID: eventID(i), Source: source, Time: l.began,
		Person: l.persons[person].id(), Channel: channel,
		Share: true, Value: contact.KnownValue(value(channel, step)),
		Revision: l.revision(i), DecidedAt: l.began,
		Actor: event.Actor{Role: event.RoleResident},
	}
}

func (l load) message(i int) stream.Message {
	d := l.decision(i)
	headers, body := d.Binary()
	return stream.Message{Topic: event.TopicDecisions, Key: []byte(event.Key([]byte(event.DevelopmentPepper), d.Person)), Headers: headers, Value: body}
}

const idForm = "5eed0000-0000-4000-8000-%012x"

func eventID(i int) string { return fmt.Sprintf(idForm, i) }

// numberOf is the reverse of eventID.
func numberOf(id string) (int, bool) {
	text, ok := strings.CutPrefix(id, idForm[:24])
	i, err := strconv.ParseInt(text, 16, 32)
	return int(i), ok && err == nil
}
