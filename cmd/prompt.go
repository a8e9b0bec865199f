package cmd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/AlecAivazis/survey/v2"
	"github.com/AlecAivazis/survey/v2/core"
	"github.com/AlecAivazis/survey/v2/terminal"
	"golang.org/x/term"

	"github.com/rotasmith/rotasmith/generator"
)

// Prompter is a conversation with a person.
type Prompter interface {
	// Ask asks one question, again until the answer is right. It returns errBack when the person wants the question before it, errInterrupted
	// when the person gave up, and the context's error when that ended first.
	Ask(ctx context.Context, a ask) (string, error)
	// Say shows text, which ends in a newline.
	Say(text string)
	// Width returns the columns of the window.
	Width() int
}

// ask is a question as it is put.
type ask struct {
	generator.Question
	def   string
	back  bool // there is a question before it
	check func(answer string) error
}

// errBack is the wish to answer the question before once more.
var errBack = errors.New("back")

const (
	backKey   = "<" // as an answer
	backEntry = "< back"
	emptyKey  = "-" // as an answer: none, where Enter would give one
)

// text is the question with what may be typed instead of an answer.
func (a *ask) text() string {
	var keys []string
	if a.back {
		keys = append(keys, backKey+" goes back")
	}
	if a.clears() {
		keys = append(keys, emptyKey+" leaves it empty")
	}
	if keys == nil {
		return a.Prompt
	}
	return a.Prompt + " (" + strings.Join(keys, ", ") + ")"
}

// clears reports whether the default can be taken away.
func (a *ask) clears() bool { return a.Optional && a.def != "" }

// answer returns what a line means.
func (a *ask) answer(line string) string {
	switch {
	case line == "":
		return a.def
	case line == emptyKey && a.clears():
		return ""
	}
	return line
}

// numbered returns the choice with a number, and any other answer as it is.
func (a *ask) numbered(answer string) (string, error) {
	n, err := strconv.Atoi(answer)
	switch {
	case a.Choices == nil || err != nil && answer != "":
		return answer, nil
	case answer == "":
		return "", fmt.Errorf("nothing was chosen: give a number from 1 to %d, or a name", len(a.Choices))
	case n < 1 || n > len(a.Choices):
		return "", fmt.Errorf("there is no number %d: give one from 1 to %d, or a name", n, len(a.Choices))
	}
	return a.Choices[n-1].Value, nil
}

// accept is check, which also knows the way back.
func (a *ask) accept(answer string) error {
	if answer != backKey {
		err := a.check(answer)
		if hint, _ := explain(err); hint != "" {
			return fmt.Errorf("%w: %s", err, hint) // on one line, as survey wants it
		}
		return err
	}
	if !a.back {
		return errors.New("this is the first question")
	}
	return nil
}

// help returns the line that says what the answer changes.
func (a *ask) help() string {
	if a.Why != "" {
		return a.Why
	}
	return a.Help
}

// openPrompter returns what asks on the terminal, nil if stdin and stderr are none or somebody has said that this is CI.
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

func (t *surveyTerminal) Ask(ctx context.Context, a ask) (string, error) {
	if !t.tried {
		t.tried = true
		if !t.answers() {
			t.lines = t.plain()
		}
	}
	if t.lines != nil {
		return t.lines.Ask(ctx, a)
	}
	fmt.Fprint(t.err, "\n"+wrap(a.help(), t.Width()))
	type given struct {
		answer string
		err    error
	}
	done := make(chan given, 1)
	go func() {
		put := t.line
		if a.Choices != nil {
			put = t.choice
		}
		answer, err := put(a)
		done <- given{answer, err}
	}()
	select {
	case g := <-done:
		switch {
		case errors.Is(g.err, terminal.InterruptErr) || errors.Is(g.err, io.EOF):
			return "", errInterrupted
		case g.err == nil && (g.answer == backKey || g.answer == backEntry):
			return "", errBack
		}
		return g.answer, g.err
	case <-ctx.Done():
		t.restore()
		return "", ctx.Err()
	}
}

// line asks for a line, again until it is accepted.
func (t *surveyTerminal) line(a ask) (string, error) {
	for {
		answer, err := t.read(a)
		if err != nil {
			return "", err
		}
		err = a.accept(answer)
		if err == nil {
			return answer, nil
		}
		t.Say(coloured("red", wrap("not accepted: "+err.Error(), t.Width())))
	}
}

func (t *surveyTerminal) read(a ask) (string, error) {
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
	question := "? " + a.text() + ":"
	if a.def != "" {
		question += " (" + a.def + ")"
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
	return a.answer(typed), err
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
func (t *surveyTerminal) choice(a ask) (string, error) {
	var answer string
	err := survey.AskOne(t.list(a), &answer, survey.WithStdio(t.keys, t.err, t.err), survey.WithHelpInput(0))
	return answer, err
}

// answers reports whether the terminal says where its cursor is, without which survey waits for ever. Keys typed meanwhile are kept.
func (t *surveyTerminal) answers() bool {
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
func (t *surveyTerminal) list(a ask) survey.Prompt {
	question := "? " + a.Prompt + ":"
	s := &survey.Select{Message: strings.TrimSpace(wrap(question, t.Width())), PageSize: t.page()}
	if keys := "  [arrows move, letters filter]"; len(question+keys) < t.Width() {
		s.Help = keys
	}
	inline := make(map[string]string)
	for _, c := range a.Choices {
		s.Options = append(s.Options, c.Value)
		if len("> "+describe(c)+"  ") <= t.Width() {
			inline[c.Value] = c.Help
		} else {
			fmt.Fprint(t.err, wrap("- "+describe(c), t.Width()))
		}
	}
	s.Description = func(value string, _ int) string { return inline[value] }
	if a.back {
		s.Options = append(s.Options, backEntry)
	}
	if a.def != "" {
		s.Default = a.def
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

// linePrompter asks line by line: for a screen reader, a dumb terminal, or one that does not say where its cursor is. Nothing is drawn
// again, and choices are numbered.
type linePrompter struct {
	in      *bufio.Reader
	out     io.Writer
	columns func() int
}

// Say shows text.
func (p *linePrompter) Say(text string) { fmt.Fprint(p.out, text) }

// Width returns the columns of the window.
func (p *linePrompter) Width() int { return p.columns() }

// Ask asks one question.
func (p *linePrompter) Ask(ctx context.Context, a ask) (string, error) {
	fmt.Fprint(p.out, "\n"+wrap(a.help(), p.Width()))
	for i, c := range a.Choices {
		fmt.Fprint(p.out, wrap(fmt.Sprintf("%d %s", i+1, describe(c)), p.Width()))
	}
	message := a.Prompt
	if a.Choices != nil {
		message += ", number or name"
	}
	if a.back {
		message += ", " + backKey + " goes back"
	}
	if a.clears() {
		message += ", " + emptyKey + " leaves it empty"
	}
	if a.def != "" {
		message += " [" + a.def + "]"
	}
	for {
		fmt.Fprint(p.out, strings.TrimSuffix(wrap(message+":", p.Width()), "\n")+" ")
		line, err := p.line(ctx)
		if err != nil {
			return "", err
		}
		answer, err := a.numbered(a.answer(line))
		if err == nil {
			err = a.accept(answer)
		}
		switch {
		case err != nil:
			fmt.Fprint(p.out, wrap("not accepted: "+err.Error(), p.Width()))
		case answer == backKey:
			return "", errBack
		default:
			return answer, nil
		}
	}
}

// line reads one line without what is no text in it, such as the marks of a paste.
func (p *linePrompter) line(ctx context.Context) (string, error) {
	type read struct {
		line string
		err  error
	}
	done := make(chan read, 1)
	go func() {
		line, err := p.in.ReadString('\n')
		done <- read{line, err}
	}()
	select {
	case r := <-done:
		line := withoutEscapes(strings.TrimRight(r.line, "\r\n"))
		if r.err != nil {
			fmt.Fprintln(p.out) // nobody has pressed Enter
		}
		if r.err != nil || strings.ContainsRune(line, rune(terminal.KeyInterrupt)) {
			return "", errInterrupted
		}
		return line, nil
	case <-ctx.Done():
		fmt.Fprintln(p.out)
		return "", ctx.Err()
	}
}

// withoutEscapes takes out the sequences that begin with Escape.
func withoutEscapes(line string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(line, "\x1b")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		after = strings.TrimLeft(after, "[O")
		line = strings.TrimLeft(after, "0123456789;")
		if line != "" {
			line = line[1:]
		}
	}
}

// keyboard hands on one key at a time. Survey and the editor read ahead and drop what they have read: every line but the first of a paste.
// Survey also takes Ctrl-D for Enter, which would accept a default that nobody saw; both type the tail of a key that they do not know into
// the answer, and Escape alone would change what the letters after it do.
type keyboard struct {
	fd    uintptr
	in    *bufio.Reader
	ahead [][]byte // keys typed before the first question
	rest  []byte   // of the last key
}

func newKeyboard(fd uintptr, in io.Reader) *keyboard {
	return &keyboard{fd: fd, in: bufio.NewReader(in)}
}

// typedAhead returns the keys that were typed ahead, as lines.
func (k *keyboard) typedAhead() io.Reader {
	typed := bytes.ReplaceAll(bytes.Join(k.ahead, nil), []byte("\r"), []byte("\n"))
	k.ahead = nil
	return bytes.NewReader(typed)
}

// isPlace reports whether a key is the terminal's word on where its cursor is.
func isPlace(key []byte) bool { return len(key) > 3 && key[len(key)-1] == 'R' }

func (k *keyboard) Fd() uintptr { return k.fd }

func (k *keyboard) Read(p []byte) (int, error) {
	for len(k.rest) == 0 {
		if len(k.ahead) > 0 {
			k.rest, k.ahead = k.ahead[0], k.ahead[1:]
			continue
		}
		key, err := k.key()
		if err != nil {
			return 0, err
		}
		if !isPlace(key) { // nobody waits for it any more
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

// escape reads the rest of an escape sequence, which a terminal sends at once. It returns nothing for one that would be misread, and an arrow
// as every reader knows it.
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
			key[1] = '['
			return key
		}
		return nil
	}
	return nil
}
