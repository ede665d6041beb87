package event_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"contactsync/consent/event"
)

const (
	decisionSchema = "decision.v1.schema.json"
	outcomeSchema  = "outcome.v1.schema.json"
	changedSchema  = "changed.v1.schema.json"
	asyncAPI       = "asyncapi.yaml"
)

func contractFile(t testing.TB, name string) []byte {
	t.Helper()
	file, err := fs.ReadFile(event.Contract(), name)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// document gives the AsyncAPI document as if it were JSON.
func document(t testing.TB) map[string]any {
	t.Helper()
	var doc map[string]any
	if err := yaml.Unmarshal(contractFile(t, asyncAPI), &doc); err != nil {
		t.Fatal(err)
	}
	return instance(t, encode(t, doc)).(map[string]any)
}

// schemas compiles the published schemas; a part of the AsyncAPI document is named "asyncapi.yaml#/…".
func schemas(t testing.TB) func(name string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	for _, name := range []string{decisionSchema, outcomeSchema, changedSchema} {
		add(t, c, name, instance(t, contractFile(t, name)))
	}
	add(t, c, asyncAPI, document(t))
	return func(name string) *jsonschema.Schema {
		t.Helper()
		schema, err := c.Compile(name)
		if err != nil {
			t.Fatal(err)
		}
		return schema
	}
}

func add(t testing.TB, c *jsonschema.Compiler, name string, doc any) {
	t.Helper()
	if err := c.AddResource(name, doc); err != nil {
		t.Fatal(err)
	}
}

func instance(t testing.TB, text []byte) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func headerMap(headers []event.Header) map[string]any {
	m := map[string]any{}
	for _, h := range headers {
		m[h.Key] = string(h.Value)
	}
	return m
}

// Of a withdrawal's headers the schema says more than the reader asks for, so only its data are compared.
func TestSchemaAndReaderJudgeAlike(t *testing.T) {
	t.Parallel()
	schema := schemas(t)
	data, headers := schema(decisionSchema), schema(asyncAPI+"#/components/schemas/decisionHeaders")
	for _, r := range rows(t) {
		if r.BeyondSchema {
			continue
		}
		line, err := event.ReadLine(r.lineOf(t, r.Of), now, func() string { return shared().EventID })
		if err != nil {
			t.Fatal(err)
		}
		goodData, goodHeaders := true, true
		for _, f := range r.Want {
			if strings.HasPrefix(f.Field, "data") && f.Field != "datacontenttype" {
				goodData = false
			} else {
				goodHeaders = false
			}
		}
		if err := validate(data, line.Value); (err == nil) != goodData {
			t.Errorf("%s: reader says good data: %v, schema: %v", r.Says, goodData, err)
		}
		if err := headers.Validate(headerMap(line.Headers)); r.Of == "share" && (err == nil) != goodHeaders {
			t.Errorf("%s: reader says good headers: %v, schema: %v", r.Says, goodHeaders, err)
		}
	}
}

func validate(schema *jsonschema.Schema, text []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(v)
}

func TestGoldenFilesAreValid(t *testing.T) {
	t.Parallel()
	schema := schemas(t)
	for _, name := range goldenNames(t) {
		headers, value := readGolden(t, name)
		of, headersOf := decisionSchema, asyncAPI+"#/components/schemas/decisionHeaders"
		if strings.HasPrefix(name, "outcome") {
			of, headersOf = outcomeSchema, asyncAPI+"#/components/schemas/outcomeHeaders"
		}
		if strings.HasPrefix(name, "changed") {
			of, headersOf = changedSchema, asyncAPI+"#/components/schemas/changedHeaders"
		}
		if err := validate(schema(of), value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := schema(headersOf).Validate(headerMap(headers)); err != nil && name != "withdraw-bare" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheOutcomeSchemaRefuses(t *testing.T) {
	t.Parallel()
	schema := schemas(t)(outcomeSchema)
	_, good := outcomes()["outcome-parked"].Binary()
	for _, change := range []struct{ old, new string }{
		{`"reason":"value_invalid:empty",`, ``}, {`"parked"`, `"lost"`}, {`"mobile"`, `"fax"`}, {`"sequence":7`, `"sequence":-1`},
		{`value_invalid:empty`, `070-174 06 05`}, {`"eventId"`, `"id"`}, {`"time":"2`, `"time":"x2`},
	} {
		bad := bytes.Replace(good, []byte(change.old), []byte(change.new), 1)
		if bytes.Equal(bad, good) || validate(schema, bad) == nil {
			t.Errorf("with %s for %s an outcome is still valid", change.new, change.old)
		}
	}
}

func TestTheUnreadableRecordIsAsPublished(t *testing.T) {
	t.Parallel()
	record := event.UnreadableRecord{Topic: event.TopicDecisions, Partition: 3, Offset: 1207, Reason: event.Read(nil, nil, now).Unreadable}
	if err := validate(schemas(t)(asyncAPI+"#/components/schemas/unreadable"), encode(t, record)); err != nil {
		t.Error(err)
	}
}

func TestAsyncAPI(t *testing.T) {
	t.Parallel()
	doc := document(t)
	if doc["asyncapi"] != "3.0.0" {
		t.Errorf("asyncapi %v", doc["asyncapi"])
	}
	for name, want := range map[string]string{
		"decisions": event.TopicDecisions, "outcomes": event.TopicOutcomes, "changes": event.TopicChanges, "unreadable": event.TopicUnreadable,
	} {
		if got := at(doc, "#/channels/"+name+"/address"); got != want {
			t.Errorf("channel %s has address %v, want %s", name, got, want)
		}
	}
	for _, ref := range references(doc) {
		if file, isFile := strings.CutPrefix(ref, "./"); isFile {
			contractFile(t, file)
		} else if at(doc, ref) == nil {
			t.Errorf("%s leads nowhere", ref)
		}
	}
}

func TestTheExamplesAreValid(t *testing.T) {
	t.Parallel()
	schema, doc := schemas(t), document(t)
	payload := map[string]string{
		"decision": decisionSchema, "outcome": outcomeSchema, "changed": changedSchema, "unreadable": asyncAPI + "#/components/schemas/unreadable",
	}
	for message, of := range payload {
		for _, e := range at(doc, "#/components/messages/"+message+"/examples").([]any) {
			example := e.(map[string]any)
			if err := schema(of).Validate(example["payload"]); err != nil {
				t.Errorf("%s %s: %v", message, example["name"], err)
			}
			if message == "unreadable" {
				continue
			}
			if err := schema(asyncAPI + "#/components/schemas/" + message + "Headers").Validate(example["headers"]); err != nil {
				t.Errorf("%s %s: %v", message, example["name"], err)
			}
			var headers []event.Header
			for key, value := range example["headers"].(map[string]any) {
				headers = append(headers, event.Header{Key: key, Value: []byte(value.(string))})
			}
			if message == "changed" {
				if _, err := event.ReadChanged(headers, encode(t, example["payload"])); err != nil {
					t.Errorf("%s %s: %v", message, example["name"], err)
				}
			} else if message == "decision" {
				wantRefused(t, event.Read(headers, encode(t, example["payload"]), now), "")
			} else if _, err := event.ReadOutcome(headers, encode(t, example["payload"])); err != nil {
				t.Errorf("%s %s: %v", message, example["name"], err)
			}
		}
	}
}

// at follows a reference within the document.
func at(doc any, ref string) any {
	for _, name := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		inner, _ := doc.(map[string]any)
		doc = inner[name]
	}
	return doc
}

func references(doc any) []string {
	var found []string
	switch v := doc.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			found = append(found, ref)
		}
		for _, inner := range v {
			found = append(found, references(inner)...)
		}
	case []any:
		for _, inner := range v {
			found = append(found, references(inner)...)
		}
	}
	return found
}

// The contract is JSON with exact numbers: a revision must not pass through a float on its way to the schema.
func TestSchemasKeepRevisionsExact(t *testing.T) {
	t.Parallel()
	schema := schemas(t)(decisionSchema)
	_, value := withdrawn().Binary()
	for revision, good := range map[string]bool{"9223372036854775807": true, "9223372036854775808": false} {
		text := bytes.Replace(value, []byte("1795262700000000"), []byte(revision), 1)
		if err := validate(schema, text); !json.Valid(text) || (err == nil) != good {
			t.Errorf("revision %s: %v", revision, err)
		}
	}
}
