package personv4

import (
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"contactsync/contracts/rivta"
	"contactsync/contracts/xsd"
)

const (
	testdata = "../../testdata/contracts/"
	official = "../../../shared/rivta/schemas/"
)

// missing skips the test where a tool or the official schemas are absent, and fails it where they must be there.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing", what)
	}
	t.Skipf("%s is missing: not tested", what)
}

// requireOfficial returns the folder of the official schemas.
func requireOfficial(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(official)
	if err == nil {
		_, err = os.Stat(dir)
	}
	if err != nil {
		missing(t, "the folder of the official schemas")
	}
	return dir
}

// judgement is a row of judged.csv: a message made by replacing text in one of the four, and whether it is valid.
type judgement struct {
	good     bool
	message  string
	sentence string
	text     string
}

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
		verdict, message, sentence, find, replace := row[0], row[1], row[2], row[3], row[4]
		text := read(t, message+".xml")
		if !strings.Contains(text, find) {
			t.Fatalf("%s: nothing to replace", sentence)
		}
		if find != "" {
			text = strings.ReplaceAll(text, find, replace)
		}
		list = append(list, judgement{verdict == "good", message, sentence, text})
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

// TestAllJudgeAlike holds three judges against each row: our decoder, the schemas we serve, and the official ones.
func TestAllJudgeAlike(t *testing.T) {
	t.Parallel()
	for _, twin := range []bool{false, true} {
		t.Run(GetOperation(twin).Name, func(t *testing.T) {
			t.Parallel()
			rows := judgements(t)
			for i := range rows {
				if twin {
					rows[i].text = unrestricted(rows[i].text)
				}
			}
			t.Run("decoder", func(t *testing.T) { testDecoder(t, rows, twin) })
			t.Run("served schemas", func(t *testing.T) { testSchemas(t, rows, servedSchemas(t, twin)) })
			t.Run("official schemas", func(t *testing.T) { testSchemas(t, rows, officialSchemas(t, twin)) })
		})
	}
}

func testDecoder(t *testing.T, rows []judgement, twin bool) {
	for _, row := range rows {
		if err := judge(row.message, row.text, twin); (err == nil) != row.good {
			t.Errorf("%s: %s: error %v, want good %v", row.message, row.sentence, err, row.good)
		}
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
				t.Errorf("%s: %s: valid %v, want %v", row.message, row.sentence, valid, row.good)
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
	return writeSchemas(t, twin, func(file string) string { return file })
}

// officialSchemas are the official ones. Of Get there is none: its record is judged by the official core schema, inside
// our own schema of request and answer.
func officialSchemas(t *testing.T, twin bool) map[string]string {
	t.Helper()
	dir := requireOfficial(t)
	paths := writeSchemas(t, twin, func(string) string { return filepath.Join(dir, "core_components", coreFile) })
	name := UpdateOperation(twin).Name
	paths["update"] = filepath.Join(dir, "interactions", name+"Interaction", name+"Responder_4.0.xsd")
	return paths
}

func writeSchemas(t *testing.T, twin bool, address func(string) string) map[string]string {
	t.Helper()
	dir := t.TempDir()
	write := func(d rivta.Documents, name string) string {
		text, ok := d.Find(name, address)
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
