package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/project"
)

// The exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitDifferent   = 3
	exitInterrupted = 130
)

// errInterrupted is Ctrl-C or Ctrl-D in a prompt.
var errInterrupted = errors.New("interrupted")

// errDeclined is a no to what would be done.
var errDeclined = errors.New("declined")

// hinted is an error that knows its cure and its exit code.
type hinted struct {
	error
	hint string
	code int
}

func (h *hinted) Unwrap() error { return h.error }

// usagef is an error about how the program was called.
func usagef(hint, format string, args ...any) error {
	return &hinted{fmt.Errorf(format, args...), hint, exitUsage}
}

// report prints an error, each of its parts with its hint, and returns the exit code. Nothing else in the program prints an error.
func (a *app) report(err error) int {
	if err == nil {
		return exitDone
	}
	if errors.Is(err, errDifferent) || errors.Is(err, errBroken) || errors.Is(err, errNotHeld) {
		return exitDifferent
	}
	if errors.Is(err, errDeclined) {
		fmt.Fprintln(a.Err, "rotasmith: nothing was written")
		return exitInterrupted
	}
	if errors.Is(err, errInterrupted) || errors.Is(err, context.Canceled) {
		fmt.Fprintln(a.Err, "rotasmith: error: interrupted, nothing was written")
		return exitInterrupted
	}
	code := exitDone
	for _, part := range parts(err) {
		_, partCode := explain(part)
		code = max(code, partCode)
	}
	for _, e := range tell(err) {
		fmt.Fprintf(a.Err, "rotasmith: error: %s\n", e.Message)
		if e.Hint != "" {
			fmt.Fprintf(a.Err, "rotasmith: hint: %s\n", e.Hint)
		}
	}
	return code
}

// told is an error as it is printed: a line each.
type told struct {
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// inResult is an error that the result, printed before, holds already.
type inResult struct{ error }

func (r *inResult) Unwrap() []error { return []error{r.error} }

// mostErrors bounds how many errors are printed of one run or project.
const mostErrors = 20

// tell returns what is printed of an error.
func tell(err error) []told {
	all := parts(err)
	var messages []told
	for _, part := range all[:min(len(all), mostErrors)] {
		hint, _ := explain(part)
		messages = append(messages, told{oneLine(part.Error()), oneLine(hint)})
	}
	if more := len(all) - mostErrors; more > 0 {
		messages = append(messages, told{Message: fmt.Sprintf("and %d more", more)})
	}
	return messages
}

// jsonErrors prints what went wrong as JSON, for a command that was to print its result so: fields are added, never renamed or removed.
func (a *app) jsonErrors(err error) error {
	doc := struct {
		Errors []told `json:"errors"`
	}{tell(err)}
	var b strings.Builder
	encode(&b, doc)
	_, err = fmt.Fprintln(a.Out, b.String())
	return err
}

// parts takes joined errors apart.
func parts(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, parts(e)...)
	}
	return all
}

func explain(err error) (hint string, code int) {
	if f, ok := errors.AsType[*generator.Fault](err); ok {
		return f.Hint, exitUsage
	}
	if h, ok := errors.AsType[*hinted](err); ok {
		return h.hint, h.code
	}
	if t, ok := errors.AsType[*project.TargetError](err); ok {
		return cmp.Or(t.Hint, "choose another folder with --dir"), exitUsage
	}
	return "", exitFailed
}

// cannotWrite says which folder could not be written. The temporary paths of the attempt would only confuse.
func cannotWrite(dir string, err error) error {
	if _, ok := errors.AsType[*project.TargetError](err); ok || errors.Is(err, context.Canceled) {
		return err
	}
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	return &hinted{fmt.Errorf("cannot write %q: %w", dir, err), "choose a folder that you may write to with --dir", exitFailed}
}

// oneLine is a text as a line of bounded length: of a long one, its ends.
func oneLine(s string) string {
	line := []rune(strings.Join(strings.Fields(s), " "))
	if len(line) > longest {
		line = slices.Concat(line[:longest/2], []rune(" ... "), line[len(line)-longest/2:])
	}
	return string(line)
}

// longest is how long a line of a message may be, in characters.
const longest = 1000
