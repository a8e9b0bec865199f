package generator

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

type strategyManifest struct {
	Type      string
	Target    string // of TargetKinds, with Type
	Mode      string // the answer by which the type of a strategy that it includes is done like this
	Title     string
	Help      string
	Weight    int    // where it is one of a list of choices, the heavier come first, then all by their names
	Key       string // as of a Choice
	Includes  []string
	Yours     []string
	Defaults  map[string]string // of built-in questions, other than for other types
	Questions []manifestQuestion
}

type targetManifest struct {
	Name      string
	Title     string
	Weight    int // as of a strategy
	Aliases   []string
	Managed   string
	Includes  []string // of protocols/
	Questions []manifestQuestion
}

type manifestQuestion struct {
	Key      string
	Prompt   string
	Help     string
	Why      string
	Default  string
	Optional bool
	List     bool
	Pattern  string
	Choices  []Choice
}

// question makes the question; file is the manifest that asks it.
func (m *manifestQuestion) question(file, layer string) (Question, error) {
	q := Question{
		Key: m.Key, Prompt: m.Prompt, Help: m.Help, Why: m.Why, Default: m.Default, Choices: m.Choices,
		Optional: m.Optional, List: m.List, Layer: layer,
	}
	if keyPattern(m.Key) == nil {
		return q, fmt.Errorf("%s: bad key %q", file, m.Key)
	}
	if m.Pattern != "" {
		q.Pattern = `^(?:` + m.Pattern + `)$`
		re, err := regexp.Compile(q.Pattern)
		if err != nil {
			return q, fmt.Errorf("%s: question %q: %w", file, m.Key, err)
		}
		q.validate = func(value string, _ *Resolution) error {
			if !re.MatchString(value) {
				return advise(m.Help, "bad %s %q", m.Key, value)
			}
			return nil
		}
	}
	if m.Default != "" && !strings.Contains(m.Default, "{") {
		if _, err := q.Validate(m.Default, nil); err != nil {
			return q, fmt.Errorf("%s: default of question %q: %w", file, m.Key, err)
		}
	}
	return q, nil
}

var keyPattern = regexpOnce(`^[a-z][a-z0-9_]*$`)

// readManifest decodes a layer's manifest and returns its questions.
func readManifest(fsys fs.FS, layer, name string, manifest any, questions *[]manifestQuestion) ([]Question, error) {
	file := path.Join(layer, name)
	if err := readStrictly(fsys, file, manifest); err != nil {
		return nil, err
	}
	made := make([]Question, len(*questions))
	for i := range *questions {
		var err error
		if made[i], err = (*questions)[i].question(file, layer); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// readStrictly decodes a YAML file of the template tree, which may be empty and has no field that into does not know.
func readStrictly(fsys fs.FS, file string, into any) error {
	data, err := fs.ReadFile(fsys, file)
	if err != nil {
		return err
	}
	if err := decodeStrictly(data, into); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

func decodeStrictly(data []byte, into any) error {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	return dec.Decode(into)
}

// questionFile asks the question that its folder below features/ is named after.
const questionFile = "question.yaml"

// featureQuestion is a question that a folder of features/ asks of every project.
type featureQuestion struct {
	Question
	After string // the question that it follows; empty: all others
	file  string
}

// readFeatureQuestions returns the questions of the features, each behind the one that it follows.
func readFeatureQuestions(fsys fs.FS) ([]featureQuestion, error) {
	var open []featureQuestion
	for _, dir := range folders(fsys, "features") {
		m := struct {
			manifestQuestion `yaml:",inline"`
			After            string
		}{}
		file := path.Join("features", dir, questionFile)
		err := readStrictly(fsys, file, &m)
		if errors.Is(err, fs.ErrNotExist) {
			continue // verifyFeatures says so if no other manifest asks it
		}
		if err != nil {
			return nil, err
		}
		if m.Key != dir {
			return nil, fmt.Errorf("%s: key %q is not the folder's", file, m.Key)
		}
		q, err := m.question(file, "")
		if err != nil {
			return nil, err
		}
		open = append(open, featureQuestion{q, m.After, file})
	}
	return inTurn(open), nil
}

// inTurn moves each question behind the one of them that it follows.
func inTurn(open []featureQuestion) []featureQuestion {
	waits := func(q featureQuestion) bool {
		for _, other := range open {
			if other.Key == q.After && other.Key != q.Key {
				return true
			}
		}
		return false
	}
	var ordered []featureQuestion
	for len(open) > 0 {
		var next []featureQuestion
		var rest []featureQuestion
		for _, q := range open {
			if waits(q) {
				rest = append(rest, q)
			} else {
				next = append(next, q)
			}
		}
		if next == nil { // in a circle: Open will not find what they follow
			return append(ordered, open...)
		}
		ordered, open = append(ordered, next...), rest
	}
	return ordered
}
