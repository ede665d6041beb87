package audit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

func someRecord() Record {
	someone := &Identity{"1.2.752.129.2.1.3.1", "198507099805"}
	return Record{ID: uuid.MustParse("01a213c6-345d-7092-945a-b0105a71ae6b"), SystemID: "SE2321000016-CSP1", SystemName: "contactsync", Activity: ActivityDelete,
		Level: "UpdatePersonContactInformation/4", Args: "ground=<wrong> & \"odd\"\x01", Start: time.Date(2026, 11, 23, 12, 0, 0, 5000, time.FixedZone("", 3600)),
		Purpose: "Administration", UserID: "SE2321000016-1A2B", UserPerson: someone, CareProvider: Organisation{"SE2321000016-A1", "Region Exempel"},
		CareUnit: Organisation{ID: "SE2321000016-B2"}, ResourceType: "Kontaktuppgifter", Patient: someone}
}

// TestStoreLogIsValid asks xmllint, by schemas written after the public field tables.
func TestStoreLogIsValid(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("xmllint")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("xmllint (libxml2-utils) is missing")
		}
		t.Skip("xmllint (libxml2-utils) is missing")
	}
	least := someRecord()
	least.ID, least.SystemName, least.Level, least.Args, least.UserPerson, least.Patient = NewID(), "", "", "", nil, nil
	file := filepath.Join(t.TempDir(), "message.xml")
	for name, records := range map[string][]Record{"all there is": {someRecord()}, "the least": {least}, "two": {someRecord(), least}} {
		var text bytes.Buffer
		if err := WriteStoreLog(&text, records); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		schema := filepath.Join("..", "..", "testdata", "storelog", "StoreLogResponder_2.0.xsd")
		if out, err := exec.CommandContext(t.Context(), program, "--noout", "--nonet", "--schema", schema, file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}

func TestStoreLogText(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	if err := WriteStoreLog(&text, []Record{someRecord()}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<l:activityType>Radera</l:activityType>", "<l:startDate>2026-11-23T11:00:00.000005Z</l:startDate>",
		"<l:activityArgs>ground=&lt;wrong&gt; &amp; &#34;odd&#34;\uFFFD</l:activityArgs>", "<l:userId>SE2321000016-1A2B</l:userId><l:personId><l:root>"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%s is not in %s", want, &text)
		}
	}
}

func TestRecordsThatWouldBeRefused(t *testing.T) {
	t.Parallel()
	for says, spoil := range map[string]func(*Record){
		"logId is missing":               func(r *Record) { r.ID = uuid.Nil },
		"userId is no HSA-id":            func(r *Record) { r.UserID = "198507099805" },
		"systemId is no HSA-id":          func(r *Record) { r.SystemID = "" },
		"careProviderId is no HSA-id":    func(r *Record) { r.CareProvider.ID = "SE23-Å" },
		"careUnitId is no HSA-id":        func(r *Record) { r.CareUnit = Organisation{} },
		"activityType is missing":        func(r *Record) { r.Activity = "" },
		"startDate is missing":           func(r *Record) { r.Start = time.Time{} },
		"purpose is longer than 256":     func(r *Record) { r.Purpose = strings.Repeat("å", 257) },
		"activityArgs is longer than 81": func(r *Record) { r.Args = strings.Repeat("x", 8193) },
	} {
		r := someRecord()
		spoil(&r)
		var text bytes.Buffer
		err := WriteStoreLog(&text, []Record{someRecord(), r})
		if err == nil || !strings.Contains(err.Error(), says) || text.Len() > 0 || strings.Contains(err.Error(), "9805") {
			t.Errorf("%s: %v, %d bytes written", says, err, text.Len())
		}
	}
	for _, n := range []int{0, MaxStoreLog + 1} {
		if err := WriteStoreLog(&bytes.Buffer{}, make([]Record, n)); !errors.Is(err, ErrTooManyRecords) {
			t.Errorf("%d records: %v", n, err)
		}
	}
	if text := fmt.Sprintf("%+v", someRecord()); text != "[log record]" {
		t.Error(text)
	}
}
