package mockregister

import (
	"regexp"
	"testing"

	"pgregory.net/rapid"

	"contactsync/contracts/personv4"
)

func TestWhatIsLoggableIsJudgedAsByItsExpressions(t *testing.T) {
	t.Parallel()
	root, extension := regexp.MustCompile(`^[0-9.]{1,64}$`), regexp.MustCompile(`^[0-9A-Za-z-]{1,40}$`)
	odd := rapid.StringOfN(rapid.SampledFrom([]rune("09.-:/@AZ[`az{ é\n\x00")), 0, 3, -1)
	rapid.Check(t, func(t *rapid.T) {
		id := personv4.ID{Root: rapid.StringMatching(`[0-9.]{0,66}`).Draw(t, "root"), Extension: rapid.StringMatching(`[0-9A-Za-z-]{0,42}`).Draw(t, "extension")}
		if rapid.Bool().Draw(t, "odd root") {
			id.Root += odd.Draw(t, "root's end")
		}
		if rapid.Bool().Draw(t, "odd extension") {
			id.Extension = odd.Draw(t, "extension's begin") + id.Extension
		}
		if want := root.MatchString(id.Root) && extension.MatchString(id.Extension); loggable(id) != want {
			t.Fatalf("%q %q: %v, want %v", id.Root, id.Extension, loggable(id), want)
		}
	})
}
