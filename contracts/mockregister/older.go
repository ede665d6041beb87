package mockregister

import (
	"context"

	"contactsync/contracts/personv3"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// throughV3 is the register as callers of personv3 meet it, behind the same faults. It implements personv3.Service.
type throughV3 struct{ behindFaults }

// Get implements personv3.Service.
func (v throughV3) Get(ctx context.Context, caller rivta.Caller, id personv4.ID, unrestricted bool) (*personv4.Record, error) {
	c := readCall(caller, id, unrestricted)
	c.operation = personv3.GetOperation(unrestricted)
	return v.read(ctx, c)
}

// Update implements personv3.Service.
func (v throughV3) Update(
	ctx context.Context, caller rivta.Caller, update personv3.Update, unrestricted bool,
) (personv4.Result, error) {
	bare := update.Over(personv4.Record{})
	c := writeCall(caller, bare, unrestricted)
	c.operation, c.over = personv3.UpdateOperation(unrestricted), update.Over
	return v.judgedChange(ctx, c, bare)
}
