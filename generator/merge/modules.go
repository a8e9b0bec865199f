package merge

import (
	"cmp"
	"errors"
	"fmt"
	"go/version"
	"maps"
	"path"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// requirements are the modules that a go.mod requires, by path.
type requirements map[string]*modfile.Require

func requirementsOf(f *modfile.File) requirements {
	r := make(requirements, len(f.Require))
	for _, require := range f.Require {
		r[require.Mod.Path] = require
	}
	return r
}

// modules merges a go.mod by what it says: the template's changes of versions are made in yours, the higher of two wins. Where a template
// has changed more than the module, versions and what is required, it leaves the file to the merge of lines.
func (f *file) modules() (Result, bool) {
	base, err1 := modfile.Parse(f.path, []byte(f.base), nil)
	yours, err2 := modfile.Parse(f.path, []byte(f.yours), nil)
	theirs, err3 := modfile.Parse(f.path, []byte(f.theirs), nil)
	if errors.Join(err1, err2, err3) != nil || base.Module == nil || yours.Module == nil || theirs.Module == nil || rest(base) != rest(theirs) {
		return Result{}, false
	}
	m := &modules{requirementsOf(base), requirementsOf(yours), requirementsOf(theirs), yours, nil}
	if !m.name(base.Module.Mod.Path, theirs.Module.Mod.Path) {
		return Result{}, false
	}
	m.release(base.Go, theirs.Go)
	m.require()
	m.drop()
	m.own()
	yours.SetRequireSeparateIndirect(yours.Require)
	yours.Cleanup()
	text, err := yours.Format()
	return Result{Text: []byte(strings.ReplaceAll(string(text), "\n", f.end)), Notes: m.notes}, err == nil
}

// rest is what a go.mod says beside the module, the release of Go and what it requires.
func rest(f *modfile.File) string {
	var b strings.Builder
	for _, s := range f.Syntax.Stmt {
		var tokens []string
		switch s := s.(type) {
		case *modfile.Line:
			tokens = s.Token
		case *modfile.LineBlock:
			tokens = s.Token
			for _, line := range s.Line {
				tokens = slices.Concat(tokens, line.Token)
			}
		}
		if len(tokens) > 0 && !slices.Contains([]string{"module", "go", "require"}, tokens[0]) {
			fmt.Fprintln(&b, tokens)
		}
	}
	return b.String()
}

// modules is the merge of a go.mod, which changes yours.
type modules struct {
	base, yours, theirs requirements
	file                *modfile.File
	notes               []string
}

func (m *modules) note(format string, args ...any) {
	m.notes = append(m.notes, fmt.Sprintf(format, args...))
}

// name gives the module the name that only the template has changed. It fails if both have.
func (m *modules) name(base, theirs string) bool {
	yours := m.file.Module.Mod.Path
	switch {
	case theirs == base, theirs == yours:
		return true
	case yours != base:
		return false
	}
	return m.file.AddModuleStmt(theirs) == nil
}

// release takes over the release of Go that the template has changed to, unless yours is another one and later.
func (m *modules) release(base, theirs *modfile.Go) {
	was, yours, now := releaseOf(base), releaseOf(m.file.Go), releaseOf(theirs)
	if now == "" || now == was || yours != was && version.Compare("go"+yours, "go"+now) >= 0 {
		return
	}
	m.note("go %s -> %s", yours, now)
	_ = m.file.AddGoStmt(now) // it was parsed
}

func releaseOf(stmt *modfile.Go) string {
	if stmt == nil {
		return ""
	}
	return stmt.Version
}

// require makes the template's changes of what is required.
func (m *modules) require() {
	for _, p := range slices.Sorted(maps.Keys(m.theirs)) {
		theirs, yours, base := m.theirs[p].Mod.Version, m.yours[p], m.base[p]
		unchanged := base != nil && base.Mod.Version == theirs
		switch {
		case yours == nil && unchanged: // you have taken it out
		case yours == nil:
			m.note("%s %s", name(p), theirs)
			m.file.AddNewRequire(p, theirs, m.theirs[p].Indirect)
		case unchanged, yours.Mod.Version == theirs:
		case base != nil && yours.Mod.Version == base.Mod.Version, semver.Compare(yours.Mod.Version, theirs) < 0:
			m.note("%s %s -> %s", name(p), yours.Mod.Version, theirs)
			_ = m.file.AddRequire(p, theirs) // it was parsed
		default:
			m.note("yours: %s %s, and not %s", name(p), yours.Mod.Version, theirs)
		}
	}
}

// drop takes out what the template no longer requires, if no code can import it: you may import what is required directly, and what you have
// added may require the rest.
func (m *modules) drop() {
	for p := range m.yours {
		if m.base[p] == nil {
			return
		}
	}
	for _, p := range slices.Sorted(maps.Keys(m.base)) {
		if yours := m.yours[p]; m.theirs[p] == nil && yours != nil && yours.Indirect && yours.Mod.Version == m.base[p].Mod.Version {
			_ = m.file.DropRequire(p) // it is there
		}
	}
}

// own notes what only you require directly.
func (m *modules) own() {
	for _, p := range slices.Sorted(maps.Keys(m.yours)) {
		if m.base[p] == nil && m.theirs[p] == nil && !m.yours[p].Indirect {
			m.note("yours: %s %s", p, m.yours[p].Mod.Version)
		}
	}
}

// name is the last part of a module's path that is no major version.
func name(modulePath string) string {
	prefix, _, _ := module.SplitPathVersion(modulePath)
	return path.Base(prefix)
}

// sums merges a go.sum: the lines of both. It fails where they say different things of a module.
func (f *file) sums() (Result, bool) {
	digests := make(map[[2]string]string)
	for line := range strings.Lines(f.yours + "\n" + f.theirs) {
		field := strings.Fields(line)
		if len(field) == 0 {
			continue
		}
		if len(field) != 3 {
			return Result{}, false
		}
		key := [2]string{field[0], field[1]}
		if known, ok := digests[key]; ok && known != field[2] {
			return Result{}, false
		}
		digests[key] = field[2]
	}
	keys := slices.SortedFunc(maps.Keys(digests), func(a, b [2]string) int {
		versionA, fileA, _ := strings.Cut(a[1], "/")
		versionB, fileB, _ := strings.Cut(b[1], "/")
		return cmp.Or(cmp.Compare(a[0], b[0]), semver.Compare(versionA, versionB), cmp.Compare(fileA, fileB))
	})
	var b strings.Builder
	for _, key := range keys {
		b.WriteString(key[0] + " " + key[1] + " " + digests[key] + f.end)
	}
	return Result{Text: []byte(b.String())}, true
}
