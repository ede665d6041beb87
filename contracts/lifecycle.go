package contracts

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Contract is one major of a service contract.
type Contract struct {
	Name  string // such as "GetPersonContactInformation"
	Major int
}

// String is the contract as configuration and logs name it, such as "GetPersonContactInformation/3".
func (c Contract) String() string { return c.Name + "/" + strconv.Itoa(c.Major) }

// ParseContract reads what String writes. Whether there is such a contract, Of tells.
func ParseContract(text string) (Contract, error) {
	name, number, _ := strings.Cut(text, "/")
	major, err := strconv.Atoi(number)
	c := Contract{name, major}
	if err != nil || c.String() != text {
		return Contract{}, errors.New("not a contract's name with its major, such as GetPersonContactInformation/3")
	}
	return c, nil
}

// Lifecycle tells when a contract comes and goes. A zero time: nobody has decided on one.
type Lifecycle struct {
	Introduced time.Time
	Deprecated time.Time // from here on nobody should begin to use it, and who does use it should move
	Sunset     time.Time // from here on it may be switched off, and after that nobody is told any more
	Successor  int       // the major to move to; 0: none
}

// IsDeprecated tells whether its users should move.
func (l Lifecycle) IsDeprecated(now time.Time) bool {
	return !l.Deprecated.IsZero() && !now.Before(l.Deprecated)
}

// IsPast tells whether it may be switched off.
func (l Lifecycle) IsPast(now time.Time) bool { return !l.Sunset.IsZero() && !now.Before(l.Sunset) }

// Of is the contract's life-cycle; false for a contract that there is not.
//
// The dates are ours: when the national service ended its major 3 (2024-05-31) says nothing of this register.
func Of(c Contract) (Lifecycle, bool) {
	l, ok := lifecycles()[c]
	return l, ok
}

// All lists the contracts, by name and major.
func All() []Contract {
	return slices.SortedFunc(maps.Keys(lifecycles()), func(a, b Contract) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), a.Major-b.Major)
	})
}

func lifecycles() map[Contract]Lifecycle {
	all := map[Contract]Lifecycle{}
	for _, name := range []string{"GetPersonContactInformation", "UpdatePersonContactInformation"} {
		for _, twin := range []string{"", "Unrestricted"} {
			fourth := day(2026, time.January, 1)
			all[Contract{name + twin, 3}] = Lifecycle{Introduced: day(2024, time.January, 1),
				Deprecated: fourth, Sunset: day(2028, time.January, 1), Successor: 4}
			all[Contract{name + twin, 4}] = Lifecycle{Introduced: fourth}
		}
	}
	for _, twin := range []string{"", "Unrestricted"} {
		all[Contract{"GetPersonsForProfile" + twin, 5}] = Lifecycle{Introduced: day(2026, time.January, 1)}
	}
	all[Contract{"contactsv1", 1}] = Lifecycle{Introduced: day(2026, time.November, 25)}
	return all
}

// day begins at midnight in Sweden in winter, which all dates here lie in.
func day(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.FixedZone("CET", int(time.Hour/time.Second))).UTC()
}
