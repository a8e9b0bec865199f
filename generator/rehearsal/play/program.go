package play

import (
	"os"
	"os/exec"
	"strings"
)

// program is a command of the user's that runs.
type program struct {
	cmd    *exec.Cmd
	output *os.File // what it writes
	ended  chan struct{}
}

// startProgram starts a command by the shell, with what it starts itself in a group.
func startProgram(command string, env []string) (*program, error) {
	output, err := os.CreateTemp("", "rotasmith-app-")
	if err != nil {
		return nil, err
	}
	cmd := shell(command)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, output, output
	p := &program{cmd: cmd, output: output, ended: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		p.forget()
		return nil, err
	}
	go func() {
		defer close(p.ended)
		_ = cmd.Wait() // how it ended says less than what it wrote
	}()
	return p, nil
}

func (p *program) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// stop ends the program and all that it has started.
func (p *program) stop() {
	killAll(p.cmd)
	<-p.ended
	p.forget()
}

func (p *program) forget() {
	_ = p.output.Close()
	_ = os.Remove(p.output.Name())
}

// lastWords are the end of what the program wrote.
func (p *program) lastWords() string {
	const most = 500
	text, err := os.ReadFile(p.output.Name())
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text[max(0, len(text)-most):]))
}
