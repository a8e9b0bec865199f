package rehearsal

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// stopProcess waits until the process has really stopped: the signal only asks
// for it. It waits for stops alone, so the end of the process stays for exec.Cmd
// to collect.
func stopProcess(p *os.Process) error {
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for {
		err := unix.Waitid(unix.P_PID, p.Pid, nil, unix.WSTOPPED, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.ECHILD):
			return os.ErrProcessDone
		default:
			return err
		}
	}
}

func continueProcess(p *os.Process) error { return p.Signal(syscall.SIGCONT) }
