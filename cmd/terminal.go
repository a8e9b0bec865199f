package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/AlecAivazis/survey/v2"
	"github.com/AlecAivazis/survey/v2/core"
	"github.com/AlecAivazis/survey/v2/terminal"
	"golang.org/x/term"
)

// openPrompter returns what asks on the terminal, nil where stdin or stderr is not a terminal, or CI is set.
func openPrompter(sys System) Prompter {
	in, ok1 := sys.In.(*os.File)
	err, ok2 := sys.Err.(*os.File)
	if !ok1 || !ok2 || !term.IsTerminal(int(in.Fd())) || !term.IsTerminal(int(err.Fd())) || sys.Getenv("CI") != "" {
		return nil
	}
	before, stateErr := term.GetState(int(in.Fd()))
	if stateErr != nil {
		return nil
	}
	core.DisableColor = core.DisableColor || sys.Getenv("NO_COLOR") != ""
	survey.SelectQuestionTemplate = choiceTemplate
	t := &surveyTerminal{in: in, err: err, keys: newKeyboard(in.Fd(), in), before: before, patience: time.Second}
	if sys.Getenv("TERM") == "dumb" {
		return t.plain()
	}
	return t
}

// surveyTerminal asks on a terminal: for a choice with survey, which may be used only where it has one, as on a pipe it hangs or takes nothing
// for an answer; for a line with the editor of x/term. Survey's own hides the cursor and erases what stands above an answer that is wrapped.
type surveyTerminal struct {
	in, err  *os.File
	keys     *keyboard
	before   *term.State
	patience time.Duration // how long to wait for a terminal to say where its cursor is
	tried    bool
	lines    *linePrompter // instead of survey, when it did not say
}

// plain returns the prompter that needs nothing of the terminal but lines.
func (t *surveyTerminal) plain() *linePrompter {
	return &linePrompter{in: bufio.NewReader(io.MultiReader(t.keys.typedAhead(), t.keys.in)), out: t.err, columns: t.Width}
}

func (t *surveyTerminal) Say(text string) { fmt.Fprint(t.err, text) }

// Width returns the columns of the window.
func (t *surveyTerminal) Width() int { return columns(t.err) }

func (t *surveyTerminal) Ask(ctx context.Context, p prompt) (string, outcome, error) {
	if !t.tried {
		t.tried = true
		if !t.saysPlace() {
			t.lines = t.plain()
		}
	}
	if t.lines != nil {
		return t.lines.Ask(ctx, p)
	}
	fmt.Fprint(t.err, "\n"+wrap(p.help(), t.Width()))
	type typed struct {
		answer string
		err    error
	}
	done := make(chan typed, 1)
	go func() {
		read := t.line
		if p.Choices != nil {
			read = t.choice
		}
		answer, err := read(p)
		done <- typed{answer, err}
	}()
	select {
	case r := <-done:
		switch {
		case errors.Is(r.err, terminal.InterruptErr) || errors.Is(r.err, io.EOF):
			return "", answered, errInterrupted
		case r.err == nil && (r.answer == backKey || r.answer == backEntry):
			return "", wentBack, nil
		}
		return r.answer, answered, r.err
	case <-ctx.Done():
		t.restore()
		return "", answered, ctx.Err()
	}
}

// line asks for a line, again until it is accepted.
func (t *surveyTerminal) line(p prompt) (string, error) {
	for {
		answer, err := t.read(p)
		if err != nil {
			return "", err
		}
		err = p.accept(answer)
		if err == nil {
			return answer, nil
		}
		t.Say(coloured("red", wrap("not accepted: "+err.Error(), t.Width())))
	}
}

func (t *surveyTerminal) read(p prompt) (string, error) {
	fd := int(t.in.Fd())
	state, err := term.MakeRaw(fd)
	if err != nil {
		return "", err
	}
	defer func() { _ = term.Restore(fd, state) }()
	out := terminal.NewAnsiStdout(t.err)
	width, height, err := term.GetSize(int(t.err.Fd()))
	if err != nil || width <= 0 {
		width, height = t.Width(), 24
	}
	question := "? " + p.text() + ":"
	if p.def != "" {
		question += " (" + p.def + ")"
	}
	lines := strings.Split(strings.TrimSuffix(wrap(question, width), "\n"), "\n")
	last := len(lines) - 1
	for _, line := range lines[:last] { // the editor knows one line of it
		fmt.Fprint(out, coloured("default+hb", line)+"\r\n")
	}
	editor := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{t.keys, out}, coloured("default+hb", lines[last])+" ")
	if err := editor.SetSize(width, height); err != nil {
		return "", err
	}
	typed, err := editor.ReadLine()
	if err != nil {
		fmt.Fprint(out, "\r\n")
	}
	return p.answer(typed), err
}

// coloured is text in one of survey's colours, unless there are to be none.
func coloured(colour, text string) string {
	shown, _, err := core.RunTemplate(`{{color "`+colour+`"}}{{.}}{{color "reset"}}`, text)
	if err != nil {
		return text
	}
	return shown
}

// choice asks for one of the choices.
func (t *surveyTerminal) choice(p prompt) (string, error) {
	var answer string
	err := survey.AskOne(t.list(p), &answer, survey.WithStdio(t.keys, t.err, t.err), survey.WithHelpInput(0))
	return answer, err
}

// saysPlace reports whether the terminal says where its cursor is, without which survey waits for ever. Keys typed meanwhile are kept.
func (t *surveyTerminal) saysPlace() bool {
	if !canWait {
		return true
	}
	state, err := term.MakeRaw(int(t.in.Fd()))
	if err != nil {
		return false
	}
	defer func() { _ = term.Restore(int(t.in.Fd()), state) }()
	fmt.Fprint(t.err, "\x1b[6n")
	for t.keys.in.Buffered() > 0 || waitForKey(t.in.Fd(), t.patience) {
		key, err := t.keys.key()
		if err != nil {
			return false
		}
		if isPlace(key) {
			return true
		}
		t.keys.ahead = append(t.keys.ahead, key)
	}
	return false
}

// restore puts the terminal right while survey is still reading; it goes on until the process ends.
func (t *surveyTerminal) restore() {
	_ = term.Restore(int(t.in.Fd()), t.before)
	fmt.Fprint(t.err, "\x1b[?25h\n\x1b[J") // what is left of a list of choices goes
}

// choiceTemplate is survey's, but for two things: what the keys do is said where the window has room for it, and that nothing fits what was
// typed is said at all.
const choiceTemplate = `
{{- define "option"}}
    {{- if eq .SelectedIndex .CurrentIndex }}{{color .Config.Icons.SelectFocus.Format }}{{ .Config.Icons.SelectFocus.Text }} {{else}}{{color "default"}}  {{end}}
    {{- .CurrentOpt.Value}}{{ if ne ($.GetDescription .CurrentOpt) "" }} - {{color "cyan"}}{{ $.GetDescription .CurrentOpt }}{{end}}
    {{- color "reset"}}
{{end}}
{{- color "default+hb"}}{{ .Message }}{{ .FilterMessage }}{{color "reset"}}
{{- if .ShowAnswer}}{{color "cyan"}} {{.Answer}}{{color "reset"}}{{"\n"}}
{{- else}}
  {{- color "cyan"}}{{.Help}}{{color "reset"}}{{"\n"}}
  {{- range $ix, $option := .PageEntries}}
    {{- template "option" $.IterateOption $ix $option}}
  {{- else}}{{"  "}}none fits, press Backspace{{"\n"}}
  {{- end}}
{{- end}}`

// list is the question with its choices.
func (t *surveyTerminal) list(p prompt) survey.Prompt {
	question := "? " + p.Prompt + ":"
	s := &survey.Select{Message: strings.TrimSpace(wrap(question, t.Width())), PageSize: t.page()}
	if keys := "  [arrows move, letters filter]"; len(question+keys) < t.Width() {
		s.Help = keys
	}
	inline := make(map[string]string)
	for _, c := range p.Choices {
		s.Options = append(s.Options, c.Value)
		if len("> "+describe(c)+"  ") <= t.Width() {
			inline[c.Value] = c.Help
		} else {
			fmt.Fprint(t.err, wrap("- "+describe(c), t.Width()))
		}
	}
	s.Description = func(value string, _ int) string { return inline[value] }
	if p.back {
		s.Options = append(s.Options, backEntry)
	}
	if p.def != "" {
		s.Default = p.def
	}
	return s
}

// page returns how many choices the window has room for, with the question above them: survey cannot redraw what has scrolled away.
func (t *surveyTerminal) page() int {
	_, rows, err := term.GetSize(int(t.err.Fd()))
	if err != nil || rows <= 0 {
		return maxLines
	}
	return max(2, min(maxLines, rows-4))
}

// maxLines is how many choices a list shows at once: a window of 24 lines holds them and the question.
const maxLines = 16
