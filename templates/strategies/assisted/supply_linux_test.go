package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

const suppliedKey = "supplied-key-sentinel-3d71"

// The commands that supply.sh calls, as far as it sees. aws notes down what every
// process on the machine shows of itself while it runs.
const (
	awsCommand = `#!/bin/sh
echo "$*" >>"$WITNESS/calls"
cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ >>"$WITNESS/processes" 2>/dev/null
case "$*" in
*describe-secret*) echo true ;;
*put-secret-value*) cat >"$WITNESS/stored" && echo version-1 ;;
*invoke*) for file; do :; done && cat "$WITNESS/answer" >"$file" ;;
esac
`
	terraformCommand = `#!/bin/sh
case $3 in
secret_arns) echo '{"orders": "arn:of:orders"}' ;;
*) echo '"something"' ;;
esac
`
)

// C9: the key that a person types is never shown and stands in no argument, no
// environment and no file; once the function has taken it, a rotation begins.
func TestSupply(t *testing.T) {
	// The present key may be dead: that is why there is a new one.
	d := newDesk(t, `{"ok": false, "checks": [{"name": "AWSCURRENT's key works", "ok": false, "code": "auth-rejected", "detail": "no"},
		{"name": "the supplied key is new, works and may do what the present one may", "ok": true}]}`)
	screen, err := d.typing(t)
	if err != nil {
		t.Fatalf("%v\n%s", err, screen)
	}
	if !strings.Contains(screen, "made-in-may") {
		t.Error("the terminal does not show again what is typed after the key")
	}
	if got, want := d.read(t, "stored"), `{"supplied":"true","api_key":"`+suppliedKey+`","key_id":"made-in-may"}`+"\n"; got != want {
		t.Errorf("stored is %s, want %s", got, want)
	}
	calls := d.read(t, "calls")
	if !strings.Contains(calls, "--version-stages ROTATOR_SUPPLIED") || !strings.Contains(calls, "rotate-secret --secret-id arn:of:orders") {
		t.Errorf("the calls are\n%s", calls)
	}
	d.silent(t, screen)
}

// K7: a key that the function does not take gives its label back, with the reason.
func TestSupplyRefused(t *testing.T) {
	d := newDesk(t, `{"ok": false, "checks": [{"name": "the supplied key works", "ok": false, "code": "scopes", "detail": "it lacks \"repo\""}]}`)
	screen, err := d.typing(t)
	if _, failed := errors.AsType[*exec.ExitError](err); !failed || !strings.Contains(screen, `scopes: it lacks "repo"`) {
		t.Errorf("%v\n%s", err, screen)
	}
	calls := d.read(t, "calls")
	if !strings.Contains(calls, "--version-stage ROTATOR_SUPPLIED --remove-from-version-id version-1") || strings.Contains(calls, "rotate-secret") {
		t.Errorf("the calls are\n%s", calls)
	}
	d.silent(t, screen)
}

// C7: a key with the carriage return of a paste is refused before anything is stored.
func TestSupplyOfAPaste(t *testing.T) {
	d := newDesk(t, "")
	script := exec.CommandContext(t.Context(), filepath.Join(d.dir, "supply.sh"))
	script.Env = []string{"PATH=" + filepath.Join(d.dir, "bin") + ":" + os.Getenv("PATH"), "WITNESS=" + d.dir}
	script.Stdin = strings.NewReader(suppliedKey + "\r\nmade-in-may\n")
	said, err := script.CombinedOutput()
	if err == nil || !strings.Contains(string(said), "control character") || strings.Contains(d.read(t, "calls"), "put-secret-value") {
		t.Errorf("%v: %s", err, said)
	}
}

// desk is where the person sits: the script, and the commands that it calls.
type desk struct{ dir string }

func newDesk(t *testing.T, answer string) desk {
	t.Helper()
	d := desk{t.TempDir()}
	script, err := os.ReadFile("supply.sh")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"supply.sh": string(script), "bin/aws": awsCommand, "bin/terraform": terraformCommand, "terraform/main.tf": "", "answer": answer,
	} {
		path := filepath.Join(d.dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o750), os.WriteFile(path, []byte(text), 0o700)); err != nil { //nolint:gosec // G306: they are programs
			t.Fatal(err)
		}
	}
	return d
}

func (d desk) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(d.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// typing runs the script on a terminal, types the key and its name when asked, and
// returns all that was to be seen.
func (d desk) typing(t *testing.T) (screen string, err error) {
	t.Helper()
	person, terminal := openTerminal(t)
	script := exec.CommandContext(t.Context(), filepath.Join(d.dir, "supply.sh"))
	script.Env = []string{"PATH=" + filepath.Join(d.dir, "bin") + ":" + os.Getenv("PATH"), "WITNESS=" + d.dir}
	script.Stdin, script.Stdout, script.Stderr = terminal, terminal, terminal
	script.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := script.Start(); err != nil {
		t.Fatal(err)
	}
	_ = terminal.Close()
	seen := until(person, "new key: ")
	_, _ = io.WriteString(person, suppliedKey+"\n")
	seen += until(person, "(may be empty): ")
	_, _ = io.WriteString(person, "made-in-may\n")
	seen += until(person, "")
	return seen, script.Wait()
}

// until reads what is shown up to a text, or to the end.
func until(person io.Reader, text string) string {
	var seen strings.Builder
	for one := make([]byte, 1); text == "" || !strings.HasSuffix(seen.String(), text); {
		if _, err := person.Read(one); err != nil {
			break // the other side is closed
		}
		seen.Write(one)
	}
	return seen.String()
}

// silent looks for the key wherever it must not be.
func (d desk) silent(t *testing.T, screen string) {
	t.Helper()
	for name, text := range map[string]string{"the screen": screen, "arguments": d.read(t, "calls"), "the process list": d.read(t, "processes")} {
		if strings.Contains(text, suppliedKey) {
			t.Errorf("the key is on %s", name)
		}
	}
	err := filepath.WalkDir(d.dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && filepath.Base(path) != "stored" && strings.Contains(d.read(t, strings.TrimPrefix(path, d.dir)), suppliedKey) {
			t.Errorf("the key is in %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// openTerminal returns both sides of a pseudo-terminal.
// https://man7.org/linux/man-pages/man4/pts.4.html
func openTerminal(t *testing.T) (person, terminal *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = person.Close() })
	var unlock, number int32
	control(t, person, syscall.TIOCSPTLCK, &unlock)
	control(t, person, syscall.TIOCGPTN, &number)
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return person, terminal
}

func control(t *testing.T, file *os.File, request uintptr, value *int32) {
	t.Helper()
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, file.Fd(), request, uintptr(unsafe.Pointer(value))); errno != 0 { //nolint:gosec // G103: ioctl takes a pointer
		t.Fatal(errno)
	}
}
