package mockregister

import (
	"strings"
	"testing"
)

func TestNewNamesAllThatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := New(Config{})
	if err == nil {
		t.Fatal("an empty configuration was accepted")
	}
	for _, name := range []string{"Pool", "Now", "Log", "LogicalAddress", "AuditKey"} {
		if !strings.Contains(err.Error(), name+" is missing") {
			t.Errorf("%s is not named in: %v", name, err)
		}
	}
}
