package portal

import (
	"cmp"
	"time"

	"github.com/nyaruka/phonenumbers"

	"contactsync/consent/consentpg"
	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/reason"
	"contactsync/consent/web"
)

// section is what the page shows of one channel.
type section struct {
	*web.Page
	Channel contact.Channel
	Changed bool     // since the window showed it last
	News    []string // what became of the choice, a sentence or more each
	Facts   []fact
	Entered entered // what the form shows
	Kept    bool    // because it was typed, and not saved
	Token   string
	Seen    string

	state              state
	choice             consentpg.Choice
	place              *time.Location
	problem, problemAt string
}

// fact is a name with what is so; there may be several.
type fact struct {
	Name   string
	Values []string
}

// C is a text about this channel.
func (s section) C(key string) string { return s.T(string(s.Channel) + "." + key) }

// Label names the state.
func (s section) Label() string { return s.T("state." + string(s.state) + ".label") }

// Tone is the state's class in the stylesheet.
func (s section) Tone() string { return s.state.tone() }

// ProblemAt is the problem that belongs to a field, or empty.
func (s section) ProblemAt(field string) string {
	if s.problemAt == field {
		return s.problem
	}
	return ""
}

// bySupport tells whether support removed the detail, and nobody has chosen since.
func (s section) bySupport() bool {
	return s.choice.Actor == event.RoleSupport && !s.choice.Share && s.state != elsewhere
}

func (s *section) fill(f found) {
	s.News, s.Facts = s.news(), s.facts(f)
	// What is filled in is only what the resident chose: nothing where it was never asked, or where somebody else acted.
	if s.state == never || s.state == elsewhere || s.bySupport() {
		return
	}
	s.Entered = entered{Choice: withdraw}
	if s.choice.Share {
		s.Entered = entered{share, s.choice.Value.Reveal(), s.choice.Notify != nil && *s.choice.Notify}
	}
}

func (s section) news() []string {
	var news []string
	gone := s.state != saved && s.state != waiting
	if s.bySupport() {
		did := "support.asked"
		if gone {
			did = "support"
		}
		news = append(news, s.T(did, "time", s.Time(s.choice.DecidedAt, s.place)), s.T("correction."+correction(s.choice.Correction)))
	}
	news = append(news, s.stateText()...)
	if s.bySupport() && gone {
		news = append(news, s.T("support.again"))
	}
	return news
}

// correction of a kind that is unknown to this version has no text of its own.
func correction(code string) string {
	switch code {
	case "wrong_number", "not_theirs", "typo", "deceased":
		return code
	}
	return "other"
}

// stateText says the state, its reason, and what else changed.
func (s section) stateText() []string {
	told := s.choice.Outcome
	var text []string
	switch s.state {
	case saved:
		switch {
		case s.choice.Share:
			return []string{s.T("state.saved.share")}
		case s.bySupport():
			return []string{s.T("support.saved")}
		}
		return []string{s.T("state.saved.withdraw")}
	case waiting:
		text = []string{s.T("state.waiting.text")}
		if !s.choice.Share {
			text = []string{s.T("state.waiting.withdraw")}
		}
	case superseded: // its reason says it all
	default:
		text = []string{s.T("state." + string(s.state) + ".text")}
	}
	if s.state == elsewhere {
		told = s.choice.Elsewhere
	}
	if told == nil {
		return text
	}
	if told.Reason != "" || s.state == waiting || s.state == refused || s.state == superseded {
		text = append(text, reasonText(s.Texts, told.Reason))
	}
	for _, effect := range told.Effects {
		text = append(text, reasonText(s.Texts, effect))
	}
	return text
}

func reasonText(texts web.Texts, code reason.Code) string {
	text, known := code.Text()
	switch {
	case !known:
		return texts.T("reason.other")
	case texts.Lang == web.English:
		return text.EN
	}
	return text.SV
}

func (s section) facts(f found) []fact {
	facts := []fact{{s.T("fact.choice"), []string{s.chosen()}}}
	if s.choice.Share && s.choice.Notify != nil && s.state != elsewhere {
		answer := s.T("fact.no")
		if *s.choice.Notify {
			answer = s.T("fact.yes")
		}
		facts = append(facts, fact{s.T("fact.notify"), []string{answer}})
	}
	return append(append(facts, s.times()...), fact{s.T("fact.register"), s.held(f)})
}

func (s section) chosen() string {
	switch {
	case s.state == never:
		return s.T("fact.choice.never")
	case s.state == elsewhere:
		return s.T("fact.choice.elsewhere")
	case s.bySupport():
		return s.T("fact.choice.support")
	case s.choice.Share:
		return s.T("fact.choice.share", "value", readable(s.choice.Value))
	}
	return s.T("fact.choice.withdraw")
}

// times tells when a choice was saved, until it is in force; then since when it is.
func (s section) times() []fact {
	switch s.state {
	case never:
		return nil
	case passedOn, removed:
		return []fact{{s.T("fact.since"), []string{s.Time(s.choice.Outcome.At, s.place)}}}
	case elsewhere:
		if s.choice.Elsewhere.Kind == event.Parked {
			return nil
		}
		return []fact{{s.T("fact.since"), []string{s.Time(s.choice.Elsewhere.At, s.place)}}}
	}
	return []fact{{s.T("fact.decided"), []string{s.Time(s.choice.DecidedAt, s.place)}}}
}

// held are the register's own words.
func (s section) held(f found) []string {
	if f.unreachable {
		return []string{s.T("fact.register.down")}
	}
	var values []string
	for _, e := range f.held[s.Channel] {
		value := readable(e.Value)
		if e.Notify {
			value = s.T("fact.register.notify", "value", value)
		}
		values = append(values, value)
	}
	if len(values) == 0 {
		return []string{s.T("fact.register.nothing")}
	}
	return values
}

// readable groups the digits of a number as people in Sweden write them; anything else is shown as it is.
func readable(v contact.Value) string {
	number, err := phonenumbers.Parse(v.Reveal(), "SE")
	if err != nil || !phonenumbers.IsValidNumber(number) {
		return cmp.Or(v.Reveal(), "–")
	}
	if number.GetCountryCode() == 46 {
		return phonenumbers.Format(number, phonenumbers.NATIONAL)
	}
	return phonenumbers.Format(number, phonenumbers.INTERNATIONAL)
}
