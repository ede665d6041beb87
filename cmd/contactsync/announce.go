package main

import (
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"text/tabwriter"
	"time"

	"contactsync/cmd/internal/devstack"
	"contactsync/contracts/mockregister"
)

// announce prints what runs where, the test persons, and the line that begins with "ready". The persons are invented, so
// their identities may be shown.
func announce(out io.Writer, stack *devstack.Stack, persons []mockregister.TestPerson, took time.Duration) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	announcePlaces(t, stack)
	generated := announcePersons(t, persons)
	if generated > 0 {
		fmt.Fprintf(t, "and %d generated ones, see %s\n", generated, filepath.Join(stack.Folder.Dir, devstack.PersonsFile))
	}
	fmt.Fprintf(t, "\nready after %.1f s; Ctrl-C ends it\n", took.Seconds())
	return t.Flush()
}

func announcePlaces(t io.Writer, stack *devstack.Stack) {
	at, keeps := stack.Endpoints(), "kept over restarts"
	if stack.Folder.Temporary() {
		keeps = "temporary, removed at the end; --data DIR keeps it"
	}
	for _, row := range [][3]string{
		{"data", stack.Folder.Dir, keeps},
		{"portal", at.Portal, "the residents' pages, for test persons"},
		{"ops", at.Ops, "/livez /readyz /metrics"},
		{"register", at.Register, "mutual TLS, certificates in " + filepath.Join(stack.Folder.Dir, "tls")},
		{"register admin", at.RegisterAdmin, "what can be made to go wrong: contactsync fault"},
		{"kafka", at.Kafka, "in-process broker"},
		{"postgres", withoutPassword(at.Postgres), "password in " + filepath.Join(stack.Folder.Dir, devstack.EndpointsFile)},
		{"worker", "in this process", ""},
	} {
		fmt.Fprintf(t, "%s\t%s\t%s\n", row[0], row[1], row[2])
	}
}

// announcePersons lists the named persons and returns how many generated ones there are.
func announcePersons(t io.Writer, persons []mockregister.TestPerson) (generated int) {
	fmt.Fprint(t, "\ntest person (invented)\tstate\tidentity\n")
	for _, p := range persons {
		if p.State == mockregister.StateGenerated {
			generated++
			continue
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", p.Name, p.State, p.Extension)
	}
	return generated
}

func withoutPassword(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	u.User, u.RawQuery = url.User(u.User.Username()), ""
	return u.String()
}
