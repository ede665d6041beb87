package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"contactsync/cmd/internal/devstack"
	"contactsync/contracts/mockregister"
)

// troubles are what the workers meet at the register all through a run: answers lost, writes that land after their lease or twice,
// reads that are late.
func troubles(seed uint64) []mockregister.Fault {
	const read, write = "read", "write"
	often := func(p float64) *float64 { return &p }
	lasts := func(d time.Duration) mockregister.Duration { return mockregister.Duration(d) }
	all := []mockregister.Fault{
		{Kind: mockregister.KindAnswerLost, Operation: write, Probability: often(0.08)},
		{Kind: mockregister.KindLateWrite, Operation: write, Probability: often(0.04), Duration: lasts(1500 * time.Millisecond)},
		// The lease is 5 s, and a call may take 2 s.
		{Kind: mockregister.KindLateWrite, Operation: write, Probability: often(0.06), Duration: lasts(6 * time.Second), Hold: lasts(1500 * time.Millisecond)},
		{Kind: mockregister.KindDelay, Operation: write, Probability: often(0.04), Duration: lasts(4 * time.Second)},
		{Kind: mockregister.KindDelay, Operation: read, Probability: often(0.01), Duration: lasts(3 * time.Second)},
		{Kind: mockregister.KindDuplicate, Operation: write, Probability: often(0.04), Duration: lasts(2 * time.Second)},
		{Kind: mockregister.KindServerFault, Probability: often(0.02)},
		{Kind: mockregister.KindTooMany, Probability: often(0.01)},
		{Kind: mockregister.KindReadLag, Operation: read, Duration: lasts(3 * time.Second)},
	}
	for i := range all {
		all[i].Caller, all[i].Seed = devstack.WorkerHSAID, seed+uint64(i)
	}
	return all
}

// dial dials faults at the register, until it takes them.
func (f *Fleet) dial(faults []mockregister.Fault) error {
	for _, fault := range faults {
		body, err := json.Marshal(fault)
		if err != nil {
			return err
		}
		if err := f.until("dial a fault", func() error { return f.admin("POST", "/faults", body, nil) }); err != nil {
			return err
		}
	}
	return nil
}

// undial ends all faults, and waits until no write is still to land.
func (f *Fleet) undial() error {
	return f.until("writes that are late land", func() error {
		var list mockregister.FaultList
		if err := f.admin("DELETE", "/faults", nil, nil); err != nil {
			return err
		}
		if err := f.admin("GET", "/faults", nil, &list); err != nil {
			return err
		}
		if list.Pending > 0 {
			return fmt.Errorf("%d are pending", list.Pending)
		}
		return nil
	})
}

func (f *Fleet) admin(method, path string, body []byte, into any) error {
	request, err := http.NewRequestWithContext(f.t.Context(), method, f.Admin+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	client := http.Client{Timeout: 2 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: %d %s", method, path, response.StatusCode, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}
