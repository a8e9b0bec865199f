package cmd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/AlecAivazis/survey/v2"
	"github.com/AlecAivazis/survey/v2/core"
	"github.com/AlecAivazis/survey/v2/terminal"
	"golang.org/x/term"

	"github.com/rotasmith/rotasmith/generator"
)

// Prompter asks a person one question. It returns errInterrupted when the person gave up, and the context's error when that ended first.
type Prompter interface {
	Ask(ctx context.Context, q generator.Question, def string, check func(answer string) error) (string, error)
}

// surveyTerminal asks on a terminal with survey, which may be used only where it has one: on a pipe it hangs or takes nothing for an answer.
type surveyTerminal struct {
	in, err *os.File
	keys    *keyboard
	before  *term.State
}

// openTerminal returns the terminal, if stdin and stderr are one that can do more than print and nobody has said that this is CI.
func openTerminal(sys System) (*surveyTerminal, bool) {
	in, ok1 := sys.In.(*os.File)
	err, ok2 := sys.Err.(*os.File)
	if !ok1 || !ok2 || !term.IsTerminal(int(in.Fd())) || !term.IsTerminal(int(err.Fd())) {
		return nil, false
	}
	if sys.Getenv("TERM") == "dumb" || sys.Getenv("CI") != "" {
		return nil, false
	}
	before, stateErr := term.GetState(int(in.Fd()))
	return &surveyTerminal{in, err, newKeyboard(in.Fd(), in), before}, stateErr == nil
}

func (t *surveyTerminal) Ask(ctx context.Context, q generator.Question, def string, check func(string) error) (string, error) {
	var answer string
	done := make(chan error, 1)
	go func() {
		done <- survey.AskOne(prompt(q, def), &answer,
			survey.WithStdio(t.keys, screen{t.err, t.keys}, t.err),
			survey.WithValidator(func(value any) error {
				if option, ok := value.(core.OptionAnswer); ok {
					value = option.Value
				}
				return check(value.(string))
			}))
	}()
	select {
	case err := <-done:
		if errors.Is(err, terminal.InterruptErr) || errors.Is(err, io.EOF) {
			return "", errInterrupted
		}
		return answer, err
	case <-t.keys.gaveUp:
		t.restore()
		return "", errInterrupted
	case <-ctx.Done():
		t.restore()
		return "", ctx.Err()
	}
}

// restore puts the terminal right while survey is still reading; it goes on until the process ends.
func (t *surveyTerminal) restore() {
	_ = term.Restore(int(t.in.Fd()), t.before)
	fmt.Fprint(t.err, "\x1b[?25h\n")
}

func prompt(q generator.Question, def string) survey.Prompt {
	if q.Choices == nil {
		return &survey.Input{Message: q.Prompt + ":", Default: def, Help: q.Help}
	}
	s := &survey.Select{Message: q.Prompt + ":", Help: q.Help}
	for _, c := range q.Choices {
		s.Options = append(s.Options, c.Value)
	}
	s.Description = func(_ string, i int) string { return q.Choices[i].Help }
	if def != "" {
		s.Default = def
	}
	return s
}

// keyboard hands survey one key at a time. Survey reads ahead and drops what it has read: keys typed while it asks the terminal where the
// cursor is, and every line but the first of a paste. It also takes Ctrl-D for Enter, which would accept a default that nobody saw, types
// the tail of a key that it does not know into the answer, and gives up on Alt.
type keyboard struct {
	fd    uintptr
	in    *bufio.Reader
	asked bool     // where the cursor is: the terminal's reply goes before keys typed ahead of it
	ahead [][]byte // those keys
	rest  []byte   // of the last key
	// gaveUp is Ctrl-C or Ctrl-D to a terminal that does not say where its cursor is, for which survey waits for ever.
	gaveUp chan struct{}
}

func newKeyboard(fd uintptr, in io.Reader) *keyboard {
	return &keyboard{fd: fd, in: bufio.NewReader(in), gaveUp: make(chan struct{}, 1)}
}

func (k *keyboard) Fd() uintptr { return k.fd }

func (k *keyboard) Read(p []byte) (int, error) {
	for len(k.rest) == 0 {
		if len(k.ahead) > 0 && !k.asked {
			k.rest, k.ahead = k.ahead[0], k.ahead[1:]
			continue
		}
		key, err := k.key()
		if err != nil {
			return 0, err
		}
		switch isPlace := len(key) > 3 && key[len(key)-1] == 'R'; {
		case k.asked && string(key) == string(terminal.KeyInterrupt):
			k.gaveUp <- struct{}{}
			select {} // survey takes no error here; nobody waits for it any more
		case k.asked && !isPlace:
			k.ahead = append(k.ahead, key)
		default:
			k.asked = k.asked && !isPlace
			k.rest = key
		}
	}
	n := copy(p, k.rest)
	k.rest = k.rest[n:]
	return n, nil
}

// key reads one key; nothing for one to be left out.
func (k *keyboard) key() ([]byte, error) {
	b, err := k.in.ReadByte()
	switch {
	case err != nil:
		return nil, err
	case b == 0x04:
		return []byte{terminal.KeyInterrupt}, nil
	case b == terminal.KeyEscape:
		return k.escape(), nil
	}
	return []byte{b}, nil
}

// screen tells the keyboard when survey asks where the cursor is.
type screen struct {
	*os.File
	keys *keyboard
}

func (s screen) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("\x1b[6n")) {
		s.keys.asked = true
	}
	return s.File.Write(p)
}

// escape reads the rest of an escape sequence, which a terminal sends at once. It returns nothing for one that survey would misread.
func (k *keyboard) escape() []byte {
	key := []byte{terminal.KeyEscape}
	for k.in.Buffered() > 0 {
		b, err := k.in.ReadByte()
		if err != nil {
			return nil
		}
		key = append(key, b)
		if len(key) == 2 && (b == '[' || b == 'O') {
			continue
		}
		if len(key) == 2 {
			return nil // Alt and a letter
		}
		if b < 0x40 || b > 0x7e {
			continue
		}
		if strings.IndexByte("ABCDFHR", b) >= 0 && (len(key) == 3 || b == 'R') || string(key) == "\x1b[3~" {
			return key
		}
		return nil
	}
	if len(key) == 1 {
		return key
	}
	return nil
}
