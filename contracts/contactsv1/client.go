package contactsv1

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"contactsync/contracts/problem"
	"contactsync/contracts/rivta"
)

// maxAnswer bounds an answer that a client reads: a thousand persons take less than half a mebibyte.
const maxAnswer = 8 << 20

// ClientConfig is what a Client needs; all fields are required.
type ClientConfig struct {
	BaseURL string     // https://host:port, without a path
	HTTP    rivta.Doer // presents the client certificate. Its timeout must be longer than what Changes is told to wait
}

// Client calls a register. It never repeats a call by itself; net/http may, where a connection that it had kept breaks, but only reads
// and Change, which has a key for that, and only if the request has a GetBody. Errors are a *problem.Problem, with which the register
// refused, a *rivta.StatusError for an answer that is none of this contract, or what kept the call from being answered.
type Client struct{ config ClientConfig }

// NewClient checks the configuration and reports all its faults at once.
func NewClient(config ClientConfig) (*Client, error) {
	var faults []error
	base, err := url.Parse(config.BaseURL)
	if err != nil || base.Scheme != "https" || base.Host == "" || base.Path != "" || base.RawQuery != "" || base.User != nil {
		faults = append(faults, errors.New("BaseURL must look like https://host:port"))
	}
	if config.HTTP == nil {
		faults = append(faults, errors.New("HTTP is missing"))
	}
	return &Client{config}, errors.Join(faults...)
}

// Lookup asks for at most MaxItems persons, and gives a Contact for each, in that order.
func (c *Client) Lookup(ctx context.Context, persons []Person) ([]Contact, error) {
	var answer struct {
		Contacts []Contact `json:"contacts"`
	}
	err := c.post(ctx, "/contacts/lookup", nil, lookupRequest{persons}, &answer)
	if err == nil && len(answer.Contacts) != len(persons) {
		err = &rivta.StatusError{Status: http.StatusOK, Reason: "the answer is about another number of persons"}
	}
	return answer.Contacts, err
}

// ChangedSince tells which of at most MaxItems records are no longer of the version held.
func (c *Client) ChangedSince(ctx context.Context, held []Held) ([]Newer, error) {
	var answer struct {
		Changed []Newer `json:"changed"`
	}
	return answer.Changed, c.post(ctx, "/contacts/changed-since", nil, heldRequest{held}, &answer)
}

// Read reads the record that a ref names.
func (c *Client) Read(ctx context.Context, ref string) (Contact, error) {
	var contact Contact
	return contact, c.call(ctx, http.MethodGet, "/contacts/"+url.PathEscape(ref), nil, nil, &contact)
}

// Write changes the record that a ref names, if it still is of the version in w.
func (c *Client) Write(ctx context.Context, ref string, w Write) (Written, error) {
	body := map[Channel]*NewDetail{}
	for channel, setting := range map[Channel]Setting{Mobile: w.Mobile, Email: w.Email} {
		if setting.Given {
			body[channel] = setting.Detail
		}
	}
	header := http.Header{"Content-Type": {mergeType}, "If-Match": {etag(w.Version)}}
	var written Written
	return written, c.call(ctx, http.MethodPatch, "/contacts/"+url.PathEscape(ref), header, body, &written)
}

// Change has at most MaxItems decisions carried out, and gives an Outcome for each, in that order. key is a UUID of the
// caller's own choosing: after an error repeat the same changes under the same key.
func (c *Client) Change(ctx context.Context, key string, changes []Change) ([]Outcome, error) {
	var answer changeAnswer
	err := c.post(ctx, "/changes", http.Header{"Idempotency-Key": {key}}, changeRequest{changes}, &answer)
	if err == nil && len(answer.Outcomes) != len(changes) {
		err = &rivta.StatusError{Status: http.StatusOK, Reason: "the answer is about another number of changes"}
	}
	if err == nil && slices.ContainsFunc(answer.Outcomes, func(o Outcome) bool { return o.Version != "" && !isVersion(o.Version) }) {
		err = &rivta.StatusError{Status: http.StatusOK, Reason: "the answer has a version that is none"}
	}
	return answer.Outcomes, err
}

// Changes reads one page of the feed. A problem with CodeCursorExpired says that signals are missing: compare by ChangedSince.
func (c *Client) Changes(ctx context.Context, from From) (Page, error) {
	query := url.Values{"wait": {strconv.Itoa(int(from.Wait / time.Second))}}
	if from.Cursor != "" {
		query.Set("cursor", from.Cursor)
	}
	if from.Limit > 0 {
		query.Set("limit", strconv.Itoa(from.Limit))
	}
	var page Page
	return page, c.call(ctx, http.MethodGet, "/changes?"+query.Encode(), nil, nil, &page)
}

// Follow reads the feed page by page, from a cursor on (see From.Cursor), until ctx ends, an error comes or the loop is left. wait is
// how long the register waits for news before it gives an empty page. Keep the page's cursor when the page has been worked on: who goes on from there misses nothing.
func (c *Client) Follow(ctx context.Context, cursor string, wait time.Duration) iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		for {
			page, err := c.Changes(ctx, From{Cursor: cursor, Limit: MaxItems, Wait: wait})
			if !yield(page, err) || err != nil {
				return
			}
			cursor = page.Cursor
		}
	}
}

func (c *Client) post(ctx context.Context, path string, header http.Header, body, answer any) error {
	return c.call(ctx, http.MethodPost, path, header, body, answer)
}

func (c *Client) call(ctx context.Context, method, path string, header http.Header, body, answer any) error {
	var text io.Reader
	if body != nil {
		encoded, err := encode(body)
		if err != nil {
			return fmt.Errorf("write request: %w", err)
		}
		text = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.config.BaseURL+Path+path, text)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	if body != nil {
		request.Header.Set("Content-Type", jsonType)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	request.Header.Set(correlationHeader, rivta.CorrelationID(ctx))
	response, err := c.config.HTTP.Do(request)
	if err != nil {
		return fmt.Errorf("call the register: %w", withoutURL(err))
	}
	defer response.Body.Close()
	return read(response, answer)
}

func encode(body any) ([]byte, error) {
	if bulk, ok := body.(changeRequest); ok {
		return encodeChanges(bulk.Changes), nil
	}
	return json.Marshal(body)
}

// withoutURL drops the address from the error, which is ours to know and nothing to log.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

func read(response *http.Response, answer any) error {
	if p := problem.Read(response); p != nil {
		return p
	}
	if response.StatusCode != http.StatusOK {
		return &rivta.StatusError{Status: response.StatusCode, RetryAfter: rivta.RetryAfter(response.Header), Reason: "the answer is none of this contract"}
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if len(text) > maxAnswer || decodeAnswer(text, answer) != nil { // members that are not known are ignored
		return &rivta.StatusError{Status: response.StatusCode, Reason: "the answer cannot be read"}
	}
	return nil
}

// changeAnswer is the answer to a bulk change.
type changeAnswer struct {
	Outcomes []Outcome `json:"outcomes"`
}

func decodeAnswer(text []byte, answer any) error {
	if bulk, ok := answer.(*changeAnswer); ok {
		if outcomes, ok := plainOutcomes(text); ok {
			bulk.Outcomes = outcomes
			return nil
		}
	}
	return json.Unmarshal(text, answer)
}
