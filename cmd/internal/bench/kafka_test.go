package bench

import (
	"slices"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"
)

// namesAt are all topics and groups at a broker.
func namesAt(t *testing.T, brokers []string) string {
	t.Helper()
	a := administer(brokers)
	defer a.close()
	all, err := a.Metadata(t.Context(), &kafka.MetadataRequest{})
	if err != nil {
		t.Fatal(err)
	}
	groups, err := a.ListGroups(t.Context(), &kafka.ListGroupsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, topic := range all.Topics {
		if !strings.HasPrefix(topic.Name, "__") {
			names = append(names, topic.Name)
		}
	}
	for _, g := range groups.Groups {
		names = append(names, "group "+g.GroupID)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
