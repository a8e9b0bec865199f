package merge

import (
	"errors"
	"go/format"
	"go/scanner"
	"go/token"
	"path"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// language is one whose formatter decides about the white space between tokens.
type language struct {
	format func(text []byte) ([]byte, error)
	tokens func(name, text string, add func(line int, token string)) error // line from 0
}

// languageOf returns the language of a file by its name.
func languageOf(name string) (l language, ok bool) {
	switch path.Ext(name) {
	case ".go":
		return language{format.Source, goTokens}, true
	case ".tf", ".tfvars", ".hcl":
		return language{func(text []byte) ([]byte, error) { return hclwrite.Format(text), nil }, hclTokens}, true
	}
	return language{}, false
}

func goTokens(name, text string, add func(line int, token string)) error {
	file := token.NewFileSet().AddFile(name, -1, len(text))
	var errs scanner.ErrorList
	var s scanner.Scanner
	s.Init(file, []byte(text), func(pos token.Position, msg string) { errs.Add(pos, msg) }, scanner.ScanComments)
	for {
		pos, tok, literal := s.Scan()
		switch {
		case tok == token.EOF:
			return errs.Err()
		case tok == token.SEMICOLON && literal != ";": // nothing is written there
			continue
		case literal == "":
			literal = tok.String()
		}
		add(file.PositionFor(pos, false).Line-1, literal)
	}
}

func hclTokens(name, text string, add func(line int, token string)) error {
	tokens, diags := hclsyntax.LexConfig([]byte(text), name, hcl.InitialPos)
	if diags.HasErrors() {
		return diags
	}
	for _, t := range tokens {
		add(t.Range.Start.Line-1, string(t.Bytes))
	}
	return nil
}

// document splits a text into lines that are equal if their tokens are. The parts of a token that goes over lines are taken as they are.
func (l language) document(name, text string) (document, error) {
	var d document
	for line := range strings.Lines(text) {
		d.lines = append(d.lines, strings.TrimSuffix(line, "\n")+"\n")
	}
	d.keys = make([]string, len(d.lines))
	err := l.tokens(name, text, func(line int, token string) {
		for part := range strings.SplitSeq(token, "\n") {
			if part != "" {
				d.keys[line] += part + "\x00" // which is in no text
			}
			line++
		}
	})
	return d, err
}

// byTokens merges the lines of a file that is formatted, and formats what comes of it. It fails where that leaves a conflict.
func (f *file) byTokens() (string, bool) {
	l, ok := languageOf(f.path)
	if !ok || f.end == windows && strings.Count(f.yours, windows) < strings.Count(f.yours, "\n") {
		return "", false
	}
	plain := &file{f.path, f.base, strings.ReplaceAll(f.yours, windows, "\n"), f.theirs, "\n"}
	if !l.formatted(plain.yours) || !l.formatted(plain.theirs) {
		return "", false
	}
	base, err1 := l.document(f.path, plain.base)
	yours, err2 := l.document(f.path, plain.yours)
	theirs, err3 := l.document(f.path, plain.theirs)
	if errors.Join(err1, err2, err3) != nil {
		return "", false
	}
	m := &threeWay{base: base, yours: yours, theirs: theirs, end: plain.end}
	m.merge(m.regions())
	if len(m.conflicts) > 0 {
		return "", false
	}
	text, err := l.format([]byte(plain.text(m)))
	return strings.ReplaceAll(string(text), "\n", f.end), err == nil
}

func (l language) formatted(text string) bool {
	formatted, err := l.format([]byte(text))
	return err == nil && string(formatted) == text
}
