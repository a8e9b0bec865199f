package cmd

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/rotasmith/rotasmith/generator"
)

// Prompter is a conversation with a person.
type Prompter interface {
	// Ask asks one question, again until the answer is right. It returns errInterrupted when the person gave up, and the context's error when
	// that ended first.
	Ask(ctx context.Context, p prompt) (answer string, did outcome, err error)
	// Say shows text, which ends in a newline.
	Say(text string)
	// Width returns the columns of the window.
	Width() int
}

// outcome is what a person did with a question.
type outcome int

const (
	answered    outcome = iota
	wentBack            // to the question before it
	wantsChange         // of one of the answers
)

// prompt is a question as it is put.
type prompt struct {
	generator.Question
	def     string
	back    bool // there is a question before it
	accepts func(answer string) error
}

const (
	backKey   = "<" // as an answer
	backEntry = "< back"
	emptyKey  = "-" // as an answer: none, where Enter would give one
)

// text is the question with what may be typed instead of an answer.
func (p *prompt) text() string {
	var keys []string
	if p.back {
		keys = append(keys, backKey+" goes back")
	}
	if p.clears() {
		keys = append(keys, emptyKey+" leaves it empty")
	}
	if keys == nil {
		return p.Prompt
	}
	return p.Prompt + " (" + strings.Join(keys, ", ") + ")"
}

// clears reports whether the default can be taken away.
func (p *prompt) clears() bool { return p.Optional && p.def != "" }

// answer returns what a line means.
func (p *prompt) answer(line string) string {
	switch {
	case line == "":
		return p.def
	case line == emptyKey && p.clears():
		return ""
	}
	return line
}

// numbered returns the choice with a number, and any other answer as it is.
func (p *prompt) numbered(answer string) (string, error) {
	n, err := strconv.Atoi(answer)
	switch {
	case p.Choices == nil || err != nil && answer != "":
		return answer, nil
	case answer == "":
		return "", fmt.Errorf("nothing was chosen: give a number from 1 to %d, or a name", len(p.Choices))
	case n < 1 || n > len(p.Choices):
		return "", fmt.Errorf("there is no number %d: give one from 1 to %d, or a name", n, len(p.Choices))
	}
	return p.Choices[n-1].Value, nil
}

// accept is accepts, which also knows the way back.
func (p *prompt) accept(answer string) error {
	if answer != backKey {
		err := p.accepts(answer)
		if hint, _ := explain(err); hint != "" {
			return fmt.Errorf("%w: %s", err, hint) // on one line, as survey wants it
		}
		return err
	}
	if !p.back {
		return errors.New("this is the first question")
	}
	return nil
}

// help returns the line that says what the answer changes.
func (p *prompt) help() string {
	if p.Why != "" {
		return p.Why
	}
	return p.Help
}
