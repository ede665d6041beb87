package personv3

import (
	"context"

	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
	"contactsync/contracts/xsd"
)

// Client calls a register. It sends nothing that the schema forbids, and refuses answers that it cannot read in full.
type Client struct {
	soap         *rivta.Client
	unrestricted bool
}

// NewClient checks the configuration and reports all its faults at once.
func NewClient(config personv4.ClientConfig) (*Client, error) {
	soap, err := rivta.NewClient(config.ClientConfig)
	return &Client{soap, !config.Restricted}, err
}

// Get reads the person's record; nil means that the register does not know the person. Errors are those of rivta.Client.Call.
func (c *Client) Get(ctx context.Context, person personv4.ID) (*Record, error) {
	var answer found
	err := c.call(ctx, GetOperation(c.unrestricted), &lookup{person}, &answer)
	return answer.Record, err
}

// Update replaces what this major shows of the person's record; see personv4.Client.Update for what its results and errors mean.
func (c *Client) Update(ctx context.Context, update Update) (Result, error) {
	answer := changed{name: resultName(c.unrestricted)}
	err := c.call(ctx, UpdateOperation(c.unrestricted), &update, &answer)
	return answer.Result, err
}

func (c *Client) call(ctx context.Context, op rivta.Operation, request, answer xsd.Body) error {
	sent, err := xsd.Encode(op.Request(), request)
	if err != nil {
		return err
	}
	received, err := c.soap.Call(ctx, op, sent)
	if err != nil {
		return err
	}
	return xsd.Decode(op.Response(), answer, received)
}
