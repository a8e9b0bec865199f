//go:build unix

package cmd

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// canWait says that waitForKey can wait.
const canWait = true

// waitForKey reports whether something can be read within the time.
func waitForKey(fd uintptr, patience time.Duration) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, int(patience.Milliseconds()))
		if !errors.Is(err, unix.EINTR) {
			return err == nil && n > 0
		}
	}
}
