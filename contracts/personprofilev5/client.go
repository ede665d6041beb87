package personprofilev5

import (
	"cmp"
	"context"
	"errors"

	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
	"contactsync/contracts/xsd"
)

// ClientConfig is what a Client needs: the same for all contracts of the domain.
type ClientConfig = personv4.ClientConfig

// maxAnswer is how long an answer may be unless the configuration says otherwise: 500 persons with all there is.
const maxAnswer = 16 << 20

// Client calls a register. It sends nothing that the schema forbids, and refuses answers that it cannot read in full.
type Client struct {
	soap         *rivta.Client
	unrestricted bool
}

// NewClient checks the configuration and reports all its faults at once.
func NewClient(config ClientConfig) (*Client, error) {
	config.MaxAnswer = cmp.Or(config.MaxAnswer, maxAnswer)
	soap, err := rivta.NewClient(config.ClientConfig)
	return &Client{soap, !config.Restricted}, err
}

// ErrPersons is returned by Persons, before anything is sent, for nobody or more than MaxPersons: ask in several calls.
var ErrPersons = errors.New("not 1 to 500 persons")

// errAnswers is an answer that is not about those who were asked for. Whatever is in it cannot be relied on.
var errAnswers = errors.New("the answer is not about those who were asked for")

// Persons asks for up to MaxPersons persons. The answers are one for each id, in the order of the ids, a repeated id included;
// an Answer without a Person says that the register does not know it. With ignoreReferred each answer is of the very identity that
// was asked for; without it, it is of the primary identity if that has replaced the one that was asked for.
//
// Errors are ErrPersons and those of rivta.Client.Call.
func (c *Client) Persons(ctx context.Context, ids []personv4.ID, profile Profile, ignoreReferred bool) ([]Answer, error) {
	if len(ids) == 0 || len(ids) > MaxPersons {
		return nil, ErrPersons
	}
	op := Operation(c.unrestricted)
	sent, err := xsd.Encode(op.Request(), &request{ids, profile, ignoreReferred})
	if err != nil {
		return nil, err
	}
	received, err := c.soap.Call(ctx, op, sent)
	if err != nil {
		return nil, err
	}
	var answered response
	if err := xsd.Decode(op.Response(), &answered, received); err != nil {
		return nil, err
	}
	return inOrder(ids, answered.Answers)
}

// inOrder puts the answers in the order of the ids: that a service keeps it is nowhere promised.
func inOrder(ids []personv4.ID, answers []Answer) ([]Answer, error) {
	if len(answers) != len(ids) {
		return nil, errAnswers
	}
	of := map[personv4.ID][]Answer{}
	for _, a := range answers {
		id := bare(a.Asked)
		of[id] = append(of[id], a)
	}
	ordered := make([]Answer, 0, len(ids))
	for _, id := range ids {
		left := of[bare(id)]
		if len(left) == 0 {
			return nil, errAnswers
		}
		ordered, of[bare(id)] = append(ordered, left[0]), left[1:]
	}
	return ordered, nil
}

// bare is the identity without further elements, which a service need not give back.
func bare(id personv4.ID) personv4.ID { return personv4.ID{Root: id.Root, Extension: id.Extension} }
