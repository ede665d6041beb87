package kafkatest

import "testing"

func TestAPortIsGivenAwayOnceAtATime(t *testing.T) {
	t.Parallel()
	var port int
	t.Run("while a test has it", func(t *testing.T) {
		port = FreePorts(t, 1)[0]
		if reserve(t, port) {
			t.Error("it was given away twice")
		}
	})
	if !reserve(t, port) {
		t.Error("it was not given back")
	}
}
