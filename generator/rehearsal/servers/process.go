package servers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// process is a script that serves until its standard input ends, halting and resuming
// when that says so, and then cleans up after the server. This program holds the other end of that input, so that not even
// its being killed leaves a server.
type process struct {
	alive io.WriteCloser
	ended chan struct{} // closed with the script's end
}

// start runs a command and waits until it prints a line with ready in it. It writes
// what the command prints to log, unless that is nil.
func start(ctx context.Context, kind Kind, command []string, ready string, log io.WriteCloser) (*process, error) {
	// A signal that ends this program's group must not end the script, which is to
	// clean up after the server.
	if setsid, err := exec.LookPath("setsid"); err == nil {
		command = append([]string{setsid}, command...)
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = os.TempDir()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", kind, err)
	}
	p := &process{alive: stdin, ended: make(chan struct{})}
	up, first := make(chan struct{}), new(strings.Builder)
	go func() {
		defer close(p.ended)
		isUp := false
		var output io.Reader = stdout
		if log != nil {
			output = io.TeeReader(stdout, log)
			defer func() { _ = log.Close() }()
		}
		for lines := bufio.NewScanner(output); lines.Scan(); {
			if strings.Contains(lines.Text(), ready) {
				isUp = true
				close(up)
				break
			}
			fmt.Fprintln(first, lines.Text())
		}
		if !isUp { // the server has died, and its script waits for orders
			_ = stdin.Close()
		}
		_, _ = io.Copy(io.Discard, output)
		_ = cmd.Wait() // how it ended says nothing: the server is killed
	}()
	select {
	case <-up:
		return p, nil
	case <-p.ended:
		return nil, fmt.Errorf("%s did not start: %s", kind, first)
	case <-ctx.Done():
		return nil, errors.Join(context.Cause(ctx), p.stop(context.WithoutCancel(ctx)))
	}
}

// stop ends the script and waits until it is gone, or ctx is over.
func (p *process) stop(ctx context.Context) error {
	if err := p.alive.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	select {
	case <-p.ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
