// Package process tells what a process has cost, which Linux does and others do
// not.
package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// CPUTime returns the processor time that a process has used, in user and system
// mode, on all of its threads. It is asked of the process's clock, which counts
// nanoseconds where rusage may count ticks and has an end to wait for.
func CPUTime(pid int) (time.Duration, error) {
	// clock_getcpuclockid(3), which the kernel leaves to the C library.
	const scheduler = 2
	var used unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduler), &used); err != nil {
		return 0, fmt.Errorf("processor time of process %d: %w", pid, err)
	}
	return time.Duration(used.Nano()), nil
}

// PeakMemory returns the most memory that a process has had so far, in bytes.
// Unlike rusage's it leaves out what the process was before its exec.
func PeakMemory(pid int) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := bytes.Cut(status, []byte("\nVmHWM:"))
	line, _, _ := bytes.Cut(rest, []byte("kB"))
	kB, err := strconv.Atoi(string(bytes.TrimSpace(line)))
	return float64(kB) * 1024, err
}
