package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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
	if errors.Is(err, errDifferent) || errors.Is(err, errBroke) {
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
		hint, partCode := explain(part)
		code = max(code, partCode)
		fmt.Fprintf(a.Err, "rotasmith: error: %s\n", oneLine(part.Error()))
		if hint != "" {
			fmt.Fprintf(a.Err, "rotasmith: hint: %s\n", oneLine(hint))
		}
	}
	return code
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
	if _, ok := errors.AsType[*project.TargetError](err); ok {
		return "choose another folder with --dir", exitUsage
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

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
