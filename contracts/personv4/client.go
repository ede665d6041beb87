package personv4

import (
	"context"
	"errors"

	"contactsync/contracts/rivta"
)

// ClientConfig is what a Client needs.
type ClientConfig struct {
	rivta.ClientConfig
	Restricted bool // use the contracts that hide protected persons; false: the Unrestricted ones
}

// Client calls a register.
type Client struct {
	soap       *rivta.Client
	restricted bool
}

// NewClient checks the configuration and reports all its faults at once.
func NewClient(config ClientConfig) (*Client, error) { return nil, errors.New("not built yet") }

// Get reads the person's record; nil means the register does not know the person.
func (c *Client) Get(ctx context.Context, person ID) (*Record, error) {
	return nil, errors.New("not built yet")
}

// Update replaces the person's record. An error leaves open whether it was carried out, unless it is a *rivta.Fault of the
// caller's making; a Result that is not OK says that it was not.
func (c *Client) Update(ctx context.Context, update Update) (Result, error) {
	return Result{}, errors.New("not built yet")
}
