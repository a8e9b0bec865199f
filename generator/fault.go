package generator

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// Fault is one usage error: a bad flag, answer or file. Its text says what is wrong, with the user's input quoted; Hint says what to do about it
// and may be empty. NewSpec joins all faults, so that one run shows them all.
type Fault struct {
	At   string // where it stands: "--type", "answers.yaml:3:9", or empty for what was not given at all
	Msg  string
	Hint string

	file  string // empty outside files
	place place
}

// Place returns the line and the column in the file that At names, from 1; zeros outside files.
func (f *Fault) Place() (line, column int) { return f.place.line, f.place.column }

func (f *Fault) Error() string {
	if f.At == "" {
		return f.Msg
	}
	return f.At + ": " + f.Msg
}

// joinFaults orders faults as the user wrote them: flags first, then by file and place.
func joinFaults(faults []*Fault) error {
	slices.SortStableFunc(faults, func(a, b *Fault) int {
		return cmp.Or(strings.Compare(a.file, b.file), a.place.line-b.place.line, a.place.column-b.place.column)
	})
	errs := make([]error, len(faults))
	for i, f := range faults {
		errs[i] = f
	}
	return errors.Join(errs...)
}

// advice is an error with a hint, for checks that know the cure.
type advice struct{ msg, hint string }

func (a *advice) Error() string { return a.msg }

func advise(hint, format string, args ...any) error {
	return &advice{msg: fmt.Sprintf(format, args...), hint: hint}
}

func hintOf(err error) string {
	if a, ok := errors.AsType[*advice](err); ok {
		return a.hint
	}
	return ""
}

// suggest returns the hint for a word that is none of the known ones: the nearest, when one is near, otherwise all of them.
func suggest(word string, known []string) string {
	if len(word) > longestName {
		word = "" // it is near to none
	}
	// A short word is near to every other short word: at least one letter must have been right.
	best, bestDistance := "", min(1+max(2, len(word)/3), len(word))
	for _, k := range known {
		if d := levenshtein.Distance(strings.ToLower(word), k, nil); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	if len(known) == 0 {
		return ""
	}
	return "one of: " + strings.Join(known, ", ")
}

// longestName is longer than any name that may be meant, in bytes.
const longestName = 100
