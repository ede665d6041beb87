package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"contactsync/consent/pgcluster"

	"github.com/google/go-cmp/cmp"
)

const (
	readme    = "../../../README.md"
	lookAgain = 20 * time.Second // far above what a push takes: a busy machine is no failure here
)

// TestReadmeCommands does what the README's first steps say: it runs each block marked "sh run" in turn, with the command on
// PATH and dev running on DIR. A "text" block right behind one is what it prints: white space counts as one blank, … stands
// for anything. As a reader would, it looks again when that is not there yet.
func TestReadmeCommands(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "curl", "kcat", "openssl"} {
		needs(t, tool)
	}
	data := t.TempDir()
	Start(t, "--data", data)
	follow(t, readme, t.TempDir(), "DIR="+data)
}

// TestCmdReadmeByHand does what cmd/README.md says: every service started by hand, on Apache Kafka and PostgreSQL.
func TestCmdReadmeByHand(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "curl", "openssl"} {
		needs(t, tool)
	}
	f := startGround(t)
	work := t.TempDir()
	f.must(os.WriteFile(filepath.Join(work, "owner.secret"), []byte(rolePassword), 0o600))
	t.Cleanup(func() { killAll(t, work) })
	follow(t, filepath.Join(filepath.Dir(readme), "cmd", "README.md"), work, "KAFKA="+f.At.Kafka, "POSTGRES="+hostOf(t, f.Postgres.URL()))
}

// killAll ends what a reader would have to end by hand if a step fails.
func killAll(t *testing.T, work string) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(work, "*.pid"))
	for _, file := range files {
		text, _ := os.ReadFile(file)
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it has ended already, unless a step failed
		}
		if log, err := os.ReadFile(strings.TrimSuffix(file, ".pid") + ".log"); t.Failed() && err == nil {
			t.Logf("%s:\n%s", filepath.Base(file), tail(string(log), 1000))
		}
	}
}

// follow runs the steps of a README in turn.
func follow(t *testing.T, file, work string, env ...string) {
	t.Helper()
	steps := stepsIn(read(t, filepath.Dir(file), filepath.Base(file)))
	if len(steps) == 0 {
		t.Fatal("the README has no block marked as: sh run")
	}
	for _, s := range steps {
		fault := s.run(t, work, env...)
		if s.prints != "" {
			for until := time.Now().Add(lookAgain); fault != "" && time.Now().Before(until); {
				fault = s.run(t, work, env...)
			}
		}
		if fault != "" {
			t.Fatalf("line %d of the README %s", s.line, fault)
		}
	}
}

func TestReadmeLinks(t *testing.T) {
	t.Parallel()
	folder := filepath.Dir(readme)
	for _, link := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(read(t, folder, filepath.Base(readme)), -1) {
		file, section, _ := strings.Cut(link[1], "#")
		if strings.Contains(file, "://") {
			continue
		}
		if file == "" {
			file = filepath.Base(readme)
		}
		if _, err := os.Stat(filepath.Join(folder, file)); err != nil {
			t.Error(err)
		} else if section != "" && !slices.Contains(sectionsOf(read(t, folder, file)), section) {
			t.Errorf("%s has no section %q", file, section)
		}
	}
}

// sectionsOf are the anchors of a text's headings, as GitHub makes them.
func sectionsOf(text string) (sections []string) {
	unwanted := regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		sections = append(sections, strings.ReplaceAll(unwanted.ReplaceAllString(strings.ToLower(heading[1]), ""), " ", "-"))
	}
	return sections
}

func TestStepsInAText(t *testing.T) {
	t.Parallel()
	text := "words\n```sh\nnot run\n```\n```sh run\none\n\ntwo\n```\n```text\nout  …\n```\n" +
		"```sh run exit=75\nthree\n```\n\n```text\nnobody's\n```\n```sh run\nfour\n```\n"
	want := []step{{5, "one\n\ntwo\n", 0, "out  …\n"}, {13, "three\n", 75, ""}, {20, "four\n", 0, ""}}
	if diff := cmp.Diff(want, stepsIn(text), cmp.AllowUnexported(step{})); diff != "" {
		t.Error("(-want +got)\n" + diff)
	}
}

func TestStepThatDoesNotDoAsTheReadmeSays(t *testing.T) {
	t.Parallel()
	for script, row := range map[string]struct {
		exit   int
		prints string
		holds  bool
	}{
		"echo a  b; echo c":              {0, "a b\nc\n", true},
		"echo a b":                       {0, "a … …\n", false},
		"echo 'a xyz.'":                  {0, "a …y….\n", true},
		"echo a; echo b":                 {0, "a\n", false},
		"exit 3":                         {3, "", true},
		"true":                           {1, "", false},
		"false | true":                   {0, "", false},
		"false; true":                    {0, "", false},
		"echo $UNSET":                    {0, "", false},
		"echo $DIR; contactsync version": {0, "data contactsync…", true},
	} {
		s := step{script: script, exit: row.exit, prints: row.prints}
		if fault := s.run(t, t.TempDir(), "DIR=data"); (fault == "") != row.holds {
			t.Errorf("%s: %q", script, fault)
		}
	}
}

// needs skips the test where a program is missing, or fails it if CI=true.
func needs(t *testing.T, tool string) {
	t.Helper()
	if _, err := exec.LookPath(tool); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(tool + " is missing")
	}
	t.Skip(tool + " is missing")
}

// step is a block of commands in the README.
type step struct {
	line   int // on which the block begins
	script string
	exit   int
	prints string // empty: whatever it prints
}

// run returns what is not as the README says, or "".
func (s step) run(t *testing.T, work string, env ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", s.script)
	cmd.Dir = work
	cmd.Env = append(append(unlikeOurs(os.Environ()), env...), "PATH="+filepath.Dir(Binary(t))+":"+os.Getenv("PATH"))
	var out, told bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &told
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	switch {
	case cmd.ProcessState.ExitCode() != s.exit:
		return fmt.Sprintf("ends with exit code %d, want %d: %s", cmd.ProcessState.ExitCode(), s.exit, &told)
	case s.prints != "" && !printed(s.prints).MatchString(oneBlank(out.String())):
		return fmt.Sprintf("prints\n%s%s", &out, &told)
	}
	return ""
}

// unlikeOurs leaves out what our own tests are told: to a service these are variables that nobody knows.
func unlikeOurs(environ []string) []string {
	return slices.DeleteFunc(environ, func(line string) bool {
		return strings.HasPrefix(line, "CONTACTSYNC_") && !strings.HasPrefix(line, pgcluster.BinariesEnv+"=")
	})
}

func printed(text string) *regexp.Regexp {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(oneBlank(text)), "…", ".*") + "$")
}

func oneBlank(text string) string { return strings.Join(strings.Fields(text), " ") }

var fence = regexp.MustCompile("^```(\\S*)(?: (run)(?: exit=(\\d+))?)?$")

// stepsIn reads the blocks that are marked. Text behind anything else than a block of commands is nobody's output.
func stepsIn(text string) (steps []step) {
	lines := bufio.NewScanner(strings.NewReader(text))
	var kind string // of the block that is open
	behind := false // nothing has come since a step
	for number := 1; lines.Scan(); number++ {
		mark := fence.FindStringSubmatch(lines.Text())
		switch {
		case mark == nil && kind == "":
			behind = false
		case mark == nil && kind == "run":
			steps[len(steps)-1].script += lines.Text() + "\n"
		case mark == nil && kind == "text":
			steps[len(steps)-1].prints += lines.Text() + "\n"
		case mark == nil:
		case kind != "": // the end of a block
			behind, kind = kind == "run", ""
		case mark[2] == "run":
			exit, _ := strconv.Atoi("0" + mark[3])
			steps = append(steps, step{line: number, exit: exit})
			kind = "run"
		case mark[1] == "text" && behind:
			kind = "text"
		default:
			kind = "other"
		}
	}
	return steps
}
