package stream_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"contactsync/consent/kafkatest"
	"contactsync/consent/stream"
)

// What retention deletes before it was read is gone: that must be loud, and the rest must be read.
func TestDeletedRecordsAreReported(t *testing.T) { onEach(t, deletedRecordsAreReported) }

func deletedRecordsAreReported(t *testing.T, c stream.Config) {
	publish(t, c, numbered(0, 300)...)
	first := newCollector()
	stop := consume(t, c, first)
	first.until(t, "300 records", func() bool { return len(first.records) == 300 })
	stop()
	committed := map[int]int64{}
	for _, b := range first.batches {
		committed[b.Partition] = b.Next
	}

	publish(t, c, numbered(300, 600)...)
	deleteRecords(t, c, 0, committed[0]+10)
	second := newCollector()
	consume(t, c, second)
	second.until(t, "a loss", func() bool { return len(second.lost) > 0 })
	want := stream.Loss{Topic: topic, Partition: 0, From: committed[0], To: committed[0] + 10, HighWatermark: second.ends[0]}
	if second.lost[0] != want {
		t.Errorf("lost %+v, want %+v", second.lost[0], want)
	}
	second.until(t, "the rest", func() bool { return len(second.values()) == 290 })
}

func deleteRecords(t *testing.T, c stream.Config, partition int32, before int64) {
	t.Helper()
	request := kmsg.NewPtrDeleteRecordsRequest()
	asked := kmsg.NewDeleteRecordsRequestTopic()
	asked.Topic = c.Prefix + topic
	p := kmsg.NewDeleteRecordsRequestTopicPartition()
	p.Partition, p.Offset = partition, before
	asked.Partitions = append(asked.Partitions, p)
	request.Topics = append(request.Topics, asked)
	response, err := request.RequestWith(t.Context(), kafkatest.Client(t, c))
	if err != nil || response.Topics[0].Partitions[0].ErrorCode != 0 {
		t.Fatalf("delete records: %v %+v", err, response)
	}
}

// The same while a consumer holds the records in its hands and cannot make them durable.
func TestRecordsDeletedUnderTheConsumerAreReported(t *testing.T) {
	onEach(t, recordsDeletedUnderTheConsumerAreReported)
}

func recordsDeletedUnderTheConsumerAreReported(t *testing.T, c stream.Config) {
	publish(t, c, numbered(0, 300)...)
	h := newCollector()
	h.fail = 1 << 30
	consume(t, c, h)
	h.until(t, "a failure", func() bool { return h.fail < 1<<30 })
	end := h.ends[0]
	deleteRecords(t, c, 0, end-5)
	h.until(t, "a loss", func() bool { return len(h.lost) > 0 })
	h.mu.Lock()
	h.fail = 0
	h.mu.Unlock()
	publish(t, c, numbered(300, 400)...)
	if l := h.lost[0]; l.Topic != topic || l.Partition != 0 || l.From != 0 || l.To != end-5 || l.HighWatermark < end {
		t.Errorf("lost %+v, want 0 to %d of partition 0", l, end-5)
	}
	h.until(t, "the rest", func() bool { return len(h.values()) == 400-int(end-5) })
	if len(h.lost) != 1 {
		t.Errorf("lost %+v", h.lost)
	}
}
