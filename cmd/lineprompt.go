package cmd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/AlecAivazis/survey/v2/terminal"
)

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
func (p *linePrompter) Ask(ctx context.Context, q prompt) (string, outcome, error) {
	fmt.Fprint(p.out, "\n"+wrap(q.help(), p.Width()))
	for i, c := range q.Choices {
		fmt.Fprint(p.out, wrap(fmt.Sprintf("%d %s", i+1, describe(c)), p.Width()))
	}
	message := q.Prompt
	if q.Choices != nil {
		message += ", number or name"
	}
	if q.back {
		message += ", " + backKey + " goes back"
	}
	if q.clears() {
		message += ", " + emptyKey + " leaves it empty"
	}
	if q.def != "" {
		message += " [" + q.def + "]"
	}
	for {
		fmt.Fprint(p.out, strings.TrimSuffix(wrap(message+":", p.Width()), "\n")+" ")
		line, err := p.line(ctx)
		if err != nil {
			return "", answered, err
		}
		answer, err := q.numbered(q.answer(line))
		if err == nil {
			err = q.accept(answer)
		}
		switch {
		case err != nil:
			fmt.Fprint(p.out, wrap("not accepted: "+err.Error(), p.Width()))
		case answer == backKey:
			return "", wentBack, nil
		default:
			return answer, answered, nil
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
			fmt.Fprintln(p.out) // the user has not pressed Enter
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
