package portal

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"contactsync/consent/consentpg"
	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/reason"
	"contactsync/consent/web"
)

// NoticeVersion names the texts that explain what sharing and withdrawing mean; it goes with every choice.
const NoticeVersion = "2026-11-23"

// The two choices, as forms send them.
const (
	share    = "share"
	withdraw = "withdraw"
)

// entered is what a form holds.
type entered struct {
	Choice string // share, withdraw or empty
	Value  string
	Notify bool
}

func readEntered(form url.Values) entered {
	return entered{Choice: form.Get("choice"), Value: strings.ToValidUTF8(form.Get("value"), "\uFFFD"), Notify: form.Get("notify") == "yes"}
}

// problem is why a form was not saved.
type problem struct {
	channel contact.Channel // empty: the page as a whole
	at      string          // field: "share" (the choice) or "value"
	key     string          // of a text; empty: the code says it
	code    reason.Code
	entered *entered // what was typed, to be kept; nil: what the person has
}

func (wrong problem) text(page *settingsPage) string {
	if wrong.key == "" {
		return reasonText(page.Texts, wrong.code)
	}
	return page.T(wrong.key, "name", page.Name)
}

// save makes a choice for one channel.
func (p *Portal) save(w http.ResponseWriter, r *http.Request, channel contact.Channel) error {
	v, known, err := p.visit(r)
	if err != nil {
		return err
	}
	form, formErr := p.kit.Form(w, r)
	if !known {
		return p.showPersons(w, r, http.StatusForbidden, "choose.ended")
	}
	if errors.Is(formErr, web.Fault{Status: http.StatusRequestEntityTooLarge}) {
		return p.showSettingsWith(w, r, v, http.StatusRequestEntityTooLarge, &problem{channel: channel, at: "value", code: reason.ValueTooLong})
	}
	if formErr != nil {
		return formErr
	}
	typed := readEntered(form)
	id, err := p.kit.Open(form.Get("form"), v.seal("settings/"+string(channel)))
	if err != nil {
		wrong := &problem{channel: channel, at: share, key: "problem.form"}
		if errors.Is(err, web.ErrFormOld) { // else whoever typed it may be another than the one who is logged in now
			wrong.entered = &typed
		}
		return p.showSettingsWith(w, r, v, http.StatusForbidden, wrong)
	}
	wish, wrong := judge(channel, typed)
	if wrong != nil {
		return p.showSettingsWith(w, r, v, http.StatusUnprocessableEntity, wrong)
	}
	wish.Person, wish.EventID = v.person.ID, p.eventID(id, wish)
	wish.Notice = event.Notice{Version: NoticeVersion, Language: string(p.kit.Language(r))}
	return p.decide(w, r, wish)
}

// judge turns what was typed into a wish, or says what is wrong with it.
func judge(channel contact.Channel, typed entered) (consentpg.Wish, *problem) {
	wish := consentpg.Wish{Channel: channel, Share: typed.Choice == share}
	switch typed.Choice {
	case withdraw:
		return wish, nil
	case share:
	default:
		return wish, &problem{channel: channel, at: share, key: "problem.choice", entered: &typed}
	}
	// A space at either end comes with pasting, and is no part of anybody's number or address.
	value, err := channel.Parse(strings.Trim(typed.Value, " \u00a0"))
	if err != nil {
		return wish, &problem{channel: channel, at: "value", code: reason.Of(err), entered: &typed}
	}
	wish.Value, wish.Notify = value, &typed.Notify
	return wish, nil
}

// eventID is the same when the same form is sent again with the same content. Who goes back in the browser and sends the form
// with another content has made another choice.
func (p *Portal) eventID(form web.FormID, w consentpg.Wish) string {
	notify := w.Notify != nil && *w.Notify
	digest := p.kit.Digest("event", string(form[:]), fmt.Sprint(w.Share, notify), w.Value.Reveal())
	id := uuid.UUID(digest[:16])
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // version 8, of our own making (RFC 9562 §5.8)
	return id.String()
}

func (p *Portal) decide(w http.ResponseWriter, r *http.Request, wish consentpg.Wish) error {
	made, err := p.Store.Decide(r.Context(), wish)
	if err != nil {
		return err
	}
	p.Told(wish.Person) // the person's other windows
	// The other channel is as this window showed it: if it has changed since, the page says so.
	seen := seenBefore(r.PostForm.Get("seen"))
	for i, channel := range contact.Channels {
		if channel == wish.Channel {
			seen[i] = p.choiceMark(wish.Person, channel, made)
		}
	}
	target := "/settings?" + url.Values{"seen": {strings.Join(seen[:], ".")}}.Encode() + "#" + string(wish.Channel)
	http.Redirect(w, r, target, http.StatusSeeOther)
	return nil
}
