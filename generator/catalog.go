package generator

import (
	"bytes"
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

// Catalog is what a template tree offers, found by the manifests in it: strategies/*/strategy.yaml and engines/*/engine.yaml.
type Catalog struct {
	Types   []Type
	Engines []Engine

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
}

// Type is a type of rotation, the answer to the question "type".
type Type struct {
	Name     string
	Title    string
	Help     string
	Strategy string   // its folder below strategies/
	Yours    []string // what is left to the owner of a project, a line each
}

// Engine is an answer to the question "engine".
type Engine struct {
	Name       string
	Title      string
	Aliases    []string
	Strategies []string // the strategies that it has a folder for
	Protocols  []string // the folders below protocols/ that it shares with other engines
}

type strategyManifest struct {
	Type      string
	Title     string
	Help      string
	Key       string // as of a Choice
	Includes  []string
	Yours     []string
	Questions []manifestQuestion
}

type engineManifest struct {
	Name      string
	Title     string
	Aliases   []string
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
	engineFile   = "engine.yaml"
	wordsFile    = "words.tmpl"
)

// Open reads the manifests of a template tree. root is the import path of the tree's top folder. It fails on a manifest with an
// unknown field, a name that is not its folder's, or a question that cannot be answered with its own default.
func Open(fsys fs.FS, root string) (*Catalog, error) {
	c := &Catalog{fsys: fsys, root: root, strategies: make(map[string]strategyManifest)}
	var asked []Question
	for _, dir := range folders(fsys, "strategies") {
		var m strategyManifest
		questions, err := readManifest(fsys, path.Join("strategies", dir), strategyFile, &m, &m.Questions)
		if err != nil {
			return nil, err
		}
		asked = append(asked, questions...)
		c.strategies[dir] = m
		if m.Type != "" {
			c.Types = append(c.Types, Type{Name: m.Type, Title: m.Title, Help: m.Help, Strategy: dir})
		}
	}
	slices.SortFunc(c.Types, func(a, b Type) int { return strings.Compare(a.Name, b.Name) })
	for _, dir := range folders(fsys, "engines") {
		var m engineManifest
		layer := path.Join("engines", dir)
		questions, err := readManifest(fsys, layer, engineFile, &m, &m.Questions)
		if err != nil {
			return nil, err
		}
		if m.Name != dir {
			return nil, fmt.Errorf("%s/%s: name %q is not the folder's", layer, engineFile, m.Name)
		}
		asked = append(asked, questions...)
		e := Engine{Name: m.Name, Title: m.Title, Aliases: m.Aliases, Protocols: m.Includes}
		for _, protocol := range m.Includes {
			if !slices.Contains(folders(fsys, "protocols"), protocol) {
				return nil, fmt.Errorf("%s/%s includes unknown protocol %q", layer, engineFile, protocol)
			}
		}
		for _, sub := range folders(fsys, layer) {
			if _, ok := c.strategies[sub]; ok {
				e.Strategies = append(e.Strategies, sub)
			}
		}
		c.Engines = append(c.Engines, e)
	}
	if err := c.checkIncludes(); err != nil {
		return nil, err
	}
	for i, t := range c.Types {
		layers, _ := c.strategyLayers(t.Strategy, nil) // just checked
		for _, layer := range layers {
			c.Types[i].Yours = append(c.Types[i].Yours, c.strategies[path.Base(layer)].Yours...)
		}
	}
	return c, c.ask(asked)
}

// ask puts the questions together: those of the layers follow the choice of type and engine.
func (c *Catalog) ask(layers []Question) error {
	for _, q := range BaseQuestions() {
		switch q.Key {
		case "type":
			for _, t := range c.Types {
				q.Choices = append(q.Choices, Choice{Value: t.Name, Help: t.Help, Key: c.strategies[t.Strategy].Key})
			}
		case "engine":
			for _, e := range c.Engines {
				q.Choices = append(q.Choices, Choice{Value: e.Name, Help: e.Title, Aliases: e.Aliases})
			}
		case "module":
			q.check = c.checkModule
		}
		c.questions = append(c.questions, q)
		if q.Key == "engine" {
			c.questions = append(c.questions, layers...)
		}
	}
	for _, q := range layers {
		if slices.ContainsFunc(c.questions, func(other Question) bool { return other.Key == q.Key && other.Layer == "" }) {
			return fmt.Errorf("%s: question %q is built in", q.Layer, q.Key)
		}
	}
	return nil
}

// checkModule refuses rotasmith's own import path, which no emitted file may hold.
func (c *Catalog) checkModule(value string, get Lookup) error {
	if value == c.root || strings.HasPrefix(value, c.root+"/") {
		return advise("a module path of your own", "module path %q lies inside the templates", value)
	}
	return checkModule(value, get)
}

func (c *Catalog) checkIncludes() error {
	for name := range c.strategies {
		if _, err := c.strategyLayers(name, nil); err != nil {
			return err
		}
	}
	return nil
}

// Questions returns every question in order: the built-in ones and those of all layers.
func (c *Catalog) Questions() []Question { return slices.Clone(c.questions) }

// EngineFor returns the name of an engine that knows a type, empty if there is none.
func (c *Catalog) EngineFor(t Type) string {
	if engines := c.EnginesOf(t); len(engines) > 0 {
		return engines[0]
	}
	return ""
}

// Feature is an answer that brings files of its own.
type Feature struct {
	Question string
	Answer   string
	Engine   string // empty: whatever the engine
}

// Features returns the answers that bring files, in the order of the questions.
func (c *Catalog) Features() []Feature {
	var features []Feature
	for _, q := range c.questions {
		for _, choice := range q.Choices {
			folder := path.Join("features", q.Key, choice.Value)
			if isFolder(c.fsys, folder) {
				features = append(features, Feature{q.Key, choice.Value, ""})
			}
			for _, e := range c.Engines {
				if isFolder(c.fsys, path.Join("engines", e.Name, folder)) {
					features = append(features, Feature{q.Key, choice.Value, e.Name})
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

// engineNamed returns nil for no such engine; aliases are resolved before.
func (c *Catalog) engineNamed(name string) *Engine {
	for i := range c.Engines {
		if c.Engines[i].Name == name {
			return &c.Engines[i]
		}
	}
	return nil
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

// asking returns the folders whose manifests ask, given the answers to type and engine.
func (c *Catalog) asking(get Lookup) []string {
	var layers []string
	if t := c.typeNamed(get("type")); t != nil {
		layers, _ = c.strategyLayers(t.Strategy, nil)
	}
	if e := c.engineNamed(get("engine")); e != nil {
		layers = append(layers, "engines/"+e.Name)
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
