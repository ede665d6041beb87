package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/spf13/cobra"

	"contactsync/cmd/internal/config"
	"contactsync/consent/stream"
)

const topicsTimeout = 30 * time.Second

func topicsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "topics",
		Short: "Make the topics that Kafka lacks, and judge those that it has",
		Long: `Makes the topics that are missing, and tells what is wrong with those that are there: compaction, which would delete a
person's No because of a later Yes on the other channel, or a retention too short to survive an outage. It changes no topic.
Exit code 1 if something is wrong, 75 if Kafka cannot be reached.

It is told what it needs by CONTACTSYNC_ variables: ` + "`contactsync check-config topics`" + ` lists and judges them.`,
		Args: cobra.NoArgs,
	}
	partitions := c.Flags().Int("partitions", 0, "partitions of a topic that is made: as many workers can share the reading; 0: 6")
	replication := c.Flags().Int("replication", 0, "copies of a topic that is made; 0 takes the cluster's default")
	dry := c.Flags().Bool("check", false, "make nothing")
	c.RunE = func(c *cobra.Command, _ []string) error {
		settings, err := configured(config.ReadTopics)
		if err != nil {
			return err
		}
		if *partitions < 0 || *replication < 0 {
			return usageError{errors.New("--partitions and --replication are not negative")}
		}
		specs := stream.Topics()
		for i := range specs {
			specs[i].Replication = *replication
			if *partitions > 0 && specs[i].Partitions > 1 { // unreadable records are few, and one reader keeps their order
				specs[i].Partitions = *partitions
			}
		}
		ctx, cancel := context.WithTimeout(c.Context(), topicsTimeout)
		defer cancel()
		return topicsError(prepareTopics(ctx, settings, specs, *dry, c.OutOrStdout()))
	}
	return c
}

func prepareTopics(ctx context.Context, c stream.Config, specs []stream.TopicSpec, dry bool, out io.Writer) error {
	if !dry {
		made, err := stream.EnsureTopics(ctx, c, specs)
		if err != nil {
			return err
		}
		for _, name := range made {
			fmt.Fprintf(out, "made %s\n", name)
		}
	}
	notes, err := stream.CheckTopics(ctx, c, specs)
	for _, note := range notes {
		fmt.Fprintln(out, note)
	}
	if err == nil {
		fmt.Fprintf(out, "%d topics are as they must be\n", len(specs))
	}
	return err
}

// topicsError tells what may go better later from what will not.
func topicsError(err error) error {
	_, network := errors.AsType[*net.OpError](err)
	if network || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return tryAgainError{fmt.Errorf("cannot reach Kafka: %w", err)}
	}
	return err
}
