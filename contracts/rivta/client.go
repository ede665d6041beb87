package rivta

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// What a client accepts: more than a server does, since an answer wraps what a request brought in further elements.
const (
	maxAnswer = 4 << 20
	maxDepth  = 96
)

// Doer sends an HTTP request. *http.Client is one.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// ClientConfig is what a Client needs; all fields but Path and MaxAnswer are required.
type ClientConfig struct {
	BaseURL        string // https://host:port, without a path
	Path           string // of an operation, with {domain}, {operation} and {major} to be filled in; empty: DefaultPath
	LogicalAddress string // HSA-id of the organisation that is addressed
	HTTP           Doer   // presents the client certificate; may send a body again, which it gets from Request.GetBody
	MaxAnswer      int64  // bytes that an answer may have; 0: 4 MiB
}

// Client calls operations. It never repeats a call by itself.
type Client struct{ config ClientConfig }

// NewClient checks the configuration and reports all its faults at once.
func NewClient(config ClientConfig) (*Client, error) {
	var faults []error
	base, err := url.Parse(config.BaseURL)
	if err != nil || base.Scheme != "https" || base.Host == "" || base.Path != "" || base.RawQuery != "" || base.User != nil {
		faults = append(faults, errors.New("BaseURL must look like https://host:port"))
	}
	config.Path = cmp.Or(config.Path, DefaultPath)
	if !IsPath(config.Path) {
		faults = append(faults, errors.New("Path must look like "+DefaultPath))
	}
	if config.LogicalAddress == "" {
		faults = append(faults, errors.New("LogicalAddress is missing"))
	}
	if config.HTTP == nil {
		faults = append(faults, errors.New("HTTP is missing"))
	}
	config.MaxAnswer = cmp.Or(config.MaxAnswer, maxAnswer)
	return &Client{config}, errors.Join(faults...)
}

// StatusError is an answer that is neither a response nor a fault: from a proxy, an overloaded service or a wrong address.
// What became of the call is not known.
type StatusError struct {
	Status     int           // HTTP status
	RetryAfter time.Duration // how long the service asked to be left alone, not capped; 0 when it did not say
	Reason     string        // what was wrong with the answer; nothing of its text
}

// Error implements error.
func (e *StatusError) Error() string { return fmt.Sprintf("HTTP status %d: %s", e.Status, e.Reason) }

// Call sends body, an element as Append writes it, as the operation's request and returns the response element. The error is a *Fault, a *StatusError, or
// what kept the call from being sent or answered.
func (c *Client) Call(ctx context.Context, op Operation, body []byte) (Element, error) {
	request, err := c.request(ctx, op, body)
	if err != nil {
		return Element{}, err
	}
	response, err := c.config.HTTP.Do(request)
	if err != nil {
		return Element{}, fmt.Errorf("call %s: %w", op.Name, withoutURL(err))
	}
	defer response.Body.Close()
	text, err := readAll(response.Body, c.config.MaxAnswer, response.ContentLength)
	if err != nil {
		return Element{}, fmt.Errorf("read answer of %s: %w", op.Name, err)
	}
	return c.answer(op, response, text)
}

func (c *Client) request(ctx context.Context, op Operation, body []byte) (*http.Request, error) {
	address := Element{Name: logicalAddress(), Text: c.config.LogicalAddress}
	text := envelope(body, address)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.config.BaseURL+op.at(c.config.Path), bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("make request of %s: %w", op.Name, err)
	}
	request.Header.Set("Content-Type", contentType)
	request.Header.Set(actionHeader, `"`+op.SOAPAction()+`"`)
	request.Header.Set(correlationHeader, CorrelationID(ctx))
	if original := originalConsumer(ctx); original != "" {
		request.Header.Set(originalConsumerHeader, original)
	}
	return request, nil
}

// withoutURL drops the address from the error, which is ours to know and nothing to log.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// answer judges what came back. Only statuses 200 and 500 carry SOAP.
func (c *Client) answer(op Operation, response *http.Response, text []byte) (Element, error) {
	status := func(reason string) (Element, error) {
		return Element{}, &StatusError{response.StatusCode, RetryAfter(response.Header), reason}
	}
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusInternalServerError {
		return status("the answer is not SOAP")
	}
	root, err := parseText(text, Limits{Bytes: c.config.MaxAnswer, Depth: maxDepth})
	if err != nil {
		return status(err.Error())
	}
	message, err := openEnvelope(root)
	if err != nil {
		return status(err.Error())
	}
	switch {
	case message.body.Name == soapName("Fault"):
		return Element{}, faultOf(message.body)
	case message.body.Name != op.Response() || response.StatusCode != http.StatusOK:
		return status("the answer is to another operation")
	}
	return message.body, nil
}

// RetryAfter reads both forms of the header, seconds, and a date, which is compared with the date of the answer; 0: there is none.
func RetryAfter(header http.Header) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil {
		return time.Duration(max(seconds, 0)) * time.Second
	}
	until, err := http.ParseTime(value)
	sent, err2 := http.ParseTime(header.Get("Date"))
	if err != nil || err2 != nil {
		return 0
	}
	return max(until.Sub(sent), 0)
}
