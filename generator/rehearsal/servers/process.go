package servers

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// start runs a command that serves until its standard input ends, and returns
// the other end of that input. It waits until the command says ready.
func start(name string, command []string, ready string) (alive *os.File, err error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = os.TempDir()
	stdin, alive, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdin = stdin
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	_ = stdin.Close()
	var said strings.Builder
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if strings.Contains(lines.Text(), ready) {
			go func() { _, _ = io.Copy(io.Discard, stdout) }()
			return alive, nil
		}
		fmt.Fprintln(&said, lines.Text())
	}
	_ = alive.Close()
	return nil, errors.Join(fmt.Errorf("%s did not start: %s", name, said.String()), cmd.Wait())
}
