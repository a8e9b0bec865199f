package golden

import (
	"fmt"
	"os"
	"os/exec"
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

// typed types lines on a terminal as they are asked for, and returns all that was to be seen.
func (o *operator) typed(command *exec.Cmd, dialogue ...[2]string) (seen string, err error) {
	o.t.Helper()
	typist, screen := terminal(o.t)
	command.Stdin, command.Stdout, command.Stderr = screen, screen, screen
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := command.Start(); err != nil {
		o.t.Fatal(err)
	}
	more := func() bool {
		part := make([]byte, 1024)
		n, err := typist.Read(part)
		seen += string(part[:n])
		return err == nil // the last process to have the screen ends it
	}
	asked := 0
	for _, line := range dialogue {
		for !strings.Contains(seen[asked:], line[0]) && more() {
		}
		asked = len(seen)
		if _, err := typist.WriteString(line[1]); err != nil {
			o.t.Fatal(err)
		}
	}
	err = command.Wait()
	settings, ioctl := unix.IoctlGetTermios(int(screen.Fd()), unix.TCGETS)
	if ioctl != nil || settings.Lflag&unix.ECHO == 0 {
		o.t.Errorf("the terminal is left without echo: %v", ioctl)
	}
	_ = screen.Close()
	for more() {
	}
	return seen, err
}

// C9: a password that is typed is not to be seen.
func TestPasswordsAreNotEchoed(t *testing.T) {
	o := newOperator(t)
	_, err := o.terraform("apply")
	o.must(err)
	seen, err := o.typed(o.prepare("seed"), [2]string{"a: password: ", password("a") + "\n"}, [2]string{"b: password: ", password("b") + "\n"})
	o.must(err)
	o.silent(seen)
	for _, key := range keys {
		if o.value(key) != password(key) {
			t.Errorf("the password of %s is %q", key, o.value(key))
		}
	}
}

// N21: after each key that ends a command which waits for a password, the terminal shows typed text again, and nothing is
// stored.
func TestTheTerminalIsRestored(t *testing.T) {
	for name, key := range map[string]string{"Ctrl-C": "\x03", "Ctrl-\\": "\x1c"} {
		t.Run(name, func(t *testing.T) {
			o := newOperator(t)
			_, err := o.terraform("apply")
			o.must(err)
			if seen, err := o.typed(o.prepare("seed"), [2]string{"a: password: ", key}); err == nil {
				t.Errorf("it ends well:\n%s", seen)
			}
			if o.value("a")+o.value("b") != "" {
				t.Error("something is stored")
			}
		})
	}
}
