package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

// shown is the one name whose value is no secret and is seen while it is typed.
const shown = "key_id"

// input is where values come from: a terminal, on which each is asked for by its name, or a JSON object of the secrets' keys,
// each with an object of names and values. Nothing is known by its position.
type input struct {
	file   *os.File
	screen io.Writer
	saved  string // settings of the terminal, "" if the file is none
	given  map[string]map[string]string
}

func newInput(file *os.File, screen io.Writer) *input {
	in := &input{file: file, screen: screen}
	in.saved, _ = in.stty("-g")
	return in
}

func (in *input) terminal() bool { return in.saved != "" }

// fill returns a secret's value with changes: a NAME=VALUE as it stands, and a NAME that stands alone as it is asked for.
func (in *input) fill(ctx context.Context, secret, text string, changes []string) (*string, error) {
	value, err := rotation.ParseValue(rotation.NewSensitive(text))
	if err != nil {
		return nil, err
	}
	var asked []string
	for _, change := range changes {
		if name, to, ok := strings.Cut(change, "="); ok {
			value = value.With(name, to)
		} else {
			asked = append(asked, name)
		}
	}
	answers, err := in.ask(ctx, secret, asked)
	if err != nil {
		return nil, err
	}
	for _, name := range asked {
		switch answer := answers[name]; {
		case answer == "" && name != shown:
			return nil, fmt.Errorf("%s is empty", name)
		case strings.ContainsFunc(answer, unicode.IsControl):
			return nil, fmt.Errorf("%s holds a control character", name)
		default:
			value = value.With(name, answer)
		}
	}
	return aws.String(value.Text().Reveal()), nil
}

func (in *input) ask(ctx context.Context, secret string, names []string) (map[string]string, error) {
	if !in.terminal() && len(names) > 0 {
		return in.decode(secret, names)
	}
	answers := make(map[string]string)
	for _, name := range names {
		answer, err := in.line(ctx, secret+": "+name+": ", name != shown)
		if err != nil {
			return nil, err
		}
		answers[name] = answer
	}
	return answers, nil
}

// decode returns what standard input gives a secret. An error of the decoder is not shown: it quotes what it read.
func (in *input) decode(secret string, names []string) (map[string]string, error) {
	if in.given == nil && json.NewDecoder(in.file).Decode(&in.given) != nil {
		in.given = map[string]map[string]string{}
	}
	answers := in.given[secret]
	if !slices.Equal(slices.Sorted(maps.Keys(answers)), slices.Sorted(slices.Values(names))) {
		return nil, fmt.Errorf(`standard input is no terminal and does not hold the JSON {"%s": {"%s": "..."}}`, secret, strings.Join(names, `": "...", "`))
	}
	return answers, nil
}

// line asks for a line on the terminal, and takes no byte of the next. A signal that ends the program restores the terminal
// first.
func (in *input) line(ctx context.Context, prompt string, hidden bool) (string, error) {
	if hidden {
		if _, err := in.stty("-echo"); err != nil {
			return "", err
		}
		defer func() {
			_, _ = in.stty(in.saved)
			fmt.Fprintln(in.screen)
		}()
	}
	fmt.Fprint(in.screen, prompt)
	var line []byte
	done := make(chan error, 1)
	go func() {
		for one := make([]byte, 1); ; line = append(line, one[0]) {
			if _, err := in.file.Read(one); err != nil || one[0] == '\n' {
				done <- err
				return
			}
		}
	}()
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case err := <-done:
		return string(line), err
	}
}

func (in *input) stty(settings string) (string, error) {
	program := exec.Command("stty", settings)
	program.Stdin = in.file
	text, err := program.Output()
	return strings.TrimSpace(string(text)), err
}
