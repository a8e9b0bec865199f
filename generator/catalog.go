package generator

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// Catalog is what a template tree offers, found by the manifests in it: strategies/*/strategy.yaml and a manifest in each folder of a kind
// of target, such as engines/*/engine.yaml.
type Catalog struct {
	Types   []Type
	Targets []Target

	fsys       fs.FS
	root       string
	questions  []Question
	strategies map[string]strategyManifest

	// What is the same for every project is made once.
	copies  sync.Map // File by source
	digests sync.Map // of copies, by source
	sources sync.Map // *goSource by source
	parsed  sync.Map // *template.Template by engine and source
	plans   sync.Map // Plan by layers
	costs   sync.Map // costManifest by file
}

// Type is a type of rotation, the answer to the question "type".
type Type struct {
	Name  string
	Title string
	Help  string
	Kind  string   // the question that its target answers, one of TargetKinds
	Modes []Mode   // the ways to do it; one without a name if there is no choice
	Yours []string // what is left to the owner of a project, a line each

	key    string // as of a Choice
	weight int    // as of a manifest
}

// Mode is one of the ways in which a type of rotation is done, an answer to the question "mode".
type Mode struct {
	Name     string
	Help     string
	Strategy string // its folder below strategies/

	weight int
}

// Target is what holds the credential: an answer to the question that its kind is named after.
type Target struct {
	Kind       string // one of TargetKinds
	Name       string
	Title      string
	Aliases    []string
	Managed    string   // how Secrets Manager rotates this by itself, a sentence; empty if it does not
	Strategies []string // the strategies that it has a folder for
	Protocols  []string // the folders below protocols/ that it shares with others

	weight int
}

// TargetKinds are the kinds of targets: each is a question, and its answers are the folders below its plural.
func TargetKinds() []string { return []string{"engine", "provider"} }

// folder returns the target's folder in the template tree.
func (t *Target) folder() string { return path.Join(t.Kind+"s", t.Name) }

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

const (
	strategyFile = "strategy.yaml"
	wordsFile    = "words.tmpl"
)

// Open reads the manifests of a template tree. root is the import path of the tree's top folder. It fails on a manifest with an
// unknown field, a name that is not its folder's, or a question that cannot be answered with its own default.
func Open(fsys fs.FS, root string) (*Catalog, error) {
	c := &Catalog{fsys: fsys, root: root, strategies: make(map[string]strategyManifest)}
	asked, err := c.readStrategies()
	if err != nil {
		return nil, err
	}
	for _, kind := range TargetKinds() {
		first := len(c.Targets)
		for _, dir := range folders(fsys, kind+"s") {
			questions, err := c.readTarget(kind, dir)
			if err != nil {
				return nil, err
			}
			asked = append(asked, questions...)
		}
		slices.SortFunc(c.Targets[first:], func(a, b Target) int { return byWeight(a.weight, b.weight, a.Name, b.Name) })
	}
	return c, c.ask(asked)
}

// readStrategies finds the types and their modes.
func (c *Catalog) readStrategies() ([]Question, error) {
	var asked []Question
	dirs := folders(c.fsys, "strategies")
	for _, dir := range dirs {
		var m strategyManifest
		questions, err := readManifest(c.fsys, path.Join("strategies", dir), strategyFile, &m, &m.Questions)
		if err != nil {
			return nil, err
		}
		if m.Type != "" && !slices.Contains(TargetKinds(), m.Target) {
			return nil, fmt.Errorf("strategies/%s/%s: target %q is none of: %s", dir, strategyFile, m.Target, strings.Join(TargetKinds(), ", "))
		}
		asked = append(asked, questions...)
		c.strategies[dir] = m
	}
	modes := make(map[string][]Mode) // by the type's strategy
	for _, dir := range dirs {
		layers, err := c.strategyLayers(dir, nil)
		if err != nil {
			return nil, err
		}
		if m := c.strategies[dir]; m.Mode != "" {
			for _, layer := range layers {
				base := path.Base(layer)
				modes[base] = append(modes[base], Mode{Name: m.Mode, Help: m.Help, Strategy: dir, weight: m.Weight})
			}
		}
	}
	for _, dir := range dirs {
		m := c.strategies[dir]
		if m.Type == "" {
			continue
		}
		t := Type{Name: m.Type, Title: m.Title, Help: m.Help, Kind: m.Target, Modes: modes[dir], key: m.Key, weight: m.Weight}
		slices.SortFunc(t.Modes, func(a, b Mode) int { return byWeight(a.weight, b.weight, a.Name, b.Name) })
		if t.Modes == nil {
			t.Modes = []Mode{{Strategy: dir}}
		}
		layers, _ := c.strategyLayers(dir, nil) // just checked
		for _, layer := range layers {
			t.Yours = append(t.Yours, c.strategies[path.Base(layer)].Yours...)
		}
		c.Types = append(c.Types, t)
	}
	slices.SortFunc(c.Types, func(a, b Type) int { return byWeight(a.weight, b.weight, a.Name, b.Name) })
	return asked, nil
}

// byWeight compares choices as they are listed.
func byWeight(a, b int, nameA, nameB string) int {
	return cmp.Or(cmp.Compare(b, a), cmp.Compare(nameA, nameB))
}

func (c *Catalog) readTarget(kind, dir string) ([]Question, error) {
	t := Target{Kind: kind, Name: dir}
	var m targetManifest
	questions, err := readManifest(c.fsys, t.folder(), kind+".yaml", &m, &m.Questions)
	if err != nil {
		return nil, err
	}
	if m.Name != dir {
		return nil, fmt.Errorf("%s/%s.yaml: name %q is not the folder's", t.folder(), kind, m.Name)
	}
	t.Title, t.Aliases, t.Managed, t.Protocols, t.weight = m.Title, m.Aliases, m.Managed, m.Includes, m.Weight
	for _, protocol := range m.Includes {
		if !slices.Contains(folders(c.fsys, "protocols"), protocol) {
			return nil, fmt.Errorf("%s/%s.yaml includes unknown protocol %q", t.folder(), kind, protocol)
		}
	}
	for _, sub := range folders(c.fsys, t.folder()) {
		if _, ok := c.strategies[sub]; ok {
			t.Strategies = append(t.Strategies, sub)
		}
	}
	c.Targets = append(c.Targets, t)
	return questions, nil
}

// ask puts the questions together: those of the layers follow the choice of type, target and mode.
func (c *Catalog) ask(layers []Question) error {
	for _, q := range BaseQuestions() {
		switch {
		case q.Key == "type":
			for _, t := range c.Types {
				q.Choices = append(q.Choices, Choice{Value: t.Name, Help: t.Help, Key: t.key})
			}
		case slices.Contains(TargetKinds(), q.Key):
			for _, t := range c.Targets {
				if t.Kind == q.Key {
					q.Choices = append(q.Choices, Choice{Value: t.Name, Help: t.Title, Aliases: t.Aliases})
				}
			}
		case q.Key == modeKey:
			for _, t := range c.Types {
				for _, m := range t.Modes {
					if m.Name != "" {
						q.Choices = append(q.Choices, Choice{Value: m.Name, Help: m.Help})
					}
				}
			}
		case q.Key == "module":
			q.check = c.checkModule
		}
		if q.Choices == nil && q.chosen() {
			continue // the tree offers nothing of this kind
		}
		c.questions = append(c.questions, q)
	}
	after := 1 + slices.IndexFunc(c.questions, func(q Question) bool { return q.Key == "type" })
	for after < len(c.questions) && c.questions[after].chosen() {
		after++
	}
	for _, q := range layers {
		if slices.ContainsFunc(c.questions, func(other Question) bool { return other.Key == q.Key }) {
			return fmt.Errorf("%s: question %q is built in", q.Layer, q.Key)
		}
	}
	c.questions = slices.Insert(c.questions, after, layers...)
	return nil
}

// checkModule refuses rotasmith's own import path, which no emitted file may hold.
func (c *Catalog) checkModule(value string, get Lookup) error {
	if value == c.root || strings.HasPrefix(value, c.root+"/") {
		return advise("a module path of your own", "module path %q lies inside the templates", value)
	}
	return checkModule(value, get)
}

// Questions returns every question in order: the built-in ones and those of all layers.
func (c *Catalog) Questions() []Question { return slices.Clone(c.questions) }

// Feature is an answer that brings files of its own.
type Feature struct {
	Question string
	Answer   string
	Target   *Target // nil: whatever the target
}

// Features returns the answers that bring files, in the order of the questions.
func (c *Catalog) Features() []Feature {
	var features []Feature
	for _, q := range c.questions {
		for _, choice := range q.Choices {
			folder := path.Join("features", q.Key, choice.Value)
			if isFolder(c.fsys, folder) {
				features = append(features, Feature{q.Key, choice.Value, nil})
			}
			for i := range c.Targets {
				if t := &c.Targets[i]; isFolder(c.fsys, path.Join(t.folder(), folder)) {
					features = append(features, Feature{q.Key, choice.Value, t})
				}
			}
		}
	}
	return features
}

// typeNamed returns nil for no such type.
func (c *Catalog) typeNamed(name string) *Type {
	for i := range c.Types {
		if c.Types[i].Name == name {
			return &c.Types[i]
		}
	}
	return nil
}

// target returns the target that the answers name, nil if they name none; aliases are resolved before.
func (c *Catalog) target(get Lookup) *Target {
	for i := range c.Targets {
		if t := &c.Targets[i]; t.Name == get(t.Kind) {
			return t
		}
	}
	return nil
}

// strategy returns the folder of the strategy that the answers choose, empty if they choose none.
func (c *Catalog) strategy(get Lookup) string {
	t := c.typeNamed(get("type"))
	if t == nil {
		return ""
	}
	for _, m := range t.Modes {
		if m.Name == get(modeKey) {
			return m.Strategy
		}
	}
	return ""
}

// strategyLayers returns the layer folders of a strategy, what it includes first.
func (c *Catalog) strategyLayers(name string, path []string) ([]string, error) {
	m, ok := c.strategies[name]
	if !ok {
		return nil, fmt.Errorf("strategies/%s includes unknown strategy %q", path[len(path)-1], name)
	}
	if slices.Contains(path, name) {
		return nil, fmt.Errorf("strategies/%s includes itself", name)
	}
	var layers []string
	for _, inc := range m.Includes {
		sub, err := c.strategyLayers(inc, append(slices.Clone(path), name))
		if err != nil {
			return nil, err
		}
		for _, layer := range sub {
			if !slices.Contains(layers, layer) {
				layers = append(layers, layer)
			}
		}
	}
	return append(layers, "strategies/"+name), nil
}

// asking returns the folders whose manifests ask, given the answers to type, target and mode.
func (c *Catalog) asking(get Lookup) []string {
	var layers []string
	if s := c.strategy(get); s != "" {
		layers, _ = c.strategyLayers(s, nil)
	}
	if t := c.target(get); t != nil {
		layers = append(layers, t.folder())
	}
	return layers
}

var keyPattern = regexpOnce(`^[a-z][a-z0-9_]*$`)

// readManifest decodes a manifest strictly and returns its questions.
func readManifest(fsys fs.FS, layer, name string, manifest any, asked *[]manifestQuestion) ([]Question, error) {
	file := path.Join(layer, name)
	data, err := fs.ReadFile(fsys, file)
	if err != nil {
		return nil, err
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(manifest); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	questions := make([]Question, 0, len(*asked))
	for _, m := range *asked {
		q := Question{
			Key: m.Key, Prompt: m.Prompt, Help: m.Help, Why: m.Why, Default: m.Default, Choices: m.Choices,
			Optional: m.Optional, List: m.List, Layer: layer,
		}
		if keyPattern(m.Key) == nil {
			return nil, fmt.Errorf("%s: bad key %q", file, m.Key)
		}
		if m.Pattern != "" {
			q.Pattern = `^(?:` + m.Pattern + `)$`
			re, err := regexp.Compile(q.Pattern)
			if err != nil {
				return nil, fmt.Errorf("%s: question %q: %w", file, m.Key, err)
			}
			q.check = func(value string, _ Lookup) error {
				if !re.MatchString(value) {
					return advise(m.Help, "bad %s %q", m.Key, value)
				}
				return nil
			}
		}
		if m.Default != "" && !strings.Contains(m.Default, "{") {
			if _, err := q.Check(m.Default, func(string) string { return "" }); err != nil {
				return nil, fmt.Errorf("%s: default of question %q: %w", file, m.Key, err)
			}
		}
		questions = append(questions, q)
	}
	return questions, nil
}

// folders returns the names of the folders in dir, sorted; none if there is no dir.
func folders(fsys fs.FS, dir string) []string {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}
