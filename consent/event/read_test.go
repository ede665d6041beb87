package event_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/reason"
)

var (
	adult = contact.KnownPersonID(contact.RootPersonnummer, "198507099805")
	child = contact.KnownPersonID(contact.RootPersonnummer, "201701012393")
)

// shared and withdrawn are what testdata/events/share.json and withdraw.json say.
func shared() event.Decision {
	return event.Decision{
		EventID: "3f0c0f6e-6a53-4c59-9d0a-0f2f6f0e8a01",
		Source:  "urn:hsaid:SE2321000016-ES01",
		Time:    time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC),
		Person:  child, Channel: contact.Mobile,
		Share: true, Value: contact.KnownValue("+46701740605"), Notify: new(true),
		Revision: 1795262400000000, DecidedAt: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC),
		Actor:  event.Actor{Role: event.RoleGuardian, ID: adult},
		Notice: event.Notice{Version: "2026-01-12", Language: "sv"},
	}
}

func withdrawn() event.Decision {
	return event.Decision{
		EventID: "3f0c0f6e-6a53-4c59-9d0a-0f2f6f0e8a02",
		Source:  "urn:hsaid:SE2321000016-ES01",
		Time:    time.Date(2026, 11, 21, 12, 5, 0, 0, time.UTC),
		Person:  adult, Channel: contact.Email,
		Revision: 1795262700000000, DecidedAt: time.Date(2026, 11, 21, 12, 5, 0, 0, time.UTC),
		Actor: event.Actor{Role: event.RoleResident}, Reason: event.ReasonResident,
	}
}

// structured gives a base event as the body of a record in structured mode.
func structured(t *testing.T, base string, change func(e map[string]any)) []byte {
	t.Helper()
	e := baseEvent(t, base)
	if change != nil {
		change(e)
	}
	return encode(t, e)
}

func contentType(value string) event.Header {
	return event.Header{Key: "content-type", Value: []byte(value)}
}

var cloudEvent = contentType("application/cloudevents+json; charset=UTF-8")

func wantRead(t *testing.T, got event.Received, want event.Decision) {
	t.Helper()
	if len(got.Refusals) > 0 || got.Unreadable != "" {
		t.Fatalf("refused %v, unreadable %q", got.Refusals, got.Unreadable)
	}
	if diff := cmp.Diff(want, got.Decision, redacted); diff != "" {
		t.Error("decision (-want +got)\n" + diff)
	}
}

// wantRefused takes "" for a decision in order.
func wantRefused(t *testing.T, got event.Received, want reason.Code) {
	t.Helper()
	if got.Unreadable != "" {
		t.Fatalf("unreadable: %s", got.Unreadable)
	}
	var first reason.Code
	if len(got.Refusals) > 0 {
		first = got.Refusals[0].Code
	}
	if first != want {
		t.Errorf("refused for %q, want %q", first, want)
	}
}

func TestBothModesSayTheSame(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]event.Decision{"share": shared(), "withdraw": withdrawn()} {
		body := structured(t, base, nil)
		wantRead(t, event.Read([]event.Header{cloudEvent}, body, now), want)
		line, err := event.ReadLine(body, now, nil)
		if err != nil {
			t.Fatal(err)
		}
		wantRead(t, event.Read(line.Headers, line.Value, now), want)
		headers, value := want.Binary()
		wantRead(t, event.Read(headers, value, now), want)
	}
}

func TestStructuredDataMayBeBase64(t *testing.T) {
	t.Parallel()
	body := structured(t, "share", func(e map[string]any) {
		e["data_base64"] = base64.StdEncoding.EncodeToString(encode(t, e["data"]))
		delete(e, "data")
	})
	wantRead(t, event.Read([]event.Header{cloudEvent}, body, now), shared())
}

func TestAByteOrderMarkIsSkipped(t *testing.T) {
	t.Parallel()
	wantRead(t, event.Read([]event.Header{cloudEvent}, append([]byte("\ufeff"), structured(t, "share", nil)...), now), shared())
}

func TestTheModeIsWhatTheRecordIsNotWhatItSays(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"share", "withdraw"} {
		refusal := map[string]reason.Code{"share": reason.FormContentType}[base]
		body := structured(t, base, nil)
		t.Run("structured "+base+" without content type", func(t *testing.T) {
			t.Parallel()
			wantRefused(t, event.Read(nil, body, now), refusal)
		})
		t.Run("structured "+base+" that says it is binary", func(t *testing.T) {
			t.Parallel()
			wantRefused(t, event.Read([]event.Header{contentType("application/json")}, body, now), refusal)
		})
		t.Run("binary "+base+" that says it is structured", func(t *testing.T) {
			t.Parallel()
			line, err := event.ReadLine(body, now, nil)
			if err != nil {
				t.Fatal(err)
			}
			headers := line.Headers[:len(line.Headers)-1]
			wantRefused(t, event.Read(append(headers, cloudEvent), line.Value, now), refusal)
		})
	}
}

func TestADuplicatedHeaderRefusesAShareOnly(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"ce_id", "ce_type", "ce_source", "ce_time", "ce_specversion", "ce_traceparent", "content-type"} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			again := []event.Header{{Key: key, Value: []byte("else")}, {Key: key, Value: []byte("else")}}
			headers, value := shared().Binary()
			wantRefused(t, event.Read(append(headers, again...), value, now), reason.FormHeaderDuplicated)
			headers, value = withdrawn().Binary()
			wantRead(t, event.Read(append(headers, again...), value, now), withdrawn())
		})
	}
	headers, value := shared().Binary()
	other := event.Header{Key: "trace", Value: []byte("a")}
	wantRead(t, event.Read(append(headers, other, other), value, now), shared())
}

// body is a decision with one more member at its beginning, and so before the member of the same name.
func withFirst(t *testing.T, d event.Decision, member string) ([]event.Header, []byte) {
	t.Helper()
	headers, value := d.Binary()
	return headers, []byte("{" + member + "," + string(value[1:]))
}

func TestANameThatStandsThereTwice(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		says, member    string
		share, withdraw reason.Code
	}{
		{"with the same value is no matter", `"revision":REVISION`, "", ""},
		{"decision: one says share, one withdraw", `"decision":"OTHER"`, "", ""}, // a withdrawal whichever comes first
		{"channel", `"channel":"fax"`, reason.FormJSON, reason.FormJSON},
		{"revision", `"revision":7`, reason.FormJSON, reason.FormJSON},
		{"person", `"person":{"root":"1","extension":"2"}`, reason.FormJSON, reason.FormJSON},
		{"decidedAt", `"decidedAt":"2020-01-01T00:00:00Z"`, reason.FormJSON, ""},
		{"actor", `"actor":5,"actor":6`, reason.FormJSON, ""},
		{"an unknown name", `"x":1,"x":2`, reason.FormJSON, ""},
	} {
		t.Run(row.says, func(t *testing.T) {
			t.Parallel()
			for _, d := range []event.Decision{shared(), withdrawn()} {
				other, want := "withdraw", row.share
				if !d.Share {
					other, want = "share", row.withdraw
				}
				member := strings.NewReplacer("OTHER", other, "REVISION", fmt.Sprint(d.Revision)).Replace(row.member)
				headers, value := withFirst(t, d, member)
				wantRefused(t, event.Read(headers, value, now), want)
			}
		})
	}
}

func TestOneOfTwoDecisionsSaysWithdraw(t *testing.T) {
	t.Parallel()
	headers, value := withFirst(t, shared(), `"decision":"withdraw"`)
	got := event.Read(headers, value, now)
	wantRefused(t, got, "")
	if got.Decision.Share || !got.Decision.Value.IsZero() || got.Decision.Notify != nil {
		t.Error("the share was read, or something of it was kept")
	}
	for _, inner := range []string{`"person":{"root":"x",`, `"person":{"extension":"x",`} {
		text := strings.Replace(string(value), `"person":{`, inner, 1)
		wantRefused(t, event.Read(headers, []byte(text), now), reason.FormJSON)
	}
}

func TestTwoDifferentDataStopEverything(t *testing.T) {
	t.Parallel()
	_, other := withdrawn().Binary()
	other = bytes.Replace(other, []byte("email"), []byte("mobile"), 1)
	twice := fmt.Appendf(nil, `{"data":%s,%s`, other, structured(t, "withdraw", nil)[1:])
	wantRefused(t, event.Read([]event.Header{cloudEvent}, twice, now), reason.FormJSON)
}

func TestAnAttributeThatStandsThereTwice(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]reason.Code{"share": reason.FormJSON, "withdraw": ""} {
		twice := append([]byte(`{"source":"urn:hsaid:SE2321000016-ES02",`), structured(t, base, nil)[1:]...)
		wantRefused(t, event.Read([]event.Header{cloudEvent}, twice, now), want)
	}
}

func TestANameThatStandsTwiceFurtherDown(t *testing.T) {
	t.Parallel()
	headers, value := shared().Binary()
	for _, object := range []string{`"actor":{`, `"id":{`, `"notice":{`, `"person":{`} {
		twice := strings.Replace(string(value), object, object+`"x":1,"x":2,`, 1)
		if got := event.Read(headers, []byte(twice), now); len(got.Refusals) != 1 {
			t.Errorf("with a name twice in %s it is refused for %v", object, got.Refusals)
		}
	}
}

func TestUnreadableOnly(t *testing.T) {
	t.Parallel()
	headers, value := withdrawn().Binary()
	for _, row := range []struct {
		says    string
		headers []event.Header
		value   string
		want    reason.Code
	}{
		{"no value", headers, "", reason.FormJSON},
		{"null", headers, "null", reason.FormJSON},
		{"an array", headers, "[" + string(value) + "]", reason.FormJSON},
		{"text", headers, `"withdraw"`, reason.FormJSON},
		{"not JSON", headers, "withdraw", reason.FormJSON},
		{"cut off", headers, string(value[:len(value)-1]), reason.FormJSON},
		{"two objects", headers, string(value) + string(value), reason.FormJSON},
		{"a comma too many", headers, strings.Replace(string(value), `"channel"`, `,"channel"`, 1), reason.FormJSON},
		{"no headers", nil, string(value), reason.FormID},
		{"an id of invalid UTF-8", []event.Header{{Key: "ce_id", Value: []byte("a\xff")}}, string(value), reason.FormID},
		{"no person", headers, `{"channel":"mobile","decision":"withdraw","revision":1}`, reason.FormPerson},
		{"names are exact", headers, strings.Replace(string(value), `"person"`, `"Person"`, 1), reason.FormPerson},
	} {
		t.Run(row.says, func(t *testing.T) {
			t.Parallel()
			want := event.Received{Unreadable: row.want}
			if diff := cmp.Diff(want, event.Read(row.headers, []byte(row.value), now), redacted); diff != "" {
				t.Error("(-want +got)\n" + diff)
			}
		})
	}
}

func TestDepthAndLengthStopNoWithdrawal(t *testing.T) {
	t.Parallel()
	const size = 1 << 19
	for says, member := range map[string]string{
		"arrays":       `"notice":` + strings.Repeat("[", size) + strings.Repeat("]", size),
		"objects":      `"x":` + strings.Repeat(`{"a":`, size) + "1" + strings.Repeat("}", size),
		"a number":     `"notify":1` + strings.Repeat("0", size),
		"an exponent":  `"notify":1e` + strings.Repeat("9", size),
		"text":         `"value":"` + strings.Repeat("x", size) + `"`,
		"equal names":  strings.Repeat(`"x":1,"x":2,`, size/12) + `"x":3`,
		"many members": strings.Repeat(`"":[],`, size/6) + `"y":3`,
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			headers, value := withFirst(t, withdrawn(), member)
			wantRead(t, event.Read(headers, value, now), withdrawn())
		})
	}
	headers, value := shared().Binary()
	huge := strings.Replace(string(value), "1795262400000000", "1"+strings.Repeat("0", size), 1)
	wantRefused(t, event.Read(headers, []byte(huge), now), reason.FormRevision)
}

func TestARevisionIsPlainDigits(t *testing.T) {
	t.Parallel()
	headers, value := withdrawn().Binary()
	for _, revision := range []string{"1e3", "1.0", "-0", "1E0", `"1"`, "18446744073709551617"} {
		text := strings.Replace(string(value), "1795262700000000", revision, 1)
		wantRefused(t, event.Read(headers, []byte(text), now), reason.FormRevision)
	}
}

func TestAScopedWithdrawalWithoutASourceIsAWholeNo(t *testing.T) {
	t.Parallel()
	for _, scoped := range []event.WithdrawReason{event.ReasonInactivity, event.ReasonAccountClosed} {
		d := withdrawn()
		d.Reason = scoped
		headers, value := d.Binary()
		wantRead(t, event.Read(headers, value, now), d)
		d.Source = "nobody"
		headers, value = d.Binary()
		if got := event.Read(headers, value, now); got.Decision.Reason != event.ReasonResident || len(got.Refusals) > 0 {
			t.Errorf("%s from nobody: reason %q, refused for %v", scoped, got.Decision.Reason, got.Refusals)
		}
	}
	headers, value := withFirst(t, withdrawn(), `"reason":"inactivity"`)
	if got := event.Read(headers, value, now); got.Decision.Reason != event.ReasonResident {
		t.Errorf("of two reasons the scoped one was believed: %q", got.Decision.Reason)
	}
}

func TestWhatIsWrongWithAWithdrawalIsDropped(t *testing.T) {
	t.Parallel()
	body := structured(t, "withdraw", func(e map[string]any) {
		for path, value := range map[string]any{
			"source": "x", "time": "x", "data.value": "070-174 06 05", "data.notify": true, "data.decidedAt": "x",
			"data.actor": "x", "data.notice": "x", "data.reason": "x",
		} {
			put(e, path, value)
		}
	})
	want := withdrawn()
	want.Source, want.Time, want.DecidedAt, want.Actor = "", time.Time{}, time.Time{}, event.Actor{}
	wantRead(t, event.Read([]event.Header{cloudEvent}, body, now), want)
}

func TestARefusedDecisionKeepsWhomItIsAbout(t *testing.T) {
	t.Parallel()
	headers, value := withdrawn().Binary()
	text := strings.Replace(string(value), "198507099805", `1985\u0000`+strings.Repeat("å", 100), 1)
	got := event.Read(headers, []byte(text), now)
	wantRefused(t, got, reason.FormIdentityDigits)
	if sent := got.RawPerson.RevealExtension(); !strings.HasPrefix(sent, "1985\ufffdå") || len(sent) != 63 {
		t.Errorf("identity as sent: %q (%d bytes)", sent, len(sent))
	}
	if got.Decision.EventID != withdrawn().EventID || !got.Decision.Person.IsZero() {
		t.Error("the event id is lost, or a refused identity was kept as judged")
	}
}

func TestNothingPersonalIsPrinted(t *testing.T) {
	t.Parallel()
	headers, value := shared().Binary()
	got := event.Read(headers, value, now)
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("read", "decision", got.Decision, "person", got.RawPerson)
	wrong := event.Decision{EventID: "198507099805"}
	printed := fmt.Sprintf("%v %+v %#v %v", got, got, got, wrong.LogValue()) + log.String()
	for _, personal := range []string{"201701012393", "198507099805", "701740605", "070-174"} {
		if strings.Contains(printed, personal) {
			t.Errorf("%s is printed", personal)
		}
	}
}

func TestAhead(t *testing.T) {
	t.Parallel()
	at := func(revision, decided time.Duration) event.Decision {
		return event.Decision{Share: true, Revision: now.Add(revision).UnixMicro(), DecidedAt: now.Add(decided)}
	}
	late := event.Decision{Revision: 1, DecidedAt: now.Add(time.Hour)}
	for _, row := range []struct {
		says string
		d    event.Decision
		want time.Duration
	}{
		{"the revision is later", at(time.Minute, time.Second), time.Minute},
		{"the decision is later", at(-time.Minute, time.Second), time.Second},
		{"both are past", at(-time.Minute, -time.Second), -time.Second},
		{"a withdrawal's time does not count", late, time.UnixMicro(1).Sub(now)},
		{"the largest revision", event.Decision{Revision: 1<<63 - 1}, 1<<63 - 1},
	} {
		if got := row.d.Ahead(now); got != row.want {
			t.Errorf("%s: %s ahead, want %s", row.says, got, row.want)
		}
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	// openssl: printf '1.2.752.129.2.1.3.1|198507099805' | openssl dgst -sha256 -hmac PEPPER
	const want = "deaff8a0f0d8544baa67f7206337c7e5"
	if got := event.Key([]byte(event.DevelopmentPepper), adult); got != want {
		t.Errorf("key %s, want %s", got, want)
	}
	if event.Key([]byte("another"), adult) == want || event.Key([]byte(event.DevelopmentPepper), child) == want {
		t.Error("the key does not depend on pepper and person")
	}
}
