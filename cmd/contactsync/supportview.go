package main

import (
	"time"

	"contactsync/consent/consentpg"
	"contactsync/consent/contact"
	"contactsync/consent/reason"
	"contactsync/sync/plan"
	"contactsync/sync/register"
	"contactsync/sync/support"
	"contactsync/sync/syncpg"
)

// What support --json prints; cmd/README.md promises the names. Like lookedUpJSON these are no types to keep personal data
// in. Values are masked where the register does not say that the person is unprotected.

type reportJSON struct {
	Person   identityJSON      `json:"person"`
	Register answerJSON        `json:"register"`
	Channels []channelJSON     `json:"channels"`
	Others   []otherJSON       `json:"others"`
	Outcomes []outcomeToldJSON `json:"outcomes"`
}

type answerJSON struct {
	Answered  bool    `json:"answered"`
	Known     bool    `json:"known"`
	Protected bool    `json:"protected"`
	Masked    bool    `json:"masked"`
	Version   *string `json:"version"`
}

type channelJSON struct {
	Channel        string         `json:"channel"`
	State          string         `json:"state"`
	Reason         *string        `json:"reason"`
	Text           string         `json:"text"`
	DecidedHere    *choiceJSON    `json:"decidedHere"`
	Wanted         *decisionJSON  `json:"wanted"`
	Share          *decisionJSON  `json:"share"`
	Withdrawal     *decisionJSON  `json:"withdrawal"`
	AccountsClosed []decisionJSON `json:"accountsClosed"`
	WaitingShares  []decisionJSON `json:"waitingShares"`
	Due            *dueJSON       `json:"due"`
	Own            []ownJSON      `json:"own"`
	Others         []otherJSON    `json:"others"`
	OthersText     *string        `json:"othersText"`
}

type choiceJSON struct {
	Decision   string    `json:"decision"`
	Value      *string   `json:"value"`
	Actor      string    `json:"actor"`
	Reason     *string   `json:"reason"`
	Correction *string   `json:"correction"`
	DecidedAt  time.Time `json:"decidedAt"`
	Revision   int64     `json:"revision"`
	EventID    string    `json:"eventId"`
}

type decisionJSON struct {
	Decision  string    `json:"decision"`
	Value     *string   `json:"value"`
	Source    string    `json:"source"`
	DecidedAt time.Time `json:"decidedAt"`
	Revision  int64     `json:"revision"`
	EventID   string    `json:"eventId"`
}

type dueJSON struct {
	Since    time.Time `json:"since"`
	NextAt   time.Time `json:"nextAt"`
	Attempts int       `json:"attempts"`
}

type ownJSON struct {
	Value  string `json:"value"`
	Notify bool   `json:"notify"`
}

type otherJSON struct {
	Type  string  `json:"type"`
	Use   *string `json:"use"`
	Value string  `json:"value"`
}

type outcomeToldJSON struct {
	At       time.Time `json:"at"`
	Channel  string    `json:"channel"`
	Outcome  string    `json:"outcome"`
	Reason   *string   `json:"reason"`
	Text     *string   `json:"text"`
	Effects  []string  `json:"effects"`
	Revision int64     `json:"revision"`
	EventID  string    `json:"eventId"`
}

// in picks the language.
func in(t reason.Text, lang string) string {
	if lang == "sv" {
		return t.SV
	}
	return t.EN
}

// some is a text, or nil where there is none.
func some[T ~string](text T) *string {
	if text == "" {
		return nil
	}
	return new(string(text))
}

func decisionWord(share bool) string {
	if share {
		return "share"
	}
	return "withdraw"
}

// each turns a list into another; none is an empty one, not null.
func each[A, B any](list []A, turn func(A) B) []B {
	out := make([]B, len(list))
	for i, a := range list {
		out[i] = turn(a)
	}
	return out
}

func viewReport(r support.Report, lang string) reportJSON {
	a := r.Register
	return reportJSON{
		Person:   identityJSON{r.Person.Root(), r.Person.RevealExtension()},
		Register: answerJSON{a.Answered, a.Known, a.Protected, !a.Whole(), some(a.Version)},
		Channels: each(r.Channels, func(c support.Channel) channelJSON { return viewChannel(c, lang) }),
		Others:   each(r.Others, viewOther),
		Outcomes: each(r.Outcomes, func(o consentpg.Told) outcomeToldJSON { return viewOutcome(o, lang) }),
	}
}

func viewChannel(c support.Channel, lang string) channelJSON {
	v := channelJSON{
		Channel: string(c.Channel), State: string(c.State.Stage), Reason: some(c.State.Reason), Text: in(c.State.Text(), lang),
		DecidedHere: viewChoice(c.Here), Wanted: viewDecision(c.Wanted), Share: viewDecision(c.Share), Withdrawal: viewDecision(c.Withdrawal),
		AccountsClosed: viewDecisions(c.Scoped), WaitingShares: viewDecisions(c.Waiting), Due: viewDue(c.Due),
		Own:    each(c.Own, func(e plan.Entry) ownJSON { return ownJSON{e.Value.Reveal(), e.Notify} }),
		Others: each(c.Others, viewOther),
	}
	if len(c.Others) > 0 {
		v.OthersText = new(in(support.OthersText(len(c.Own) == 0), lang))
	}
	return v
}

func viewChoice(c *consentpg.Choice) *choiceJSON {
	if c == nil {
		return nil
	}
	return &choiceJSON{decisionWord(c.Share), some(c.Value.Reveal()), string(c.Actor), some(c.Reason), some(c.Correction),
		c.DecidedAt.UTC(), c.Revision, c.EventID}
}

func viewDecision(d *support.Decision) *decisionJSON {
	if d == nil {
		return nil
	}
	return &decisionJSON{decisionWord(d.Share), some(d.Value.Reveal()), d.Source, d.At.UTC(), d.Revision, d.EventID}
}

func viewDecisions(list []support.Decision) []decisionJSON {
	return each(list, func(d support.Decision) decisionJSON { return *viewDecision(&d) })
}

func viewDue(d *syncpg.Due) *dueJSON {
	if d == nil {
		return nil
	}
	return &dueJSON{d.Since.UTC(), d.Next.UTC(), d.Attempts}
}

func viewOther(o register.Other) otherJSON {
	return otherJSON{o.Type, some(o.Use), o.Value.Reveal()}
}

func viewOutcome(o consentpg.Told, lang string) outcomeToldJSON {
	v := outcomeToldJSON{o.At.UTC(), string(o.Channel), string(o.Outcome), some(o.Reason), nil,
		each(o.Effects, func(c reason.Code) string { return string(c) }), o.Revision, o.EventID}
	if text, ok := o.Reason.Text(); ok {
		v.Text = new(in(text, lang))
	}
	return v
}

type removalJSON struct {
	Person     identityJSON `json:"person"`
	Channel    string       `json:"channel"`
	Result     string       `json:"result"`
	Text       string       `json:"text"`
	Values     []string     `json:"values"`
	Others     []otherJSON  `json:"others"`
	OthersText *string      `json:"othersText"`
	Confirm    *confirmJSON `json:"confirm"`
	EventID    *string      `json:"eventId"`
}

type confirmJSON struct {
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expiresAt"`
	Command   string    `json:"command"`
}

func viewRemoval(r support.Removal, a support.RemovalAnswer, lang string) removalJSON {
	v := removalJSON{
		Person: identityJSON{r.Person.Root(), r.Person.RevealExtension()}, Channel: string(r.Channel), Result: string(a.Result),
		Text: in(a.Result.Text(), lang), Values: each(a.Values, contact.Value.Reveal), Others: each(a.Others, viewOther), EventID: some(a.EventID),
	}
	if len(a.Others) > 0 {
		v.OthersText = new(in(support.OthersText(len(a.Values) == 0), lang))
	}
	if a.Result == support.InHand && a.State.Stage == support.Parked {
		v.Text += " " + in(a.State.Text(), lang)
	}
	return v
}
