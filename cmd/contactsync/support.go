package main

import (
	"context"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/sync/support"
)

func supportCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "support",
		Short: "See why a detail is wrong or stuck, and remove it",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(supportFindCommand(), supportRemoveCommand())
	return c
}

func supportFindCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "find PERSON|-",
		Short: "Tell all about a person's contact details",
		Long: `Tells per channel what was decided, by whom and when, what the register holds (the resident's own entry and those of
others), the state and its reason in words, and the last outcomes. It is audited, also when it finds nothing.
PERSON is twelve digits; - takes it from standard input, where no list of processes shows it. Values of a protected person
are masked, and so are those of a person of whom the register does not say that there is no protection.`,
		Example: "  contactsync support find --data DIR 197205179802\n  contactsync support find --data DIR --lang sv --json - < person.txt",
		Args:    usageArgs(cobra.ExactArgs(1)),
	}
	var place deskPlace
	place.addFlags(c)
	asJSON := c.Flags().Bool("json", false, "print an object; null is what there is not")
	c.RunE = func(c *cobra.Command, args []string) error {
		person, err := personArgument(c, args[0])
		if err != nil {
			return err
		}
		return place.visit(c.Context(), func(ctx context.Context, desk *support.Desk, staff event.Actor) error {
			report, err := desk.Find(ctx, person, staff)
			if err != nil {
				return err
			}
			return showReport(c.OutOrStdout(), report, place.lang, *asJSON)
		})
	}
	return c
}

// removeFlags are the flags of support remove.
type removeFlags struct {
	deskPlace
	channel, reason, ground, confirm string
	asJSON                           bool
}

func supportRemoveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "remove PERSON|-",
		Short: "Remove a detail that the resident shared",
		Long: `Removes what the resident shared on one channel, from the register and from what waits to be passed on; a new choice of
the resident brings it back, a replay of older ones does not. What others entered is left alone.
The first call changes nothing: it tells what goes, and prints the command that does it. Its token is good for ten minutes,
and only while there is nothing but what was shown. Every call is audited.`,
		Example: "  contactsync support remove --data DIR 197205179802 --channel mobile --reason wrong_number --ground 'Called by its owner'",
		Args:    usageArgs(cobra.ExactArgs(1)),
	}
	var f removeFlags
	f.addFlags(c)
	c.Flags().StringVar(&f.channel, "channel", "", "mobile or email")
	c.Flags().StringVar(&f.reason, "reason", "", strings.Join(support.Corrections(), ", "))
	c.Flags().StringVar(&f.ground, "ground", "", "`TEXT` for the audit: what makes you remove it, 1 to 500 characters")
	c.Flags().StringVar(&f.confirm, "confirm", "", "`TOKEN` that the first call printed")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print an object; null is what there is not")
	c.RunE = func(c *cobra.Command, args []string) error { return f.remove(c, args[0]) }
	return c
}

func (f removeFlags) remove(c *cobra.Command, arg string) error {
	r := support.Removal{Channel: contact.Channel(f.channel), Reason: f.reason, Ground: f.ground, Token: f.confirm}
	if err := r.Judge(); err != nil {
		return usageError{err}
	}
	var err error
	if r.Person, err = personArgument(c, arg); err != nil {
		return err
	}
	return f.visit(c.Context(), func(ctx context.Context, desk *support.Desk, staff event.Actor) error {
		r.Actor = staff
		answer, err := desk.Remove(ctx, r)
		if err != nil {
			return err
		}
		v := viewRemoval(r, answer, f.lang)
		if answer.Token != "" {
			v.Confirm = &confirmJSON{answer.Token, answer.Expires.UTC(), f.again(c, arg, answer.Token)}
		}
		return showRemoval(c.OutOrStdout(), v, f.asJSON)
	})
}

// again is the command that confirms: the same one, with the token.
func (f removeFlags) again(c *cobra.Command, arg, token string) string {
	words := []string{c.CommandPath(), quoted(arg)}
	for _, flag := range [][2]string{{"data", f.data}, {"as", f.staff}, {"lang", f.lang}, {"channel", f.channel}, {"reason", f.reason},
		{"ground", f.ground}} {
		if c.Flags().Changed(flag[0]) {
			words = append(words, "--"+flag[0], quoted(flag[1]))
		}
	}
	if f.asJSON {
		words = append(words, "--json")
	}
	return strings.Join(append(words, "--confirm", token), " ")
}

// plainWord needs no quotes in a shell.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,-]+$`)

func quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
