package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"contactsync/cmd/internal/devstack"
	"contactsync/contracts/mockregister"
)

// adminURLEnv names the admin listener of a mock register where no flag does.
const adminURLEnv = "CONTACTSYNC_REGISTER_ADMIN_URL"

const adminTimeout = 10 * time.Second

// maxAdminAnswer bounds what is read of an answer.
const maxAdminAnswer = 1 << 20

// adminPlace says where the admin listener of a mock register is.
type adminPlace struct{ url, data string }

func (p *adminPlace) addFlags(c *cobra.Command) {
	c.Flags().StringVar(&p.url, "admin", "", "`URL` of the register's admin listener; else "+adminURLEnv)
	c.Flags().StringVar(&p.data, "data", "", "data `DIR` of a running dev, to find it there")
}

// address is http://host:port. A flag goes before the environment.
func (p adminPlace) address() (string, error) {
	address := p.url
	if address == "" && p.data != "" {
		at, err := devstack.ReadEndpoints(p.data)
		if err != nil {
			return "", fmt.Errorf("find the register by --data: %w", err)
		}
		if address = at.RegisterAdmin; address == "" {
			return "", errors.New("find the register by --data: the dev on that folder is of a version without an admin listener")
		}
	}
	if address == "" {
		address = os.Getenv(adminURLEnv)
	}
	if address == "" {
		return "", usageError{errors.New("where is the register's admin listener? Give --admin, --data DIR of a running dev, or " + adminURLEnv)}
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return "", usageError{errors.New("the register's admin listener must look like http://host:port")}
	}
	return u.Scheme + "://" + u.Host, nil
}

// ask makes one request, and reads the answer into what is not nil.
func (p adminPlace) ask(ctx context.Context, method, path string, body, answer any) error {
	address, err := p.address()
	if err != nil {
		return err
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, address+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return adminAway(err)
	}
	defer response.Body.Close()
	got, err := io.ReadAll(io.LimitReader(response.Body, maxAdminAnswer))
	if err != nil {
		return adminAway(err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		return adminProblem(response.StatusCode, got)
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(got, answer); err != nil {
		return errors.New("the answer is not that of a register's admin listener")
	}
	return nil
}

// adminAway says why there is no answer, without the address: the flag may be anything.
func adminAway(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	said := fmt.Errorf("ask the register's admin listener: %w", err)
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op != "remote error" || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return tryAgainError{said}
	}
	return said
}

// adminProblem puts an answer that is an error into words. The fields of a fault are called as the flags that set them.
func adminProblem(status int, text []byte) error {
	var p mockregister.Problem
	_ = json.Unmarshal(text, &p) // what is no problem has no code
	name := "--" + p.Field
	if p.Field == "kind" {
		name = "KIND"
	}
	switch p.Code {
	case mockregister.CodeMissing:
		return usageError{errors.New(name + " is needed for this kind")}
	case mockregister.CodeNotForKind:
		return usageError{errors.New(name + " is of no use for this kind")}
	case mockregister.CodeInvalid:
		return usageError{errors.New(name + ": the register has no fault like that, or knows no such name; fault set --help tells which there are")}
	case mockregister.CodeFaultUnknown:
		return errors.New("no fault of that id is dialled")
	case mockregister.CodeTooManyFaults:
		return errors.New("as many faults are dialled as can be: clear some")
	}
	said := fmt.Errorf("the register's admin listener answers HTTP status %d", status)
	if status >= http.StatusInternalServerError {
		return tryAgainError{said}
	}
	return said
}
