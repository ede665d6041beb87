package main

import (
	"context"
	"time"

	"contactsync/contracts/mockregister"
)

// registerCloseTimeout lies within the time that run.Serve gives to requests under way.
const registerCloseTimeout = time.Second

// closeRegister waits for the end of ctx, and then ends what dialled faults hold back or still have to do: a delayed call
// must not hold up the end of its listener, nor a late write that of the database.
func closeRegister(ctx context.Context, register *mockregister.Register) error {
	<-ctx.Done()
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), registerCloseTimeout)
	defer cancel()
	return register.Close(patience)
}
