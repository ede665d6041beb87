package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"contactsync/cmd/internal/devstack"
	"contactsync/consent/event"
	"contactsync/consent/reason"
	"contactsync/consent/stream"
)

type emitFlags struct {
	kafka, prefix, data, pepperFile string
	checked                         bool
}

func emitCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "emit FILE|-",
		Short: "Send events to Kafka, as an e-service would",
		Long: `Sends events, one CloudEvent in JSON format a line, data being the decision; a missing id or time is filled in.
They are sent in binary mode, each under its person's key, as they were written. What the worker will refuse is printed
on standard error as by check, and sent nevertheless: its outcome says the same. With --checked it is not sent.
Exit code 1 if any line was not sent.`,
		Example: "  contactsync emit --data DIR events.jsonl\n  contactsync emit --kafka localhost:9092 --pepper-file pepper.secret - < events.jsonl",
		Args:    cobra.ExactArgs(1),
	}
	var flags emitFlags
	c.Flags().StringVar(&flags.kafka, "kafka", "", "`HOST:PORT` of Kafka, several with commas between")
	c.Flags().StringVar(&flags.prefix, "kafka-prefix", os.Getenv("CONTACTSYNC_KAFKA_PREFIX"),
		"with --kafka: `TEXT` that begins the names of the installation's topics (CONTACTSYNC_KAFKA_PREFIX)")
	c.Flags().StringVar(&flags.data, "data", "", "data `DIR` of a running dev, to find its Kafka")
	c.Flags().StringVar(&flags.pepperFile, "pepper-file", os.Getenv("CONTACTSYNC_PEPPER_FILE"),
		"`FILE` with the pepper of the keys (CONTACTSYNC_PEPPER_FILE); without it, and with --data, the published one of development")
	c.Flags().BoolVar(&flags.checked, "checked", false, "do not send what the worker would refuse")
	c.RunE = func(c *cobra.Command, args []string) error { return emitFile(c, flags, args[0]) }
	return c
}

func emitFile(c *cobra.Command, flags emitFlags, name string) error {
	where, err := flags.where()
	if err != nil {
		return err
	}
	pepper, err := flags.pepper()
	if err != nil {
		return err
	}
	in, err := openFile(c, name)
	if err != nil {
		return err
	}
	defer in.Close()
	publisher, err := stream.NewPublisher(where)
	if err != nil {
		return err
	}
	e := emitter{
		publisher: publisher, pepper: pepper, checked: flags.checked, now: time.Now, newID: uuid.NewString,
		bad: func(line int, f event.Finding) error { return printFinding(c.ErrOrStderr(), line, f) },
	}
	err = errors.Join(e.run(c.Context(), in), publisher.Close())
	fmt.Fprintln(c.OutOrStdout(), e.said())
	if err == nil && e.held > 0 {
		return exitError{exitFailure}
	}
	return err
}

func (f emitFlags) where() (c stream.Config, err error) {
	if f.kafka != "" {
		return stream.Config{Brokers: strings.Split(f.kafka, ","), Prefix: f.prefix}, nil
	}
	if f.data == "" {
		return c, usageError{errors.New("where is Kafka? Give --kafka HOST:PORT, or --data DIR of a running dev")}
	}
	endpoints, err := devstack.ReadEndpoints(f.data)
	if err != nil {
		return c, fmt.Errorf("find Kafka by --data: %w", err)
	}
	return stream.Config{Brokers: []string{endpoints.Kafka}}, nil
}

func (f emitFlags) pepper() ([]byte, error) {
	switch {
	case f.pepperFile == "" && f.kafka != "":
		return nil, usageError{errors.New("--kafka needs --pepper-file: keys under the published pepper of development would tell who is who")}
	case f.pepperFile == "":
		return []byte(event.DevelopmentPepper), nil
	}
	pepper, err := os.ReadFile(f.pepperFile)
	if err != nil {
		return nil, fmt.Errorf("read the pepper: %w", err)
	}
	if pepper = bytes.TrimRight(pepper, "\r\n"); len(pepper) == 0 {
		return nil, fmt.Errorf("read the pepper: %s is empty", f.pepperFile)
	}
	return pepper, nil
}

// What is gathered before it is sent: enough for a good rate, little enough for one request.
const (
	emitRecords = 500
	emitBytes   = 512 << 10
	// maxEmit is what Kafka takes in a record unless told otherwise, less room for names of headers.
	maxEmit = 1<<20 - 16<<10
)

type publisher interface {
	Publish(ctx context.Context, messages ...stream.Message) error
}

// emitter sends the lines of one file.
type emitter struct {
	publisher publisher
	pepper    []byte
	checked   bool
	now       func() time.Time
	newID     func() string
	bad       func(line int, f event.Finding) error // told of each line that is wrong

	waiting       []stream.Message
	waitingBytes  int
	waitingDoomed int // what the worker will refuse
	sent, held    int // lines
	doomed        int // of those that were sent
}

// said sums up.
func (e *emitter) said() string {
	said := fmt.Sprintf("%d sent, %d not sent", e.sent, e.held)
	if e.doomed > 0 {
		said += fmt.Sprintf("; the worker will refuse %d", e.doomed)
	}
	return said
}

// run sends line by line, in order, and at once when nothing more is at hand: standard input may be a person typing.
func (e *emitter) run(ctx context.Context, in io.Reader) error {
	for line, err := range event.Lines(in) {
		if err != nil {
			return fmt.Errorf("read line %d: %w", line.Number, err)
		}
		if err := e.take(line); err != nil {
			return err
		}
		if !line.More || len(e.waiting) >= emitRecords || e.waitingBytes >= emitBytes {
			if err := e.flush(ctx); err != nil {
				return err
			}
		}
	}
	return e.flush(ctx)
}

// take adds a line to what is waiting, or tells why not.
func (e *emitter) take(line event.FileLine) error {
	if line.TooLong || len(line.Text) > maxEmit {
		return e.hold(line.Number, event.Finding{Code: reason.FormLineTooLong})
	}
	read, err := event.ReadLine(line.Text, e.now(), e.newID)
	if err != nil {
		return e.hold(line.Number, event.Finding{Code: reason.Of(err)})
	}
	if found := judge(read, e.now()); len(found) > 0 {
		if e.checked {
			return e.hold(line.Number, found[0])
		}
		e.waitingDoomed++
		if err := e.bad(line.Number, found[0]); err != nil {
			return err
		}
	}
	e.waiting = append(e.waiting, e.message(read))
	e.waitingBytes += len(line.Text)
	return nil
}

func (e *emitter) hold(line int, f event.Finding) error {
	e.held++
	return e.bad(line, f)
}

func (e *emitter) message(line event.Line) stream.Message {
	m := stream.Message{Topic: event.TopicDecisions, Value: bytes.Clone(line.Value)} // the line's memory is used again
	if line.Unreadable == "" {
		m.Key = []byte(line.RawPerson.Key(e.pepper))
	}
	for _, h := range line.Headers {
		m.Headers = append(m.Headers, stream.Header(h))
	}
	return m
}

func (e *emitter) flush(ctx context.Context) error {
	if len(e.waiting) == 0 {
		return nil
	}
	if err := e.publisher.Publish(ctx, e.waiting...); err != nil {
		return tryAgainError{fmt.Errorf("send to Kafka: %w", err)}
	}
	e.sent, e.doomed = e.sent+len(e.waiting), e.doomed+e.waitingDoomed
	e.waiting, e.waitingBytes, e.waitingDoomed = nil, 0, 0
	return nil
}
