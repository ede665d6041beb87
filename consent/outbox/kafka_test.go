package outbox_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"contactsync/consent/kafkatest"
	"contactsync/consent/outbox"
	"contactsync/consent/stream"
)

// What lies in the table stands on Kafka as it was written, in order per person, and goes away.
func TestRowsReachKafkaInOrderPerPerson(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, c stream.Config) {
		kafkatest.Topics(t, c, stream.TopicSpec{Name: "topic", Partitions: 3})
		pool := database(t)
		write(t, pool, 0, 1200)
		publisher, err := stream.NewPublisher(c)
		if err != nil {
			t.Fatal(err)
		}
		r, err := outbox.New(outbox.Config{Pool: pool, Schema: "s", Publisher: publisher, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		running, stop := context.WithCancel(t.Context())
		var wait sync.WaitGroup
		wait.Go(func() { r.Run(running) })
		t.Cleanup(func() {
			stop()
			wait.Wait()
			if err := publisher.Close(); err != nil {
				t.Error(err)
			}
		})

		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		k := kafkatest.Client(t, c, kgo.ConsumeTopics(c.Prefix+"topic"))
		next := map[string]int{}
		for n := 0; n < 1200; {
			fetched := k.PollFetches(ctx)
			if err := fetched.Err0(); err != nil {
				t.Fatalf("after %d records: %v", n, err)
			}
			fetched.EachRecord(func(r *kgo.Record) {
				i, ok := next[string(r.Key)]
				if !ok {
					_, _ = fmt.Sscanf(string(r.Key), "k%d", &i)
				}
				if string(r.Value) != fmt.Sprint(i) || len(r.Headers) != 2 || r.Headers[1].Key != "n" || string(r.Headers[1].Value) != fmt.Sprint(i) {
					t.Fatalf("record %s of %s with headers %q, want %d", r.Value, r.Key, r.Headers, i)
				}
				next[string(r.Key)] = i + 7
				n++
			})
		}
		for left := 1; left > 0; {
			if err := pool.QueryRow(ctx, `select count(*) from s.outbox`).Scan(&left); err != nil {
				t.Fatal(err)
			}
		}
	})
}
