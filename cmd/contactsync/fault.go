package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"contactsync/contracts/mockregister"
)

func faultCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "fault",
		Short: "Make the mock register go wrong, to try out what happens",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(faultSetCommand(), faultListCommand(), faultClearCommand())
	return c
}

// faultFlags are the flags of fault set.
type faultFlags struct {
	adminPlace
	fault          mockregister.Fault
	person         string
	probability    float64
	duration, hold time.Duration
}

func faultSetCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "set KIND",
		Short: "Dial a fault, and print its id",
		Long: `Dials a fault on the mock register. KIND is one of

  answer_lost   carried out, then the connection is cut without an answer
  delay         carried out after --duration, then answered
  late_write    the connection is cut (after --hold), the write carried out --duration after it came
  duplicate     carried out, answered, and carried out again after --duration
  read_lag      for --duration after a write, reads show the record as it was before
  server_fault  SOAP fault Server          client_fault  SOAP fault Client
  stale         updates: stale_version     reset         the connection is cut
  too_many      HTTP 429                   outage        HTTP 503; --duration is what Retry-After says
  rate          beyond --rate calls a second of one system, HTTP 429

Of those from server_fault on, nothing is carried out. A fault hits every call that fits the filters, until it is cleared;
--count and --probability make it fewer.`,
		Example: "  contactsync fault set --data DIR answer_lost --operation write --count 3\n" +
			"  contactsync fault set --data DIR outage --contract GetPersonContactInformation/3\n" +
			"  contactsync fault set --data DIR read_lag --duration 3s\n" +
			"  contactsync fault set --data DIR outage --probability 0.1 --seed 7 --person - < person.txt",
		Args: usageArgs(cobra.ExactArgs(1)),
	}
	var f faultFlags
	f.addFlags(c)
	c.Flags().StringVar(&f.fault.Contract, "contract", "", "only calls of the contract of this `NAME`; NAME/3: of its major 3 alone")
	c.Flags().StringVar(&f.fault.Operation, "operation", "", "only calls that `read`, or write")
	c.Flags().StringVar(&f.person, "person", "", "only calls about this `PERSON`, twelve digits; - takes it from standard input")
	c.Flags().StringVar(&f.fault.Caller, "caller", "", "only calls of the system with this `HSA-ID`")
	c.Flags().IntVar(&f.fault.Count, "count", 0, "hit so many calls; 0: no end")
	c.Flags().Float64Var(&f.probability, "probability", 1, "of each call, from 0 to 1")
	c.Flags().Uint64Var(&f.fault.Seed, "seed", 0, "of the draws: the same ones for the same seed")
	c.Flags().DurationVar(&f.duration, "duration", 0, "such as 1.5s; see KIND")
	c.Flags().DurationVar(&f.hold, "hold", 0, "how long late_write keeps its caller waiting")
	c.Flags().IntVar(&f.fault.Rate, "rate", 0, "calls a second")
	c.RunE = func(c *cobra.Command, args []string) error { return f.set(c, args[0]) }
	return c
}

func (f faultFlags) set(c *cobra.Command, kind string) error {
	f.fault.Kind = mockregister.Kind(kind)
	f.fault.Duration, f.fault.Hold = mockregister.Duration(f.duration), mockregister.Duration(f.hold)
	if c.Flags().Changed("probability") {
		f.fault.Probability = &f.probability
	}
	if c.Flags().Changed("person") {
		person, err := personArgument(c, f.person)
		if err != nil {
			return err
		}
		f.fault.Person = person.RevealExtension()
	}
	var dialled mockregister.FaultID
	if err := f.ask(c.Context(), http.MethodPost, "/faults", f.fault, &dialled); err != nil {
		return err
	}
	_, err := fmt.Fprintln(c.OutOrStdout(), dialled.ID)
	return err
}

func faultListCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the faults that are dialled, and how many calls each has hit",
		Example: "  contactsync fault list --data DIR",
		Args:    usageArgs(cobra.NoArgs),
	}
	var place adminPlace
	place.addFlags(c)
	asJSON := c.Flags().Bool("json", false, `print {"faults","pending"}, with the persons that faults are about`)
	c.RunE = func(c *cobra.Command, _ []string) error {
		list := mockregister.FaultList{Faults: []mockregister.DialledFault{}}
		if err := place.ask(c.Context(), http.MethodGet, "/faults", nil, &list); err != nil {
			return err
		}
		if *asJSON {
			return showJSON(c.OutOrStdout(), list)
		}
		return showFaults(c.OutOrStdout(), list)
	}
	return c
}

func showFaults(out io.Writer, list mockregister.FaultList) error {
	s := newSheet(out)
	fmt.Fprintln(s, "id\tkind\thits\tof\tcalls\tparameters")
	for _, f := range list.Faults {
		of := "all"
		if f.Count > 0 {
			of = strconv.Itoa(f.Count)
		}
		fmt.Fprintf(s, "%s\t%s\t%d\t%s\t%s\t%s\n", f.ID, f.Kind, f.Hits, of, callsOf(f.Fault), parametersOf(f.Fault))
	}
	if list.Pending > 0 {
		fmt.Fprintf(s, "\n%d calls are still to be carried out\n", list.Pending)
	}
	return s.Flush()
}

// callsOf tells which calls a fault is about, but not the person.
func callsOf(f mockregister.Fault) string {
	var filters []string
	for _, filter := range []string{f.Contract, f.Operation, f.Caller} {
		if filter != "" {
			filters = append(filters, filter)
		}
	}
	if f.Person != "" {
		filters = append(filters, "one person")
	}
	if len(filters) == 0 {
		return "all"
	}
	return strings.Join(filters, ", ")
}

func parametersOf(f mockregister.Fault) string {
	var set []string
	add := func(given bool, name string, value any) {
		if given {
			set = append(set, fmt.Sprint(name, " ", value))
		}
	}
	add(f.Duration != 0, "duration", time.Duration(f.Duration))
	add(f.Hold != 0, "hold", time.Duration(f.Hold))
	add(f.Rate != 0, "rate", f.Rate)
	if f.Probability != nil {
		add(true, "probability", *f.Probability)
		add(true, "seed", f.Seed)
	}
	if len(set) == 0 {
		return "-"
	}
	return strings.Join(set, ", ")
}

// faultIDText is the form of a fault's id. Nothing else gets into an address.
var faultIDText = regexp.MustCompile(`^f[0-9]{1,9}$`)

func faultClearCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "clear [ID]",
		Short:   "Take back a fault, or all of them",
		Long:    "Takes back the fault with the ID, or all faults. Writes that are still to land late land all the same.",
		Example: "  contactsync fault clear --data DIR\n  contactsync fault clear --data DIR f2",
		Args:    usageArgs(cobra.MaximumNArgs(1)),
	}
	var place adminPlace
	place.addFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		path := "/faults"
		if len(args) == 1 {
			if !faultIDText.MatchString(args[0]) {
				return usageError{errors.New("ID is that of a fault, such as f2")}
			}
			path += "/" + args[0]
		}
		return place.ask(c.Context(), http.MethodDelete, path, nil, nil)
	}
	return c
}
