package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// fetcher reads one partition for the length of one generation.
type fetcher struct {
	*generation
	partition int
	next      int64 // offset of the next record that is wanted
	limit     int   // records in a batch: halved after a failure, so that one bad record does not hold up the others before it
	empty     int   // fetches in a row that gave nothing though there is something
}

// mostEmpty is how often the same offset is asked for before it is passed over. A slow broker answers with nothing now and
// then; a compacted end of the log, or a marker, does so for ever.
const mostEmpty = 20

// run returns when ctx ends. Trouble is waited out here: the group's heartbeat goes on beside.
func (f *fetcher) run(ctx context.Context) {
	part := fmt.Sprintf("partition %d", f.partition)
	defer f.trouble.Leave(part)
	for ctx.Err() == nil {
		err := f.step(ctx)
		switch {
		case ctx.Err() != nil:
		case errors.Is(err, ErrForgotten):
			f.forgotten()
			f.end()
		case err != nil:
			f.trouble.Warn(part, "fetch failed", f.link.told(err), "topic", f.Topic, "partition", f.partition)
			pause(ctx, 500*time.Millisecond)
		default:
			f.trouble.Over(part, "consuming again", "group", f.Group)
		}
	}
}

func (f *fetcher) step(ctx context.Context) error {
	res, err := f.client.Fetch(ctx, &kafka.FetchRequest{
		Topic: f.wire(), Partition: f.partition, Offset: f.next, MinBytes: 1, MaxBytes: fetchBytes, MaxWait: fetchWait,
	})
	if err != nil {
		return err
	}
	if errors.Is(res.Error, kafka.OffsetOutOfRange) {
		return f.lost(ctx)
	}
	if res.Error != nil {
		return res.Error
	}
	from := f.next
	records, next, readErr := f.read(res.Records)
	if next > from || res.HighWatermark <= from || readErr != nil {
		f.empty = 0
	} else if f.empty++; f.empty < mostEmpty {
		pause(ctx, 50*time.Millisecond)
	} else {
		f.Log.Warn("offset passed over: nothing is there", "topic", f.Topic, "partition", f.partition, "offset", from)
		next, f.empty = from+1, 0
	}
	if err := f.hand(ctx, records, next, res.HighWatermark); err != nil {
		return err
	}
	if next == from {
		return readErr
	}
	return nil // what was read before a torn end is kept, the rest is fetched again
}

// lost moves past records that are gone. A log that ends before the wanted offset is another log: it is read from its start.
func (f *fetcher) lost(ctx context.Context) error {
	res, err := f.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{
		f.wire(): {kafka.FirstOffsetOf(f.partition), kafka.LastOffsetOf(f.partition)}}})
	if err != nil {
		return fmt.Errorf("ask for the log's start: %w", err)
	}
	for _, p := range res.Topics[f.wire()] {
		if p.Error != nil {
			return p.Error
		}
		l := Loss{Topic: f.Topic, Partition: f.partition, From: f.next, To: p.FirstOffset, HighWatermark: p.LastOffset}
		if err := f.handler.Lost(ctx, l); err != nil {
			return err
		}
		f.next = p.FirstOffset
		f.offsets.moved(f.partition, f.next)
	}
	return nil
}

// hand gives records to the handler in batches, each repeated until it is durable.
func (f *fetcher) hand(ctx context.Context, records []Record, end, highWatermark int64) error {
	for f.next < end && ctx.Err() == nil { // a stop waits for one batch, not for all of a fetch
		b := Batch{Topic: f.Topic, Partition: f.partition, From: f.next, Next: end, HighWatermark: highWatermark, Records: records}
		if len(records) > f.limit {
			b.Records, b.Next = records[:f.limit], records[f.limit].Offset
		}
		if err := f.handle(ctx, b); err != nil {
			f.limit = max(1, f.limit/2)
			return err
		}
		f.limit = min(f.MaxBatch, f.limit+1+f.limit/8) // slowly: a batch that takes too long was for nothing
		records, f.next = records[len(b.Records):], b.Next
		f.offsets.done(f.partition, f.next)
	}
	return nil
}

func (f *fetcher) handle(ctx context.Context, b Batch) error {
	// A batch that is under way when the generation ends is let finish: its rows are durable, and its offset goes into the last commit.
	hctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), handleTimeout)
	defer cancel()
	err := f.handler.Handle(hctx, b)
	f.health.note(err)
	if err != nil {
		return fmt.Errorf("handle records: %w", err)
	}
	return nil
}

// read takes the records at or after f.next. The second result is the offset after all that was seen, markers included.
func (f *fetcher) read(r kafka.RecordReader) ([]Record, int64, error) {
	readers := []protocol.RecordReader{r}
	if s, ok := r.(*protocol.RecordStream); ok {
		readers = s.Records
	}
	var records []Record
	next := f.next
	for _, reader := range readers {
		var err error
		switch batch := reader.(type) {
		case *protocol.ControlBatch:
			next, err = pastControl(batch, next)
		case *protocol.RecordBatch:
			records, next, err = appendRecords(records, batch, next, batch.Attributes.Transactional())
		default:
			records, next, err = appendRecords(records, batch, next, false)
		}
		if err != nil {
			return records, next, err
		}
	}
	return records, next, nil
}

func pastControl(batch *protocol.ControlBatch, next int64) (int64, error) {
	for {
		r, err := batch.ReadControlRecord()
		if errors.Is(err, io.EOF) {
			return next, nil
		}
		if err != nil {
			return next, err
		}
		next = max(next, r.Offset+1)
	}
}

func appendRecords(records []Record, r protocol.RecordReader, next int64, transactional bool) ([]Record, int64, error) {
	for {
		rec, err := r.ReadRecord()
		if errors.Is(err, io.EOF) {
			return records, next, nil
		}
		if err != nil {
			return records, next, fmt.Errorf("read record: %w", err)
		}
		key, keyErr := protocol.ReadAll(rec.Key)
		value, valueErr := protocol.ReadAll(rec.Value)
		if err := errors.Join(keyErr, valueErr); err != nil {
			return records, next, fmt.Errorf("read record: %w", err)
		}
		if rec.Offset < next {
			continue // a batch may begin before the offset that was asked for
		}
		next = rec.Offset + 1
		records = append(records, Record{Offset: rec.Offset, Key: key, Value: value, Headers: fromKafka(rec.Headers), Transactional: transactional})
	}
}

func fromKafka(headers []kafka.Header) []Header {
	size := 0
	for _, h := range headers {
		size += len(h.Value)
	}
	values := make([]byte, 0, size) // copies of all: the fetch's memory is used again
	out := make([]Header, len(headers))
	for i, h := range headers {
		out[i].Key = h.Key
		if h.Value != nil {
			start := len(values)
			values = append(values, h.Value...)
			out[i].Value = values[start:len(values):len(values)]
		}
	}
	return out
}
