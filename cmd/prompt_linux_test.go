package cmd

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// console is the person's side of a pseudo-terminal.
type console struct {
	t       *testing.T
	keys    *os.File // what the person types, and where the screen is read
	tty     *os.File // what the program has as stdin and stderr
	mu      sync.Mutex
	text    bytes.Buffer
	seen    int
	news    chan struct{}
	answers int           // how often it says where the cursor is
	after   *unix.Termios // as the terminal was before the program
}

func openConsole(t *testing.T) *console { return newConsole(t, always) }

const always = 1 << 30

func newConsole(t *testing.T, answers int) *console {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(keys.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(keys.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	c := &console{t: t, keys: keys, tty: tty, answers: answers, news: make(chan struct{}, 1)}
	c.after = c.modes()
	go c.read()
	t.Cleanup(func() {
		tty.Close()
		keys.Close()
	})
	return c
}

// read collects the screen, and answers where the cursor is as a terminal does.
func (c *console) read() {
	answered := 0
	chunk := make([]byte, 4096)
	for {
		n, err := c.keys.Read(chunk)
		if err != nil {
			return
		}
		for range bytes.Count(chunk[:n], []byte("\x1b[6n")) {
			if answered++; answered > c.answers {
				break
			}
			place := "\x1b[1;1R"
			if bytes.Contains(chunk[:n], []byte("999;999f")) {
				place = "\x1b[24;80R"
			}
			_, _ = c.keys.WriteString(place)
		}
		c.mu.Lock()
		c.text.Write(chunk[:n])
		c.mu.Unlock()
		select {
		case c.news <- struct{}{}:
		default:
		}
	}
}

func (c *console) modes() *unix.Termios {
	c.t.Helper()
	modes, err := unix.IoctlGetTermios(int(c.tty.Fd()), unix.TCGETS)
	if err != nil {
		c.t.Fatal(err)
	}
	return modes
}

// reply waits until the screen shows text after what was seen before and the program reads keys, then types.
func (c *console) reply(text, keys string) {
	c.t.Helper()
	c.wait(text, keys, true)
}

// line waits until the screen shows text after what was seen before, then types a line.
func (c *console) line(text, line string) {
	c.t.Helper()
	c.wait(text, line+"\n", false)
}

func (c *console) wait(text, keys string, keyByKey bool) {
	c.t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond) // the terminal's mode has no event to wait for
	defer tick.Stop()
	for {
		c.mu.Lock()
		at := strings.Index(c.text.String()[c.seen:], text)
		reading := !keyByKey || c.modes().Lflag&unix.ICANON == 0
		if at >= 0 && reading {
			c.seen += at + len(text)
			c.mu.Unlock()
			if _, err := c.keys.WriteString(keys); err != nil {
				c.t.Fatal(err)
			}
			return
		}
		screen := c.text.String()
		c.mu.Unlock()
		select {
		case <-c.news:
		case <-tick.C:
		case <-deadline:
			c.t.Fatalf("the screen never showed %q:\n%q", text, screen)
		}
	}
}

// talk runs rotasmith on the console in an empty folder and returns what it gives back once the person is done.
func (c *console) talk(ctx context.Context, env map[string]string, args ...string) func() (code int, stdout string) {
	c.t.Helper()
	c.t.Chdir(c.t.TempDir())
	var out bytes.Buffer
	sys := System{In: c.tty, Out: &out, Err: c.tty, Getenv: func(key string) string { return env[key] }}
	a := &app{System: sys, open: openTemplates}
	a.prompter = openPrompter(sys)
	if t, ok := a.prompter.(*surveyTerminal); ok {
		t.patience = 10 * time.Second // this machine may be busy
		if c.answers == 0 {
			t.patience = time.Millisecond
		}
	}
	code := make(chan int, 1)
	go func() { code <- a.run(ctx, args) }()
	return func() (int, string) {
		c.t.Helper()
		select {
		case got := <-code:
			if after := c.modes(); *after != *c.after {
				c.t.Errorf("the terminal was left as %+v, it was %+v", *after, *c.after)
			}
			return got, out.String()
		case <-time.After(10 * time.Second):
			c.mu.Lock()
			defer c.mu.Unlock()
			c.t.Fatalf("rotasmith did not end; screen:\n%q", c.text.String())
			return 0, ""
		}
	}
}

const (
	enter = "\r"
	down  = "\x1b[B"
)

func TestConversation(t *testing.T) {
	c := openConsole(t)
	end := c.talk(t.Context(), nil, "new", "--set", "ci=none")
	c.reply("Name of the project:", "Orders"+enter)
	c.reply(`bad name "Orders"`, "\x7f\x7f\x7f\x7f\x7f\x7forders-db"+enter)
	c.reply("Credential to rotate:", enter)
	c.reply("Database engine:", "postgres"+enter)
	c.reply("Where the two database users come from:", enter)
	c.reply("Go module path (< goes back):", "example.net/o"+enter)
	c.reply("Name of the secret (< goes back):", enter)
	c.reply("How often to rotate (< goes back):", "rate(4 hours)"+enter)
	c.reply("Length of the rotation window (< goes back):", "5h"+enter)
	c.reply("reaches into the next rotation window", "\x7f\x7f"+"4h"+enter)
	c.reply("AWS region (< goes back):", enter)
	c.reply("Where the secret comes from:", enter)
	c.reply("Secrets behind the function:", enter)
	c.reply("Regions with a replica (< goes back):", enter)
	c.reply("Key that encrypts the secret:", enter)
	c.reply("Where the function runs:", enter)
	c.reply("Alerts:", enter)
	c.reply("Telling the applications:", enter)
	c.reply("Write it:", enter)
	code, out := end()
	const want = "rotasmith new orders-db --type rds-two-user --engine postgres --module example.net/o " +
		"--set 'schedule=rate(4 hours)' --set window=4h --set ci=none --no-input\n"
	if code != 0 || !strings.Contains(out, want) {
		t.Errorf("exit code %d, want the command\n%sin\n%s", code, want, out)
	}
	if strings.Contains(out, "\x1b") {
		t.Errorf("stdout has escapes: %q", out)
	}
	if _, err := os.Stat("orders-db/main.go"); err != nil {
		t.Error(err)
	}
}

func TestConversationPastedAtOnce(t *testing.T) {
	c := openConsole(t)
	end := c.talk(t.Context(), nil, "new", "--type", "rds-single-user", "--engine", "postgres", "--set", "ci=none", "--set", "network=vpc")
	c.reply("Name of the project:", "\x1b[200~orders-db"+enter+enter+"example.net/o"+enter+"\x1b[201~"+enter+"7d"+strings.Repeat(enter, 10))
	code, out := end()
	const want = " --module example.net/o --set schedule=7d --set ci=none --no-input\n"
	if code != 0 || !strings.Contains(out, want) {
		t.Errorf("exit code %d, want %s in\n%s", code, want, out)
	}
}

// A terminal that says once where its cursor is and then falls silent makes survey wait for ever.
func TestGivingUpOnATerminalThatFallsSilent(t *testing.T) {
	c := newConsole(t, 1)
	end := c.talk(t.Context(), nil, "new")
	c.reply("Name of the project:", "orders\x03")
	if code, out := end(); code != exitInterrupted || out != "" {
		t.Errorf("exit code %d, stdout %q", code, out)
	}
}

func TestSignalWhileAskingRestoresTheTerminal(t *testing.T) {
	c := openConsole(t)
	ctx, signal := context.WithCancel(t.Context())
	end := c.talk(ctx, nil, "new", "orders-db")
	c.reply("Credential to rotate:", "")
	signal()
	if code, out := end(); code != exitInterrupted || out != "" {
		t.Errorf("exit code %d, stdout %q", code, out)
	}
	wantNothingHere(t)
}

func TestTakenFolderIsRefusedBeforeAsking(t *testing.T) {
	c := openConsole(t)
	end := c.talk(t.Context(), nil, "new", "--dir", "/")
	if code, _ := end(); code != exitUsage {
		t.Errorf("exit code %d", code)
	}
}

func TestNothingIsAsked(t *testing.T) {
	tests := []struct {
		name string
		env  map[string]string
		args []string
	}{
		{"in CI", map[string]string{"CI": "true"}, []string{"new", "x"}},
		{"when told not to", nil, []string{"new", "x", "--no-input"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := openConsole(t)
			if code, _ := c.talk(t.Context(), test.env, test.args...)(); code != exitUsage {
				t.Errorf("exit code %d", code)
			}
			wantNothingHere(t)
		})
	}
}

// Questions that the secret answers are not asked, and going back steps over them.
func TestFromSecretIsNotAsked(t *testing.T) {
	account(t, secretValue("postgres", "alternate_username"))
	c := openConsole(t)
	end := c.talk(t.Context(), nil, "new", "--from-secret", "prod/orders", "--set", "ci=none")
	c.reply("Name of the project:", "orders-db"+enter)
	c.reply("Go module path (< goes back):", "<"+enter)
	c.reply("Name of the project:", enter)
	c.reply("Go module path (< goes back):", "\x03")
	if code, out := end(); code != exitInterrupted || out != "" {
		t.Errorf("exit code %d, stdout %q", code, out)
	}
}
