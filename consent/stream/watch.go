package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
)

const watchEvery = 10 * time.Second

// watch returns when a partition belongs to no member of the group, or when ctx ends. kafka-go looks out for new partitions only
// after it has shared out those it knew: one that is made in between would lie unread for as long as the members stay.
func (g *generation) watch(ctx context.Context) {
	const part = "watch"
	defer g.trouble.Leave(part)
	for ctx.Err() == nil {
		orphans, err := g.orphans(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			g.trouble.Warn(part, "cannot tell whether each partition has an owner", g.link.told(err), "group", g.Group)
		case len(orphans) > 0:
			g.Log.Warn("partitions without an owner: the group is joined again", "group", g.Group, "partitions", orphans)
			pause(ctx, time.Second)
			return
		default:
			g.trouble.Over(part, "consuming again", "group", g.Group)
		}
		pause(ctx, watchEvery)
	}
}

// orphans are the partitions that no member has. While members come and go there is no telling.
func (g *generation) orphans(ctx context.Context) ([]int, error) {
	meta, err := g.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{g.wire()}})
	if err != nil {
		return nil, err
	}
	group := g.name(g.Group)
	res, err := g.client.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{group}})
	if err != nil {
		return nil, err
	}
	owned := map[int]bool{}
	for _, described := range res.Groups {
		if described.Error != nil {
			return nil, fmt.Errorf("describe the group: %w", described.Error)
		}
		if described.GroupState != "Stable" {
			return nil, nil
		}
		for _, m := range described.Members {
			for _, t := range m.MemberAssignments.Topics {
				for _, p := range t.Partitions {
					owned[p] = true
				}
			}
		}
	}
	var orphans []int
	for _, t := range meta.Topics {
		for _, p := range t.Partitions {
			if !owned[p.ID] {
				orphans = append(orphans, p.ID)
			}
		}
	}
	return orphans, nil
}
