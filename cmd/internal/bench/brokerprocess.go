package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

const brokerStart = 20 * time.Second

// ServeBroker runs a broker on a folder: it writes the address to out, and ends when in does, which is also when whoever started it
// has died. It does not listen to signals: a Ctrl-C reaches the whole group, and the broker is needed until the others are done.
func ServeBroker(dir string, in io.Reader, out io.Writer) error {
	broker, brokers, err := startBroker(dir)
	if err != nil {
		return err
	}
	defer broker.Close()
	if _, err := fmt.Fprintln(out, brokers[0]); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	return err
}

// brokerProcess is a broker in a process of its own.
type brokerProcess struct {
	address string
	command *exec.Cmd
	in      io.Closer
}

func startBrokerProcess(ctx context.Context, command []string, dir string) (*brokerProcess, error) {
	if len(command) == 0 {
		return nil, errors.New("no program is given that serves a broker")
	}
	p := &brokerProcess{command: exec.Command(command[0], append(command[1:], dir)...)}
	in, err1 := p.command.StdinPipe()
	out, err2 := p.command.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	p.in = in
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("start a broker: %w", err)
	}
	told := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(out).ReadString('\n')
		told <- strings.TrimSpace(line)
	}()
	select {
	case p.address = <-told:
	case <-ctx.Done():
	case <-time.After(brokerStart):
	}
	if p.address == "" {
		p.stop()
		return nil, errors.Join(errors.New("start a broker: it does not tell its address"), context.Cause(ctx))
	}
	return p, nil
}

// stop ends the process, by force if it takes too long.
func (p *brokerProcess) stop() {
	_ = p.in.Close()
	kill := time.AfterFunc(stopTimeout, func() { _ = p.command.Process.Kill() })
	defer kill.Stop()
	_ = p.command.Wait()
}
