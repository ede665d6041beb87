// Command contactsync carries residents' decisions on sharing their contact details to the national personal-data service.
//
// One binary, a file for each subcommand: dev.go runs everything on this machine. root.go has what they share: exit codes and
// how an error is told. cmd/README.md describes flags, files and ports.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup ignores it, and what is run under it shall stay
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends at once
	os.Exit(execute(ctx, streams{os.Stdin, os.Stdout, os.Stderr}, os.Args[1:]))
}
