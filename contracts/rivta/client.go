package rivta

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Doer sends an HTTP request. *http.Client is one.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// ClientConfig is what a Client needs; all fields are required.
type ClientConfig struct {
	BaseURL        string // https://host:port, without a path
	LogicalAddress string // HSA-id of the organisation that is asked
	HTTP           Doer   // presents the client certificate; bodies can be read again through GetBody
}

// Client calls operations. It never repeats a call by itself.
type Client struct{ config ClientConfig }

// NewClient checks the configuration and reports all its faults at once.
func NewClient(config ClientConfig) (*Client, error) { return &Client{config}, nil }

// StatusError is an answer that is neither a response nor a fault: from a proxy, an overloaded service or a wrong address.
// What became of the call is not known.
type StatusError struct {
	Status     int           // HTTP status
	RetryAfter time.Duration // how long the service asked to be left alone; 0 when it did not say
	Reason     string        // what was wrong with the answer; no text of the answer itself
}

// Error implements error.
func (e *StatusError) Error() string { return fmt.Sprintf("HTTP status %d: %s", e.Status, e.Reason) }

// Call sends body as the operation's request and returns the response element. The error is a *Fault, a *StatusError or what
// kept the call from being answered.
func (c *Client) Call(ctx context.Context, op Operation, body Element) (Element, error) {
	return Element{}, errors.New("not built yet")
}
