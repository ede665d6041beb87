package mockregister

import (
	"log/slog"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// One statement changes many records, each in its own way, and has a signal for whatever may have changed in each.
func TestAStatementTellsOfEachRecordWhatChanged(t *testing.T) {
	t.Parallel()
	w := seeded(t, slog.DiscardHandler)
	must(w.pool.Exec(t.Context(), `
		update register.persons set
			version = case state when 'contact_persons' then version else '20990101000000' end,
			own_version = case when state in ('contact_persons', 'staff_entries') then own_version else '20990101000000' end,
			mobile = case state when 'both_channels' then '+46701740699' else mobile end,
			email = case when state in ('both_channels', 'empty') then 'another@example.se' else email end,
			name = 'Another'
		where state in ('empty', 'both_channels', 'staff_entries', 'paper_opt_out', 'contact_persons')`))(t)
	var got []string
	for _, signal := range w.sequenceAll(t) {
		for state, p := range w.persons {
			if p.Extension == signal.Person.Extension {
				got = append(got, state+" "+string(signal.Channel)+" "+signal.Version)
			}
		}
	}
	if first := slices.Index(got, "both_channels mobile 20990101000000"); first < 0 || got[first+1] != "both_channels email 20990101000000" {
		t.Errorf("the signals of one person stand apart: %v", got)
	}
	slices.Sort(got)
	want := []string{"both_channels email 20990101000000", "both_channels mobile 20990101000000", "empty email 20990101000000",
		"staff_entries email 20990101000000", "staff_entries mobile 20990101000000"} // of paper_opt_out no own detail changed
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
