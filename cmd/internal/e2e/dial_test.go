package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"contactsync/cmd/internal/devstack"
)

// dialled is a fault as the register's admin listener takes it.
type dialled struct {
	Kind        string  `json:"kind"`
	Caller      string  `json:"caller,omitempty"`
	Operation   string  `json:"operation,omitempty"` // read or write
	Probability float64 `json:"probability,omitempty"`
	Seed        uint64  `json:"seed,omitempty"`
	Duration    string  `json:"duration,omitempty"`
	Hold        string  `json:"hold,omitempty"` // the connection is cut after this, not at once
}

// troubles are what the workers meet at the register all through a run: answers lost, writes that land after their lease or twice,
// reads that are late.
func troubles(seed uint64) []dialled {
	all := []dialled{
		{Kind: "answer_lost", Operation: "write", Probability: 0.08},
		{Kind: "late_write", Operation: "write", Probability: 0.04, Duration: "1.5s"},
		{Kind: "late_write", Operation: "write", Probability: 0.06, Duration: "6s", Hold: "1.5s"}, // the lease is 5 s
		{Kind: "delay", Operation: "write", Probability: 0.04, Duration: "4s"},                    // a call may take 2 s
		{Kind: "delay", Operation: "read", Probability: 0.01, Duration: "3s"},
		{Kind: "duplicate", Operation: "write", Probability: 0.04, Duration: "2s"},
		{Kind: "server_fault", Probability: 0.02},
		{Kind: "too_many", Probability: 0.01},
		{Kind: "read_lag", Operation: "read", Duration: "3s"},
	}
	for i := range all {
		all[i].Caller, all[i].Seed = devstack.WorkerHSAID, seed+uint64(i)
	}
	return all
}

// dial dials faults at the register, until it takes them.
func (f *Fleet) dial(faults []dialled) error {
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
		var list struct {
			Pending int `json:"pending"`
		}
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
