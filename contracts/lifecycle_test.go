package contracts_test

import (
	"testing"
	"time"

	"contactsync/contracts"
)

func TestLifecyclesAreInOrder(t *testing.T) {
	t.Parallel()
	for _, c := range contracts.All() {
		life, ok := contracts.Of(c)
		switch {
		case !ok || life.Introduced.IsZero():
			t.Errorf("%s was never introduced", c)
		case !life.Deprecated.IsZero() && life.Deprecated.Before(life.Introduced),
			!life.Sunset.IsZero() && !life.Sunset.After(life.Deprecated):
			t.Errorf("%s: introduced %v, deprecated %v, sunset %v", c, life.Introduced, life.Deprecated, life.Sunset)
		case life.Deprecated.IsZero() != (life.Successor == 0), life.Deprecated.IsZero() && !life.Sunset.IsZero():
			t.Errorf("%s ends, and there is nothing to move to, or nobody is told", c)
		}
		if life.Successor != 0 {
			if next, ok := contracts.Of(contracts.Contract{Name: c.Name, Major: life.Successor}); !ok || !next.Deprecated.IsZero() ||
				next.Introduced.After(life.Deprecated) {
				t.Errorf("%s has no successor that one could move to", c)
			}
		}
	}
}

func TestStagesOfALife(t *testing.T) {
	t.Parallel()
	third, _ := contracts.Of(contracts.Contract{Name: "GetPersonContactInformation", Major: 3})
	fourth, _ := contracts.Of(contracts.Contract{Name: "GetPersonContactInformation", Major: 4})
	for _, row := range []struct {
		now              time.Time
		deprecated, past bool
	}{
		{third.Deprecated.Add(-1), false, false},
		{third.Deprecated, true, false},
		{third.Sunset.Add(-1), true, false},
		{third.Sunset, true, true},
	} {
		if third.IsDeprecated(row.now) != row.deprecated || third.IsPast(row.now) != row.past {
			t.Errorf("%v: deprecated %v, past its sunset %v", row.now, third.IsDeprecated(row.now), third.IsPast(row.now))
		}
		if fourth.IsDeprecated(row.now) || fourth.IsPast(row.now) {
			t.Errorf("%v: a contract without an end ends", row.now)
		}
	}
}

func TestContractsAsText(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{
		"GetPersonContactInformation/3": true, "GetPersonContactInformation": false, "GetPersonContactInformation/": false,
		"GetPersonContactInformation/3.1": false, "GetPersonContactInformation/03": false, "GetPersonContactInformation/+3": false, "": false,
	} {
		c, err := contracts.ParseContract(text)
		if (err == nil) != good || good && c.String() != text {
			t.Errorf("%q: %v, error %v", text, c, err)
		}
	}
}
