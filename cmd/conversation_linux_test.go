package cmd

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/templates"
)

// typed is what the tests answer to questions without choices; what is not here is answered by Enter.
var typed = map[string]string{
	"name": "orders-db", "module": "example.net/o", "secret_name": "prod/o", "schedule": "rate(4 hours)", "window": "4h", "region": "eu-west-1",
}

// reply is one question of a conversation and the answer to it.
type reply struct {
	generator.Question
	value string
	down  int // how many lines below the default its choice is
}

// everyConversation calls f with the conversation of every type, target and mode in which each question gets another answer than its default.
func everyConversation(t *testing.T, f func(t *testing.T, replies []reply)) {
	t.Helper()
	catalog, err := generator.Open(templates.FS, templates.Root)
	if err != nil {
		t.Fatal(err)
	}
	met := make(map[string]bool)
	for _, chosen := range catalog.Combinations() {
		kind := chosen["type"] + chosen["mode"]
		if testing.Short() && met[kind] {
			continue // one target of each kind
		}
		met[kind] = true
		var replies []reply
		answers := make(generator.Answers)
		so := catalog.Resolve(answers)
		for q, ok := so.Next(); ok; q, ok = so.Next() {
			def := so.Default(q.Key)
			r := reply{Question: q, value: typed[q.Key]}
			if q.Choices != nil {
				values := choices(q)
				r.value = values[len(values)-1]
				if r.value == def {
					r.value = values[0]
				}
				if value, ok := chosen[q.Key]; ok {
					r.value = value
				}
				lines := len(values) + min(len(replies), 1) // the way back
				r.down = (slices.Index(values, r.value) - max(slices.Index(values, def), 0) + lines) % lines
			} else if r.value == "" {
				r.value = def
			}
			managed := so.Managed()
			replies = append(replies, r)
			answers[q.Key] = generator.Answer{Value: r.value}
			if so = catalog.Resolve(answers); so.Managed() != managed {
				yes := generator.Question{Prompt: allTheSame, Choices: []generator.Choice{{Value: "yes"}, {Value: "no"}}}
				replies = append(replies, reply{Question: yes, value: "yes"})
			}
		}
		t.Run(strings.Join([]string{chosen["type"], chosen["engine"] + chosen["provider"], chosen["mode"]}, " "), func(t *testing.T) { f(t, replies) })
	}
}

// give answers one question with keys.
func (c *console) give(r reply) {
	c.t.Helper()
	keys := r.value + enter
	if r.Choices != nil {
		keys = strings.Repeat(down, r.down) + enter
	}
	c.reply(begin(r.Prompt), keys)
}

// begin returns the first words of a prompt, which no window breaks apart.
func begin(prompt string) string {
	words := strings.Fields(prompt)
	return strings.Join(words[:min(3, len(words))], " ")
}

// giveLine answers one question with a line.
func (c *console) giveLine(r reply) {
	c.t.Helper()
	answer := r.value
	if r.Choices != nil {
		answer = fmt.Sprint(slices.Index(choices(r.Question), r.value) + 1)
	}
	c.line(begin(r.Prompt), answer)
}

func (c *console) columns(n uint16) {
	c.t.Helper()
	if err := unix.IoctlSetWinsize(int(c.tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: n}); err != nil {
		c.t.Fatal(err)
	}
}

// same expects the project in dir to be what the command that was printed writes.
func same(t *testing.T, dir, out string) {
	t.Helper()
	command := regexp.MustCompile(`(?m)^  rotasmith (new .* --no-input)$`).FindStringSubmatch(out)
	if command == nil {
		t.Fatalf("no command in\n%s", out)
	}
	args := shellWords(command[1])
	before := files(t, dir)
	t.Chdir(t.TempDir())
	if code, _, errOut := rotate(t, args...); code != 0 {
		t.Fatalf("%q: %s", args, errOut)
	}
	if diff := cmp.Diff(before, files(t, dir)); diff != "" {
		t.Errorf("asked and told differ (-asked +told):\n%s", diff)
	}
}

// files returns modes and contents by path.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		all[path] = info.Mode().String() + "\n" + string(data)
		return err
	})
	if err != nil || len(all) == 0 {
		t.Fatalf("%d files in %s: %v", len(all), dir, err)
	}
	return all
}

// Every question of every type, each answered otherwise than by default: the project is that of the printed command, byte for byte. So it
// is in a window of 40 columns, without colour, and line by line.
func TestEveryQuestionOfEveryType(t *testing.T) {
	everyConversation(t, func(t *testing.T, replies []reply) {
		ways := []struct {
			name    string
			columns uint16
			env     map[string]string
			args    []string
			give    func(c *console, r reply)
		}{
			{"keys", 80, nil, []string{"new"}, (*console).give},
			{"keys in 40 columns", 40, nil, []string{"new"}, (*console).give},
			{"lines", 80, nil, []string{"new", "--accessible"}, (*console).giveLine},
			{"lines in 40 columns", 40, map[string]string{"TERM": "dumb"}, []string{"new"}, (*console).giveLine},
		}
		for _, way := range ways {
			t.Run(way.name, func(t *testing.T) {
				c := openConsole(t)
				c.columns(way.columns)
				end := c.talk(t.Context(), way.env, way.args...)
				for _, r := range replies {
					way.give(c, r)
				}
				way.give(c, reply{Question: generator.Question{Prompt: "Write it"}, value: ""})
				code, out := end()
				if code != 0 {
					t.Fatalf("exit code %d, stdout %q", code, out)
				}
				same(t, "orders-db", out)
			})
		}
	})
}

// Ctrl-C and Ctrl-D at each prompt: nothing is left, and the terminal is as it was.
func TestGivingUpAtEachPrompt(t *testing.T) {
	everyConversation(t, func(t *testing.T, replies []reply) {
		replies = append(replies, reply{Question: generator.Question{Prompt: "Write it"}})
		for i := range replies {
			for name, key := range map[string]string{"Ctrl-C": "\x03", "Ctrl-D": "\x04"} {
				t.Run(name+" at "+replies[i].Prompt, func(t *testing.T) {
					c := openConsole(t)
					end := c.talk(t.Context(), nil, "new")
					for _, r := range replies[:i] {
						c.give(r)
					}
					c.reply(begin(replies[i].Prompt), key)
					if code, out := end(); code != exitInterrupted || out != "" {
						t.Errorf("exit code %d, stdout %q", code, out)
					}
					wantNothingHere(t)
				})
			}
			t.Run("a signal while asking for a line at "+replies[i].Prompt, func(t *testing.T) {
				c := openConsole(t)
				ctx, signal := context.WithCancel(t.Context())
				end := c.talk(ctx, nil, "new", "--accessible")
				for _, r := range replies[:i] {
					c.giveLine(r)
				}
				c.wait(begin(replies[i].Prompt), "", false)
				signal()
				if code, out := end(); code != exitInterrupted || out != "" {
					t.Errorf("exit code %d, stdout %q", code, out)
				}
				wantNothingHere(t)
			})
		}
	})
}

func TestGoingBack(t *testing.T) {
	ways := []struct {
		name string
		args []string
		// answer types an answer; to a choice it is the number of its line, and the last line is the way back, as is the text "<".
		answer func(c *console, prompt, text string, line int)
	}{
		{"keys", nil, func(c *console, prompt, text string, line int) {
			if line > 0 {
				text = strings.Repeat(down, line-1)
			}
			c.reply(prompt, text+enter)
		}},
		{"lines", []string{"--accessible"}, func(c *console, prompt, text string, line int) {
			if line > 0 && text == "" {
				text = fmt.Sprint(line)
			}
			c.line(prompt, text)
		}},
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			c := openConsole(t)
			end := c.talk(t.Context(), nil, slices.Concat([]string{"new", "--set", "network=vpc"}, fixed, way.args)...)
			way.answer(c, "Name of the project", "<", 0)
			if way.args == nil {
				c.reply("this is the first question", "\x7forders-db"+enter)
			} else {
				c.line("this is the first question", "orders-db")
			}
			way.answer(c, "Credential to rotate", "<", 4)
			way.answer(c, "Name of the project", "", 0) // what was answered is the default now
			way.answer(c, "Credential to rotate", "", 2)
			way.answer(c, "Database engine", "", 1)
			way.answer(c, "User that changes the password", "<", 3)
			way.answer(c, "Database engine", "", 1)
			way.answer(c, "User that changes the password", "", 2)
			way.answer(c, "Go module path", "<", 0)
			way.answer(c, "User that changes the password", "", 0)
			way.answer(c, "Go module path", "", 0)
			way.answer(c, "Name of the secret", "prod/orders", 0)
			way.answer(c, "How often to rotate", "7d", 0)
			way.answer(c, "Write it", "<", 4)
			way.answer(c, "How often to rotate", "9d", 0)
			way.answer(c, "Write it", "", 0)
			code, out := end()
			const want = "rotasmith new orders-db --type rds-single-user --engine postgres --set change_as=admin --set secret_name=prod/orders " +
				"--set schedule=9d --set ci=none --no-input\n"
			if code != 0 || !strings.Contains(out, want) {
				t.Errorf("exit code %d, want\n%sin\n%s", code, want, out)
			}
		})
	}
}

// fixed answers what the tests of a conversation's course do not go into.
var fixed = []string{
	"--set", "region=", "--set", "window=", "--set", "secret=create", "--set", "secrets=one", "--set", "replicas=", "--set", "kms=create",
	"--set", "alerts=sns", "--set", "refresh=sns", "--set", "ci=none",
}

// A changed answer takes along what it decides: a default that was accepted, and what no longer applies. The rest stays.
func TestChangingAnAnswer(t *testing.T) {
	c := openConsole(t)
	end := c.talk(t.Context(), nil, append([]string{"new", "--accessible"}, fixed...)...)
	c.line("Name of the project", "orders-db")
	c.line("Credential to rotate", "")
	c.line("not accepted: nothing was chosen: give a number from 1 to 3, or a name", "rds-two-user")
	c.line("Database engine", "mysql")
	c.line("Where the two", "clone")
	c.line("Go module path, < goes back [example.com/orders-db]", "")
	c.line("Name of the secret", "prod/x")
	c.line("How often to rotate", "7d")
	c.line("Where the function runs, number or name, < goes back [vpc]", "")
	c.line("Write it", "change")
	c.line("Which answer", "name")
	c.line("Name of the project, < goes back [orders-db]", "billing-db")
	c.line("Go module path, < goes back [example.com/billing-db]", "")
	c.line("Write it", "change")
	c.line("Which answer", "type")
	c.line("Credential to rotate, number or name, < goes back [rds-two-user]", "rds-single-user")
	c.line("User that changes the password", "admin")
	c.line("Write it", "change")
	c.line("Which answer", "<")
	c.line("Write it", "change")
	c.line("Which answer", "type")
	c.line("Credential to rotate", "api-key")
	c.line("Provider of the key", "sendgrid")
	c.line("Where the function runs, number or name, < goes back [public]", "")
	c.line("Write it", "yes")
	code, out := end()
	const want = "rotasmith new billing-db --type api-key --provider sendgrid --set secret_name=prod/x --set schedule=7d --set ci=none --no-input\n"
	if code != 0 || !strings.Contains(out, want) {
		t.Errorf("exit code %d, want\n%sin\n%s", code, want, out)
	}
}

// Questions that the flags decide are not asked, and choices that they rule out are not offered.
func TestFlagsDecide(t *testing.T) {
	for _, test := range []struct {
		args   []string
		prompt string // the first
		absent string
	}{
		{[]string{"--provider", "sendgrid"}, "Go module path", "Credential to rotate"},
		{[]string{"--engine", "mysql"}, "< goes back", "api-key:"},
		{[]string{"--set", "change_as=self"}, "Database engine", "Credential to rotate"},
		{[]string{"--set", "mode=roll"}, "Provider of the key", "sendgrid"},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			c := openConsole(t)
			end := c.talk(t.Context(), nil, append([]string{"new", "--accessible"}, test.args...)...)
			c.line("Name of the project", "x")
			c.line(test.prompt, "\x04")
			end()
			c.mu.Lock()
			defer c.mu.Unlock()
			if strings.Contains(c.text.String(), test.absent) {
				t.Errorf("%q in %q", test.absent, c.text.String())
			}
		})
	}
}

// A choice that fits nothing that was typed says so, and an answer that may be empty can be emptied again.
func TestWayOut(t *testing.T) {
	c := openConsole(t)
	end := c.talk(t.Context(), nil, append([]string{"new", "x", "--type", "rds-two-user", "--set", "users=clone", "--module", "a.b/c",
		"--set", "secret_name=s", "--set", "schedule=1d", "--set", "network=vpc"}, fixed[4:]...)...)
	c.reply("Database engine", "zzz")
	c.reply("none fits, press Backspace", "\x7f\x7f\x7f"+enter)
	c.reply("Length of the rotation window (< goes back):", "4h"+enter)
	c.reply("AWS region", "<"+enter)
	c.reply("Length of the rotation window (< goes back, - leaves it empty): (4h)", "-"+enter)
	c.reply("AWS region", enter)
	c.reply("Write it", enter)
	code, out := end()
	if code != 0 || strings.Contains(out, "window=") {
		t.Errorf("exit code %d, stdout %q", code, out)
	}
}

// The provider that needs no function is another's to choose.
func TestGoingBackFromAProviderThatNeedsNoFunction(t *testing.T) {
	c := openConsole(t)
	end := c.talk(t.Context(), nil, "new", "x", "--type", "api-key", "--accessible")
	c.line("Provider of the key", "datadog")
	c.line(allTheSame+", number or name, < goes back", "<")
	c.line("Provider of the key", "sendgrid")
	c.line("Go module path", "\x04")
	if code, _ := end(); code != exitInterrupted {
		t.Errorf("exit code %d", code)
	}
}

func TestSummaryBeforeWriting(t *testing.T) {
	c := openConsole(t)
	end := c.talk(t.Context(), nil, "new", "--type", "rds-two-user", "--engine", "postgres", "--accessible", "--set", "users=clone", "--set", "module=a.b/c",
		"--set", "secret_name=s", "--set", "secret=create", "--set", "secrets=one", "--set", "schedule=1d", "--set", "window=",
		"--set", "region=", "--set", "replicas=", "--set", "kms=create", "--set", "network=vpc", "--set", "ci=none",
		"--set", "alerts=sns", "--set", "refresh=sns")
	c.line("lower-case letters", "")
	c.line("not accepted: name is empty", "Orders")
	c.line(`not accepted: bad name "Orders"`, "orders-db")
	c.wait("orders-db: ", "", false)
	c.wait("users        clone", "", false)
	c.wait("about 2.0", "", false) // rotated each day
	c.wait("Not done for you:", "", false)
	c.wait("make deploy asks for it", "", false)
	c.wait("rotasmith new orders-db --type rds-two-user", "", false)
	c.line("Write it", "maybe")
	c.line(`not accepted: unknown answer "maybe"`, "4")
	c.line("not accepted: there is no number 4: give one from 1 to 3, or a name", "no")
	c.wait("rotasmith: nothing was written", "", false)
	if code, out := end(); code != exitInterrupted || out != "" {
		t.Errorf("exit code %d, stdout %q", code, out)
	}
	wantNothingHere(t)
}

// A terminal that does not say where its cursor is gets lines.
func TestTerminalThatDoesNotAnswer(t *testing.T) {
	c := newConsole(t, 0)
	end := c.talk(t.Context(), nil, "new", "--type", "rds-two-user", "--engine", "postgres")
	c.line("Name of the project", "\x1b[24;80R\x1b[200~orders-db\x1b[201~") // its late answer, and the marks of a paste
	c.line("Where the two database users come from, number or name", "clone")
	for _, prompt := range []string{
		"Go module", "Name of the secret", "How often", "Length of", "AWS region", "Where the secret", "Secrets behind", "Regions with", "Key that",
		"Where the function", "Alerts", "Telling", "Continuous", "Write it",
	} {
		c.line(prompt, "")
	}
	code, out := end()
	if code != 0 || !strings.Contains(out, "rotasmith new orders-db --type rds-two-user --engine postgres --set users=clone --no-input\n") {
		t.Errorf("exit code %d, stdout %q", code, out)
	}
}

// Each in a process of its own, as survey remembers the colours of the first.
func TestColour(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for value, coloured := range map[string]bool{"": true, "1": false} {
		c := openConsole(t)
		program := exec.CommandContext(t.Context(), exe, "new", "orders-db")
		program.Args[0] = "rotasmith" // what TestMain goes by
		program.Env = append(os.Environ(), "NO_COLOR="+value, "CI=", "TERM=xterm")
		program.Stdin, program.Stderr = c.tty, c.tty
		program.Dir = t.TempDir()
		if err := program.Start(); err != nil {
			t.Fatal(err)
		}
		c.reply("Credential to rotate", "\x03")
		if err := program.Wait(); program.ProcessState.ExitCode() != exitInterrupted {
			t.Error(err)
		}
		c.mu.Lock()
		if got := regexp.MustCompile("\x1b\\[[0-9;]*m").MatchString(c.text.String()); got != coloured {
			t.Errorf("NO_COLOR=%s: colour %v: %q", value, got, c.text.String())
		}
		c.mu.Unlock()
	}
}

// No line of a question is longer than the window.
func TestLinesFitTheWindow(t *testing.T) {
	everyConversation(t, func(t *testing.T, replies []reply) {
		c := openConsole(t)
		c.columns(40)
		end := c.talk(t.Context(), nil, "new", "--accessible")
		for _, r := range replies {
			c.giveLine(r)
		}
		c.line("Not done for you", "no")
		end()
		c.mu.Lock()
		defer c.mu.Unlock()
		asked, _, _ := strings.Cut(c.text.String(), "orders-db: ")
		for line := range strings.Lines(asked) {
			if len(strings.TrimRight(line, "\r\n")) > 40+len("preprovisioned") { // with what was typed
				t.Errorf("too long: %q", line)
			}
		}
	})
}

// Progress goes to a terminal and is taken away again; without one there is none.
func TestProgress(t *testing.T) {
	root := t.TempDir()
	for i := range 25 {
		dir := filepath.Join(root, strconv.Itoa(i))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, generator.AnswersFile), []byte("[]\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, out, errOut := rotate(t, "check", root+"/...")
	if strings.Contains(out+errOut, "projects ...") || !strings.Contains(out, "25 projects, 0 with differences, not checked: 25\n") {
		t.Errorf("without a terminal: %s%s", out, errOut)
	}
	c := openConsole(t)
	end := c.talk(t.Context(), nil, "check", root+"/...")
	c.wait("\r20 projects ...", "", false)
	c.wait("\r\x1b[K", "", false)
	if code, out := end(); code != exitUsage || strings.ContainsRune(out, '\x1b') {
		t.Errorf("exit code %d, stdout %q", code, out)
	}
}
