package golden

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo-terminal: what is typed, and what is to be seen.
// https://man7.org/linux/man-pages/man7/pty.7.html
func terminal(t *testing.T) (typist, screen *os.File) {
	t.Helper()
	typist, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = typist.Close() })
	if err := unix.IoctlSetPointerInt(int(typist.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(typist.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	screen, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return typist, screen
}

// C9: on a terminal, too, a key that is typed is not to be seen. What is no secret is:
// so the screen does show what is typed while nobody prevents it.
func TestKeysAreNotEchoed(t *testing.T) {
	for script, dialogue := range map[string][][2]string{ // what is asked, and the answer
		"api-key/seed.sh": {{"id of the key: ", "id-1"}, {"key: ", apiKey}, {"again: ", apiKey}},
	} {
		t.Run(script, func(t *testing.T) {
			o := newOperator(t, script, `{"a": "arn:a"}`)
			typist, screen := terminal(t)
			cmd := o.command()
			cmd.Stdin, cmd.Stdout, cmd.Stderr = screen, screen, screen
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			_ = screen.Close()
			var seen strings.Builder
			more := func() bool {
				part := make([]byte, 1024)
				n, err := typist.Read(part)
				seen.Write(part[:n])
				return err == nil // the last process to have the screen ends it
			}
			asked := 0
			for _, line := range dialogue {
				for !strings.Contains(seen.String()[asked:], line[0]) && more() {
				}
				asked = seen.Len()
				if _, err := typist.WriteString(line[1] + "\n"); err != nil {
					t.Fatal(err)
				}
			}
			for more() {
			}
			if err := cmd.Wait(); err != nil {
				t.Fatalf("%v\n%s", err, seen.String())
			}
			o.silent(seen.String())
			if !strings.Contains(seen.String(), "id-1") {
				t.Error("the screen does not show what is typed")
			}
			if put := readTree(t, o.dir)["put"]; !strings.Contains(put, `"key_id":"id-1"`) {
				t.Errorf("stored: %.20s", put)
			}
		})
	}
}
