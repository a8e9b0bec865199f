//go:build unix

package cmd

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestSignalsEndARun sends signals to a real process that waits for the end of its stdin.
func TestSignalsEndARun(t *testing.T) {
	exe, err := exec.LookPath("rotasmith") // this test binary, see TestMain
	if err != nil {
		t.Fatal(err)
	}
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			c := exec.CommandContext(t.Context(), exe, "new", "orders-db", "--answers", "-")
			c.Dir = t.TempDir()
			var errOut bytes.Buffer
			c.Stderr = &errOut
			stdin, err := c.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			// More than a pipe holds: once it is written, the process is reading.
			if _, err := stdin.Write([]byte(strings.Repeat("# wait\n", 1<<15))); err != nil {
				t.Fatal(err)
			}
			if err := c.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			_ = c.Wait() // the exit code is looked at below
			if got := c.ProcessState.ExitCode(); got != exitInterrupted {
				t.Errorf("exit code %d, stderr %q", got, &errOut)
			}
			if left, err := os.ReadDir(c.Dir); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}
