package personv3

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
	"contactsync/contracts/xsd"
)

const testdata = "../../testdata/contracts/"

// missing skips the test where a tool is absent, and fails it where it must be there.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing", what)
	}
	t.Skipf("%s is missing: not tested", what)
}

// later are the elements that came with the next major.
var later = regexp.MustCompile(`\s*<(?:[rc]:)(digitalNotification|optoutPaperNotification|protectedPopulationRecord|updateTime)>.*`)

// older turns a message of the next major into one of this.
func older(text string) string {
	text = later.ReplaceAllString(text, "")
	return strings.NewReplacer("Responder:4", "Responder:3", "persons:person:5", "persons:person:3").Replace(text)
}

// judgement is a message, and whether it is valid.
type judgement struct {
	good                    bool
	message, sentence, text string
}

// judgements are those of judged.csv that say something of this major too. What brings an element of the next one is bad here.
func judgements(t *testing.T) []judgement {
	t.Helper()
	file, err := os.Open(testdata + "judged.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var list []judgement
	for _, row := range rows[1:] {
		good, message, sentence, find, replace := row[0] == "good", row[1], row[2], row[3], row[4]
		text := older(read(t, message+".xml"))
		if !strings.Contains(text, find) {
			continue // it is about an element of the next major
		}
		if find != "" {
			text = strings.ReplaceAll(text, find, replace)
		}
		list = append(list, judgement{good && !later.MatchString("\n"+replace), message, sentence, text})
	}
	if len(list) < 130 {
		t.Fatalf("%d of %d rows are about this major", len(list), len(rows))
	}
	for place, element := range map[string]string{
		"</c:period>": "<c:digitalNotification>true</c:digitalNotification>", "</r:contactPerson>": "<r:optoutPaperNotification>true</r:optoutPaperNotification>",
	} {
		text := strings.ReplaceAll(older(read(t, "update.xml")), place, place+element)
		list = append(list, judgement{false, "update", "an element of the next major in this one's namespace", text})
	}
	return list
}

func read(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(testdata + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// unrestricted turns a message into that of the twin.
func unrestricted(text string) string {
	return strings.NewReplacer(
		"updatePersonContactInformationResult", "UpdatePersonContactInformationUnrestrictedResult",
		"UpdatePersonContactInformation", "UpdatePersonContactInformationUnrestricted",
		"GetPersonContactInformation", "GetPersonContactInformationUnrestricted",
	).Replace(text)
}

// judge decodes a message as client and server do.
func judge(message, text string, twin bool) error {
	e, err := rivta.Parse(strings.NewReader(text), rivta.Limits{})
	if err != nil {
		return err
	}
	get, update := GetOperation(twin), UpdateOperation(twin)
	switch message {
	case "get":
		return xsd.Decode(get.Request(), &lookup{}, e)
	case "get_response":
		return xsd.Decode(get.Response(), &found{}, e)
	case "update":
		return xsd.Decode(update.Request(), &Update{}, e)
	case "update_response":
		return xsd.Decode(update.Response(), &changed{name: resultName(twin)}, e)
	}
	return fmt.Errorf("no message %s", message)
}

// TestBothJudgeAlike holds two judges against each row: our decoder and the schemas we serve.
func TestBothJudgeAlike(t *testing.T) {
	t.Parallel()
	for _, twin := range []bool{false, true} {
		t.Run(GetOperation(twin).Name, func(t *testing.T) {
			t.Parallel()
			rows := judgements(t)
			for i, row := range rows {
				if twin {
					rows[i].text = unrestricted(row.text)
				}
				if err := judge(row.message, rows[i].text, twin); (err == nil) != row.good {
					t.Errorf("decoder: %s: %s: error %v, want good %v", row.message, row.sentence, err, row.good)
				}
			}
			testSchemas(t, rows, servedSchemas(t, twin))
		})
	}
}

// testSchemas judges all rows by the schema of their message.
func testSchemas(t *testing.T, rows []judgement, schemaOf map[string]string) {
	dir := t.TempDir()
	files := map[string][]string{} // by schema
	byFile := map[string]judgement{}
	for i, row := range rows {
		file := filepath.Join(dir, fmt.Sprintf("%03d.xml", i))
		if err := os.WriteFile(file, []byte(row.text), 0o600); err != nil {
			t.Fatal(err)
		}
		path := schemaOf[strings.TrimSuffix(row.message, "_response")]
		files[path] = append(files[path], file)
		byFile[file] = row
	}
	for path, batch := range files {
		for file, valid := range xmllint(t, path, batch) {
			if row := byFile[file]; valid != row.good {
				t.Errorf("schema: %s: %s: valid %v, want %v", row.message, row.sentence, valid, row.good)
			}
		}
	}
}

// xmllint tells which of the files are valid by the schema.
func xmllint(t *testing.T, schema string, files []string) map[string]bool {
	t.Helper()
	program, err := exec.LookPath("xmllint")
	if err != nil {
		missing(t, "xmllint (libxml2-utils)")
	}
	args := append([]string{"--noout", "--nonet", "--schema", schema}, files...)
	output, _ := exec.CommandContext(t.Context(), program, args...).CombinedOutput() // exits 3 when any file is invalid
	verdicts := map[string]bool{}
	for line := range strings.Lines(string(output)) {
		line = strings.TrimSpace(line)
		if file, ok := strings.CutSuffix(line, " fails to validate"); ok {
			verdicts[file] = false
		} else if file, ok := strings.CutSuffix(line, " validates"); ok {
			verdicts[file] = true
		}
	}
	if len(verdicts) != len(files) {
		t.Fatalf("xmllint judged %d of %d files:\n%s", len(verdicts), len(files), output)
	}
	return verdicts
}

// servedSchemas writes what the endpoints serve into files, and returns the responder schemas for "get" and "update".
func servedSchemas(t *testing.T, twin bool) map[string]string {
	t.Helper()
	dir := t.TempDir()
	write := func(d rivta.Documents, name string) string {
		text, ok := d.Find(name, func(file string) string { return file })
		if !ok {
			t.Fatalf("no document %s", name)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	get, update := documents(GetOperation(twin)), documents(UpdateOperation(twin))
	write(get, coreFile)
	return map[string]string{"get": write(get, get.ResponderFile()), "update": write(update, update.ResponderFile())}
}

// FuzzDecode feeds any text to all four decoders. What one accepts must survive being written and read again.
func FuzzDecode(f *testing.F) {
	for _, name := range []string{"get", "get_response", "update", "update_response"} {
		f.Add(older(read(f, name+".xml")))
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := rivta.Parse(strings.NewReader(text), rivta.Limits{})
		if err != nil {
			return
		}
		get, update := GetOperation(false), UpdateOperation(false)
		stable(t, get.Request(), e, func() *lookup { return &lookup{} })
		stable(t, get.Response(), e, func() *found { return &found{} })
		stable(t, update.Request(), e, func() *Update { return &Update{} })
		stable(t, update.Response(), e, func() *changed { return &changed{name: resultName(false)} })
	})
}

func stable[B xsd.Body](t *testing.T, name xml.Name, e rivta.Element, fresh func() B) {
	t.Helper()
	first, second := fresh(), fresh()
	if xsd.Decode(name, first, e) != nil {
		return
	}
	once, err := xsd.Encode(name, first)
	if err != nil {
		t.Fatalf("what was read cannot be written: %v", err)
	}
	if e, err = rivta.Parse(bytes.NewReader(once), rivta.Limits{Bytes: 8 << 20}); err != nil {
		t.Fatalf("what was written is refused: %v", err)
	}
	if err := xsd.Decode(name, second, e); err != nil {
		t.Fatalf("what was written cannot be read: %v", err)
	}
	twice, err := xsd.Encode(name, second)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(once), string(twice)); diff != "" {
		t.Fatalf("(-once +twice):\n%s", diff)
	}
}

func TestNothingPersonalIsPrinted(t *testing.T) {
	t.Parallel()
	const secret = "201701012393"
	id := personv4.ID{Root: personv4.RootPersonnummer, Extension: secret}
	entry := Entry{Type: "tel", Value: new(secret)}
	for _, value := range []any{entry, []Entry{entry}, Record{Person: id, Entries: []Entry{entry}}, Actor{ID: id},
		ContactPerson{GivenName: new(secret)}, Update{Person: id}, Result{Text: secret}} {
		var logged strings.Builder
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("", "value", value)
		text, _ := json.Marshal(value)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			logged.WriteString(fmt.Sprintf(verb, value))
		}
		if all := logged.String() + string(text); strings.Contains(all, secret) || strings.Contains(all, fmt.Sprintf("%x", secret)) {
			t.Errorf("%T prints what it holds: %s", value, all)
		}
	}
}
