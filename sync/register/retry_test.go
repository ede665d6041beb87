package register

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
)

func TestRetry(t *testing.T) {
	t.Parallel()
	dial, reset := error(&net.OpError{Op: "dial", Err: errors.New("refused")}), error(&net.OpError{Op: "read", Err: errors.New("reset")})
	tests := []struct {
		name        string
		status      int
		err         error
		read, write bool
	}{
		{"never connected", 0, dial, true, true},
		{"connection lost", 0, reset, true, false},
		{"answered", http.StatusOK, nil, false, false},
		{"fault, whoever is to blame", http.StatusInternalServerError, nil, false, false},
		{"busy", http.StatusTooManyRequests, nil, false, false},
		{"down", http.StatusServiceUnavailable, nil, true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var res *http.Response
			if tt.status != 0 {
				res = &http.Response{StatusCode: tt.status}
			}
			if got, err := retryRead(t.Context(), res, tt.err); got != tt.read || err != nil {
				t.Errorf("a read is repeated: %t, %v", got, err)
			}
			if got, err := retryWrite(t.Context(), res, tt.err); got != tt.write || err != nil {
				t.Errorf("a write is repeated: %t, %v", got, err)
			}
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			again, _ := retryRead(ended, res, tt.err)
			againToo, _ := retryWrite(ended, res, tt.err)
			if again || againToo {
				t.Error("repeated after the call's time is up")
			}
		})
	}
}
