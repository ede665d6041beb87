package mockregister

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"contactsync/contracts/contactsv1"
	"contactsync/contracts/problem"
)

const personJSON = `{"root":"1.2.752.129.2.1.3.1","extension":"` + plantedPerson + `"}`

// Each row is a request that cannot be carried out, and how it is told so. Personal data in it comes back nowhere.
func TestBadInputOfTheRESTContract(t *testing.T) {
	t.Parallel()
	s := serve(t)
	const lookup, changes, record = "POST /contacts/lookup", "POST /changes", "PUT /contacts/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	const key = "Idempotency-Key: 3f0c0f6e-6a53-4c59-9d0a-0f2f6f0e8a01"
	change := func(more string) string {
		return `{"changes":[{"person":` + personJSON + `,"channel":"mobile","decision":"withdraw","revision":1` + more + `}]}`
	}
	for _, tt := range []struct {
		says, request, headers, body string
		want                         string
	}{
		{"no persons", lookup, "", `{"persons":[]}`, "400 invalid persons too_few"},
		{"more persons than may be", lookup, "", `{"persons":[` + strings.Repeat(personJSON+",", 1000) + personJSON + `]}`, "400 invalid persons too_many"},
		{"no body", lookup, "", ``, "400 malformed"},
		{"no object", lookup, "", `[]`, "400 invalid body type"},
		{"a text", lookup, "", `"` + plantedMobile + `"`, "400 malformed"},
		{"a body that breaks off", lookup, "", `{"persons":[` + personJSON, "400 malformed"},
		{"something behind it", lookup, "", `{"persons":[` + personJSON + `]}{}`, "400 malformed"},
		{"not UTF-8", lookup, "", "{\"persons\":[{\"root\":\"\xff\"}]}", "400 malformed"},
		{"an unknown member", lookup, "", `{"persons":[],"` + plantedMobile + `":1}`, "400 invalid body unknown_member"},
		{"a member in another case", lookup, "", `{"Persons":[` + personJSON + `]}`, "400 invalid Persons unknown_member"},
		{"a member in another place", lookup, "", `{"persons":[` + personJSON + `],"root":"1.2"}`, "400 invalid body unknown_member"},
		{"a member twice", lookup, "", `{"persons":[],"persons":[` + personJSON + `]}`, "400 invalid persons member_twice"},
		{"null", lookup, "", `{"persons":null}`, "400 invalid persons null"},
		{"another type", lookup, "", `{"persons":[{"root":1,"extension":"1"}]}`, "400 invalid persons.root type"},
		{"an identity of no form", lookup, "", `{"persons":[` + personJSON + `,{"root":"x","extension":"` + plantedMail + `"}]}`, "400 invalid persons[1].root form"},
		{"deep nesting", lookup, "", `{"persons":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`, "400 malformed"},
		{"another media type", lookup, "Content-Type: text/xml", `{}`, "415 unsupported_media_type"},
		{"another charset", lookup, "Content-Type: application/json; charset=latin1", `{}`, "415 unsupported_media_type"},
		{"a compressed body", lookup, "Content-Encoding: gzip", `{}`, "415 unsupported_media_type"},
		{"a body of 10 MiB", lookup, "", `{"persons":["` + strings.Repeat("x", 10<<20) + `"]}`, "413 too_large"},
		{"no version held", "POST /contacts/changed-since", "", `{"held":[{"person":` + personJSON + `,"version":"1"}]}`, "400 invalid held[0].version form"},

		{"no key", changes, "", change(""), "400 idempotency_key_missing Idempotency-Key missing"},
		{"a key that is no UUID", changes, "Idempotency-Key: " + plantedMobile, change(""), "400 idempotency_key_malformed Idempotency-Key form"},
		{"two keys", changes, key + "\n" + key, change(""), "400 idempotency_key_malformed Idempotency-Key form"},
		{"an unknown channel", changes, key, strings.Replace(change(""), "mobile", "fax", 1), "400 invalid changes[0].channel value"},
		{"an unknown decision", changes, key, strings.Replace(change(""), "withdraw", "maybe", 1), "400 invalid changes[0].decision value"},
		{"no revision", changes, key, strings.Replace(change(""), `,"revision":1`, "", 1), "400 invalid changes[0].revision value"},
		{"a revision below 1", changes, key, strings.Replace(change(""), `"revision":1`, `"revision":0`, 1), "400 invalid changes[0].revision value"},
		{"half a revision", changes, key, strings.Replace(change(""), `"revision":1`, `"revision":1.5`, 1), "400 invalid changes.revision type"},
		{"too great a revision", changes, key, strings.Replace(change(""), `"revision":1`, `"revision":9223372036854775808`, 1), "400 invalid changes.revision type"},
		{"a revision beyond all bounds", changes, key, strings.Replace(change(""), `"revision":1`, `"revision":1e999999999`, 1), "400 invalid changes.revision type"},
		{"an event id of no form", changes, key, change(`,"eventId":"å"`), "400 invalid changes[0].eventId form"},

		{"no If-Match", record, "", `{}`, "428 if_match_missing"},
		{"any version", record, "If-Match: *", `{}`, "400 if_match_malformed If-Match form"},
		{"a list of versions", record, `If-Match: "20261123120000", "20261123120001"`, `{}`, "400 if_match_malformed If-Match form"},
		{"a ref that is none", record, `If-Match: "20261123120000"`, `{}`, "404 ref_unknown"},
		{"null in a whole", record, `If-Match: "20261123120000"`, `{"mobile":null}`, "400 invalid mobile null"},
		{"a patch of another type", strings.Replace(record, "PUT", "PATCH", 1), `If-Match: "20261123120000"`, `{}`, "415 unsupported_media_type"},
		{"a null within", strings.Replace(record, "PUT", "PATCH", 1), "If-Match: \"20261123120000\"\nContent-Type: application/merge-patch+json",
			`{"mobile":{"value":null}}`, "400 invalid mobile.value null"},
		{"an identity in the address", "GET /contacts/" + plantedPerson, "", "", "404 ref_unknown"},

		{"a malformed cursor", "GET /changes?cursor=" + plantedPerson, "", "", "400 cursor_malformed cursor form"},
		{"an empty cursor", "GET /changes?cursor=", "", "", "400 cursor_malformed cursor form"},
		{"no limit", "GET /changes?limit=0", "", "", "400 invalid limit value"},
		{"too high a limit", "GET /changes?limit=1001", "", "", "400 invalid limit value"},
		{"too long a wait", "GET /changes?wait=61", "", "", "400 invalid wait value"},
		{"a parameter twice", "GET /changes?limit=1&limit=2", "", "", "400 invalid limit repeated"},
		{"a parameter that is not to be read", "GET /changes?cursor=%zz", "", "", "400 invalid query form"},
		{"a semicolon between parameters", "GET /changes?cursor=now;wait=0", "", "", "400 invalid query form"},
		{"an unknown parameter", "GET /changes?" + plantedPerson + "=1", "", "", "400 invalid query unknown_parameter"},

		{"an unknown address", "GET /persons/" + plantedPerson, "", "", "404 not_found"},
		{"an address that is not clean", "GET /contacts/..", "", "", "404 ref_unknown"},
		{"another method", "DELETE /contacts/lookup", "", "", "405 method_not_allowed"},
	} {
		t.Run(tt.says, func(t *testing.T) {
			method, path, _ := strings.Cut(tt.request, " ")
			request := must(http.NewRequestWithContext(t.Context(), method, s.URL+contactsv1.Path+path, strings.NewReader(tt.body)))(t)
			request.Header.Set("Content-Type", "application/json")
			for line := range strings.SplitSeq(tt.headers, "\n") {
				if name, value, ok := strings.Cut(line, ": "); ok && request.Header.Get(name) != "" && name != "Content-Type" {
					request.Header.Add(name, value)
				} else if ok {
					request.Header.Set(name, value)
				}
			}
			response := must(s.HTTP(t, worker).Do(request))(t)
			defer response.Body.Close()
			answer := must(io.ReadAll(response.Body))(t)
			checkNoPersonalData(t, string(answer))
			text, _ := s.nextLine(t)
			checkNoPersonalData(t, text)
			if got := problemText(t, response, answer); got != tt.want {
				t.Errorf("answered %s, want %s", got, tt.want)
			}
		})
	}
}

// problemText is status, code and the first parameter of a problem.
func problemText(t *testing.T, response *http.Response, answer []byte) string {
	t.Helper()
	var p problem.Problem
	if err := json.Unmarshal(answer, &p); err != nil || response.Header.Get("Content-Type") != problem.ContentType {
		t.Fatalf("no problem but %s", answer)
	}
	if p.Status != response.StatusCode || p.Type != "urn:contactsync:problem:"+p.Code || p.Instance == "" || p.Title == "" {
		t.Errorf("half a problem: %s", answer)
	}
	got := code(&p)
	if len(p.InvalidParameters) > 0 {
		got += " " + p.InvalidParameters[0].Property + " " + p.InvalidParameters[0].Reason
	}
	return got
}

func TestWhoMayUseTheRESTContract(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, tt := range []struct{ caller, request, want string }{
		{"", "POST /contacts/lookup", "401 caller_unidentified"},
		{"SE2321000016-CSX1", "POST /contacts/lookup", "403 not_allowed"},
		{"SE2321000016-CSX1", "POST /contacts/changed-since", "403 not_allowed"},
		{"SE2321000016-CSX1", "GET /contacts/x", "403 not_allowed"},
		{"SE2321000016-CSX1", "GET /changes", "403 not_allowed"},
		{reader, "POST /changes", "403 not_allowed"},
		{reader, "PUT /contacts/x", "403 not_allowed"},
		{reader, "PATCH /contacts/x", "403 not_allowed"},
		{"", "GET /openapi.yaml", "200"},
		{"", "GET /api-info", "200"},
		{"SE2321000016-CSX1", "GET /openapi.yaml", "200"},
		{"", "POST /api-info", "405 method_not_allowed"},
	} {
		method, path, _ := strings.Cut(tt.request, " ")
		request := must(http.NewRequestWithContext(t.Context(), method, s.URL+contactsv1.Path+path, bytes.NewReader(nil)))(t)
		response := must(s.HTTP(t, tt.caller).Do(request))(t)
		answer := must(io.ReadAll(response.Body))(t)
		response.Body.Close()
		got := "200"
		if response.StatusCode != http.StatusOK {
			got = problemText(t, response, answer)
		}
		if got != tt.want {
			t.Errorf("%s by %q: %s, want %s", tt.request, tt.caller, got, tt.want)
		}
	}
}
