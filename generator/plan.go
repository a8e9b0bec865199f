package generator

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// Action says how an entry's content comes about.
type Action string

// The actions of a plan.
const (
	Copy   Action = "copy"   // byte for byte
	Rehome Action = "rehome" // Go: imports of the template tree become imports of the project
	Expand Action = "expand" // a text template
	Record Action = "record" // written by the generator itself
)

// The files that the generator itself writes into a project.
const (
	AnswersFile = "rotasmith.yaml"
	LockFile    = ".rotasmith/lock.json"
)

// Entry is one file of a project to be.
type Entry struct {
	Path   string // in the project, with slashes
	Source string // in the template tree; "answers" for what the generator writes
	Layer  string
	Action Action
}

// Plan is every file of a project, sorted by path.
type Plan []Entry

// Plan finds the files of a project. It fails when two layers supply one path and on paths that not every system can hold.
func (r *Renderer) Plan(s *Spec) (Plan, error) {
	return r.plans.get(strings.Join(s.Layers, " "), func() (Plan, error) { return newPlan(r.catalog.fsys, s.Layers) })
}

func newPlan(fsys fs.FS, layers []string) (Plan, error) {
	plan := Plan{
		{Path: AnswersFile, Source: "answers", Action: Record},
		{Path: LockFile, Source: "answers", Action: Record},
		{Path: SchemaFile, Source: "answers", Action: Record},
	}
	for _, layer := range layers {
		err := fs.WalkDir(fsys, layer, func(source string, d fs.DirEntry, err error) error {
			if err == nil && source == layer+"/features" {
				return fs.SkipDir // each answer is a layer of its own
			}
			if err != nil || d.IsDir() || isManifest(layer, source) || staysHere(source) || forOtherStrategy(fsys, source, layers) {
				return err
			}
			plan = append(plan, newEntry(layer, source))
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("layer %s: %w", layer, err)
		}
	}
	plan.place()
	slices.SortStableFunc(plan, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	return plan, plan.verify()
}

func newEntry(layer, source string) Entry {
	e := Entry{Path: strings.TrimPrefix(source, layer+"/"), Source: source, Layer: layer, Action: Copy}
	switch {
	case slices.Contains(strings.Split(path.Dir(e.Path), "/"), "testdata"):
	case path.Ext(source) == ".tmpl":
		e.Path, e.Action = strings.TrimSuffix(e.Path, ".tmpl"), Expand
	case path.Ext(source) == ".go":
		e.Action = Rehome
	}
	return e
}

func isManifest(layer, source string) bool {
	return slices.Contains([]string{layer + "/" + strategyFile, layer + "/" + wordsFile, layer + "/" + costFile}, source)
}

// forOtherStrategy reports whether a Go file is for projects of a strategy that is not among the layers. As a file NAME_linux.go is for
// Linux, NAME_assisted.go and its test are for the strategy in strategies/assisted.
func forOtherStrategy(fsys fs.FS, source string, layers []string) bool {
	name, isGo := strings.CutSuffix(path.Base(source), ".go")
	name = strings.TrimSuffix(name, "_test")
	strategy := "strategies/" + name[strings.LastIndexByte(name, '_')+1:]
	return isGo && strings.Contains(name, "_") && isFolder(fsys, strategy) && !slices.Contains(layers, strategy)
}

// verify reports every path that is supplied twice, or that some file system would refuse or fold into another.
func (p Plan) verify() error {
	var errs []error
	type seen struct {
		path string
		file bool
	}
	folded := make(map[string]seen) // by lower-cased path, files and folders
	for i, e := range p {
		if i > 0 && p[i-1].Path == e.Path {
			errs = append(errs, fmt.Errorf("%s is supplied twice: by %s and %s", e.Path, p[i-1].Source, e.Source))
			continue
		}
		if err := ValidatePath(e.Path); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", e.Source, err))
		}
		for dir := e.Path; dir != "."; dir = path.Dir(dir) {
			fold := strings.ToLower(dir)
			if other, ok := folded[fold]; ok && (other.path != dir || other.file || dir == e.Path) {
				errs = append(errs, fmt.Errorf("%s: path %s clashes with %s", e.Source, dir, other.path))
			}
			folded[fold] = seen{dir, dir == e.Path}
		}
	}
	return errors.Join(errs...)
}

// ValidatePath refuses paths, with slashes, that leave the project or that Windows cannot hold.
func ValidatePath(p string) error {
	if !filepath.IsLocal(filepath.FromSlash(p)) || path.Clean(p) != p {
		return fmt.Errorf("path %q is not inside the project", p)
	}
	for name := range strings.SplitSeq(p, "/") {
		if reserved(name) || strings.ContainsAny(name, `<>:"|?*\`) || strings.HasSuffix(name, ".") || strings.HasSuffix(name, " ") {
			return fmt.Errorf("path %q is no legal name on Windows", p)
		}
	}
	return nil
}

// reserved reports whether Windows takes a file name for a device, whatever its extension.
func reserved(name string) bool {
	base, _, _ := strings.Cut(strings.ToLower(name), ".")
	switch strings.TrimRight(base, " ") {
	case "con", "prn", "aux", "nul", "conin$", "conout$":
		return true
	}
	digit, ok := strings.CutPrefix(base, "com")
	if !ok {
		digit, ok = strings.CutPrefix(base, "lpt")
	}
	return ok && utf8.RuneCountInString(digit) == 1 && strings.Trim(digit, "123456789¹²³") == "" // its code pages have these digits too
}

// String lists the plan, one file a line: action, path, source. It holds no sizes, so that it changes only when a file comes or goes.
func (p Plan) String() string {
	var b strings.Builder
	for _, e := range p {
		fmt.Fprintf(&b, "%-6s %s < %s\n", e.Action, e.Path, e.Source)
	}
	return b.String()
}

func isFolder(fsys fs.FS, dir string) bool {
	info, err := fs.Stat(fsys, dir)
	return err == nil && info.IsDir()
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
