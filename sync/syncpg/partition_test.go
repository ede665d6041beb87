package syncpg_test

import (
	"testing"

	"contactsync/consent/event"
	"contactsync/consent/stream"
)

func TestWhereAPartitionIsReadFrom(t *testing.T) {
	t.Parallel()
	for sentence, test := range map[string]struct {
		durable  int64
		assigned stream.Assignment
		want     int64
	}{
		"where both say": {10, stream.Assignment{Committed: 10, HighWatermark: 30}, 10},
		"at Kafka's offset, if the database is ahead":      {20, stream.Assignment{Committed: 10, HighWatermark: 30}, 10},
		"at the database's, if it is a restored one":       {10, stream.Assignment{Committed: 20, HighWatermark: 30}, 10},
		"at what is gone, so that the loss shows":          {10, stream.Assignment{Committed: 10, LogStart: 20, HighWatermark: 30}, 10},
		"at what is gone, also if Kafka forgot its offset": {10, stream.Assignment{Committed: -1, LogStart: 20, HighWatermark: 30}, 10},
		"from the start, if Kafka forgot and all is there": {10, stream.Assignment{Committed: -1, LogStart: 5, HighWatermark: 30}, 5},
		"from the start of another, shorter log":           {10, stream.Assignment{Committed: -1, LogStart: 2, HighWatermark: 8}, 2},
		"from the start, if nobody has read it":            {0, stream.Assignment{Committed: -1, LogStart: 7, HighWatermark: 9}, 7},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			if _, err := d.pool.Exec(t.Context(), `update sync.partition set next_offset = $1`, test.durable); err != nil {
				t.Fatal(err)
			}
			starts, err := d.intake.Assigned(t.Context(), event.TopicDecisions, []stream.Assignment{test.assigned}, map[int]int64{0: test.assigned.HighWatermark})
			if err != nil || starts[0] != test.want {
				t.Errorf("starts at %d, want %d (%v)", starts, test.want, err)
			}
		})
	}
}
