package generator

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/rotasmith/rotasmith/generator/changelog"
)

// Catalog is what a template tree offers, found by the manifests in it: strategies/*/strategy.yaml, a manifest in each folder of a kind of
// target, such as engines/*/engine.yaml, and features/*/question.yaml; retired.yaml says what
// has gone. Nothing of it changes once it is open.
type Catalog struct {
	Types     []Type
	Targets   []Target
	Questions []Question // all of them, in order: the built-in ones, those of the features and those of the layers

	fsys       fs.FS
	root       string
	strategies map[string]strategyManifest
	costs      cache[costManifest]   // by layer
	retired    map[string]retirement // by the key of the question
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

// owners returns the folders in the template tree of those that have files for each strategy: the target's protocols, then the target.
func (t *Target) owners() []string {
	var owners []string
	for _, protocol := range t.Protocols {
		owners = append(owners, path.Join("protocols", protocol))
	}
	return append(owners, t.folder())
}

const (
	strategyFile = "strategy.yaml"
	wordsFile    = "words.tmpl"
)

// Open reads the manifests of a template tree. root is the import path of the tree's top folder. It fails on a manifest with an
// unknown field, a name that is not its folder's, a question that cannot be answered with its own default, or a folder for an answer that
// no question takes.
func Open(fsys fs.FS, root string) (*Catalog, error) {
	c := &Catalog{fsys: fsys, root: root, strategies: make(map[string]strategyManifest)}
	ofLayers, err := c.readStrategies()
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
			ofLayers = append(ofLayers, questions...)
		}
		slices.SortFunc(c.Targets[first:], func(a, b Target) int { return byWeight(a.weight, b.weight, a.Name, b.Name) })
	}
	ofFeatures, err := readFeatureQuestions(fsys)
	if err != nil {
		return nil, err
	}
	if err := c.putTogether(ofFeatures, ofLayers); err != nil {
		return nil, err
	}
	if err := c.readRetired(); err != nil {
		return nil, err
	}
	return c, c.verifyFeatures()
}

// readStrategies finds the types and their modes.
func (c *Catalog) readStrategies() ([]Question, error) {
	var ofLayers []Question
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
		ofLayers = append(ofLayers, questions...)
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
	return ofLayers, nil
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

// putTogether orders the questions: those of the layers follow the choice of type, target and mode, those of the features the questions
// that they name.
func (c *Catalog) putTogether(ofFeatures []featureQuestion, ofLayers []Question) error {
	for _, q := range BaseQuestions() {
		q.Choices = c.chosenFrom(q.Key)
		if q.Key == "module" {
			q.validate = c.validateModule
		}
		if q.Choices == nil && q.chosen() {
			continue // the tree offers nothing of this kind
		}
		c.Questions = append(c.Questions, q)
	}
	for _, q := range ofFeatures {
		if c.question(q.Key).Key != "" {
			return fmt.Errorf("%s: question %q is built in", q.file, q.Key)
		}
		after := slices.IndexFunc(c.Questions, func(other Question) bool { return other.Key == cmp.Or(q.After, lastAsked(c.Questions)) })
		if after < 0 {
			return fmt.Errorf("%s: after %q, which no question is", q.file, q.After)
		}
		c.Questions = slices.Insert(c.Questions, after+1, q.Question)
	}
	for _, q := range ofLayers {
		if c.question(q.Key).Key != "" {
			return fmt.Errorf("%s: question %q is built in", q.Layer, q.Key)
		}
	}
	after := 1 + slices.IndexFunc(c.Questions, func(q Question) bool { return q.Key == "type" })
	for after < len(c.Questions) && c.Questions[after].chosen() {
		after++
	}
	c.Questions = slices.Insert(c.Questions, after, ofLayers...)
	return nil
}

// lastAsked returns the key of the last question that a person is asked.
func lastAsked(questions []Question) string {
	for _, q := range slices.Backward(questions) {
		if !q.Silent {
			return q.Key
		}
	}
	return ""
}

// chosenFrom returns the choices of a question that the template tree makes: types, targets and modes.
func (c *Catalog) chosenFrom(key string) []Choice {
	var choices []Choice
	switch key {
	case "type":
		for _, t := range c.Types {
			choices = append(choices, Choice{Value: t.Name, Help: t.Help, Key: t.key})
		}
	case modeKey:
		for _, t := range c.Types {
			for _, m := range t.Modes {
				if m.Name != "" {
					choices = append(choices, Choice{Value: m.Name, Help: m.Help})
				}
			}
		}
	default:
		for _, t := range c.Targets {
			if t.Kind == key {
				choices = append(choices, Choice{Value: t.Name, Help: t.Title, Aliases: t.Aliases})
			}
		}
	}
	return choices
}

// verifyFeatures refuses a folder of an answer that its question does not take: it would never be taken, and no one would be told.
func (c *Catalog) verifyFeatures() error {
	owners := append(c.shared(), ".")
	for i := range c.Targets {
		owners = append(owners, c.Targets[i].folder())
	}
	for _, owner := range owners {
		for _, key := range folders(c.fsys, path.Join(owner, "features")) {
			q := c.question(key)
			for _, answer := range folders(c.fsys, path.Join(owner, "features", key)) {
				if !slices.ContainsFunc(q.Choices, func(choice Choice) bool { return choice.Value == answer }) {
					return fmt.Errorf("%s: question %q has no choice %q: add {value: %s, help: ...} to the choices of the manifest that asks it",
						path.Join(owner, "features", key, answer), key, answer, answer)
				}
			}
		}
	}
	return nil
}

// validateModule refuses rotasmith's own import path, which no emitted file may hold.
func (c *Catalog) validateModule(value string, so *Resolution) error {
	if value == c.root || strings.HasPrefix(value, c.root+"/") {
		return advise("a module path of your own", "module path %q lies inside the templates", value)
	}
	return validateModule(value, so)
}

// Changelog returns what has changed in what is emitted, in words.
func (c *Catalog) Changelog() (changelog.Log, error) { return changelog.Read(c.fsys) }

// shared returns the folders of all strategies and protocols, which may have features as a target may.
func (c *Catalog) shared() []string {
	var all []string
	for _, kind := range []string{"strategies", "protocols"} {
		for _, dir := range folders(c.fsys, kind) {
			all = append(all, path.Join(kind, dir))
		}
	}
	return all
}

// Feature is an answer that brings files of its own: to every project, or to those of Target or Shared alone.
type Feature struct {
	Question string
	Answer   string
	Target   *Target
	Shared   string // the folder of a strategy or a protocol, strategies/NAME or protocols/NAME
}

// Features returns the answers that bring files, in the order of the questions.
func (c *Catalog) Features() []Feature {
	var features []Feature
	for _, q := range c.Questions {
		for _, choice := range q.Choices {
			folder := path.Join("features", q.Key, choice.Value)
			if isFolder(c.fsys, folder) {
				features = append(features, Feature{Question: q.Key, Answer: choice.Value})
			}
			for _, shared := range c.shared() {
				if isFolder(c.fsys, path.Join(shared, folder)) {
					features = append(features, Feature{Question: q.Key, Answer: choice.Value, Shared: shared})
				}
			}
			for i := range c.Targets {
				if t := &c.Targets[i]; isFolder(c.fsys, path.Join(t.folder(), folder)) {
					features = append(features, Feature{Question: q.Key, Answer: choice.Value, Target: t})
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

// question returns a question by its key, an empty one if it is not asked.
func (c *Catalog) question(key string) Question {
	for _, q := range c.Questions {
		if q.Key == key {
			return q
		}
	}
	return Question{}
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
