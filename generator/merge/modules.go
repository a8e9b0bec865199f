package merge

import (
	"cmp"
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

// goMod merges a go.mod by what it says: the template's changes of versions are made in yours, the higher of two wins. It leaves a file to the
// merge of lines that requires a module twice, or in which the template has changed more than the module, versions and what is required.
func (f *file) goMod() (Result, bool) {
	var parsed [3]*modfile.File
	var required [3]requirements
	for i, text := range []string{f.base, f.yours, f.theirs} {
		file, err := modfile.Parse(f.path, []byte(text), nil)
		if err != nil || file.Module == nil {
			return Result{}, false
		}
		parsed[i], required[i] = file, requirementsOf(file)
		if len(required[i]) < len(file.Require) {
			return Result{}, false
		}
	}
	base, yours, theirs := parsed[0], parsed[1], parsed[2]
	m := &modules{required[0], required[1], required[2], yours, nil}
	if rest(base) != rest(theirs) || !m.name(base.Module.Mod.Path, theirs.Module.Mod.Path) {
		return Result{}, false
	}
	m.release(base.Go, theirs.Go)
	yours.SetRequireSeparateIndirect(m.required())
	yours.Cleanup()
	text, err := yours.Format()
	return Result{Text: []byte(strings.ReplaceAll(string(text), "\n", f.end)), Notes: m.notes}, err == nil
}

// requirements are the modules that a go.mod requires, by path.
type requirements map[string]*modfile.Require

func requirementsOf(f *modfile.File) requirements {
	r := make(requirements, len(f.Require))
	for _, require := range f.Require {
		r[require.Mod.Path] = require
	}
	return r
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

// required returns what the merged file requires.
func (m *modules) required() []*modfile.Require {
	added := m.haveAdded()
	var list []*modfile.Require
	either := maps.Clone(m.yours)
	maps.Copy(either, m.theirs)
	for _, p := range slices.Sorted(maps.Keys(either)) {
		base, yours, theirs := m.base[p], m.yours[p], m.theirs[p]
		switch {
		case yours == nil && base == nil:
			m.note("%s %s", name(p), theirs.Mod.Version)
			list = append(list, theirs)
		case yours == nil:
			if base.Mod != theirs.Mod {
				m.note("yours: without %s %s", name(p), theirs.Mod.Version)
			}
		case theirs != nil:
			list = append(list, m.version(base, yours, theirs))
		case base == nil:
			if !yours.Indirect {
				m.note("yours: %s %s", p, yours.Mod.Version)
			}
			list = append(list, yours)
		case added || !yours.Indirect || yours.Mod != base.Mod: // your code may import what is required directly, and what you have added may require the rest
			list = append(list, yours)
		}
	}
	return list
}

// haveAdded reports whether you require a module that the template has not required.
func (m *modules) haveAdded() bool {
	for p := range m.yours {
		if m.base[p] == nil {
			return true
		}
	}
	return false
}

// version decides between two versions of a module: the template's, if it has changed that, and yours is not another and higher.
func (m *modules) version(base, yours, theirs *modfile.Require) *modfile.Require {
	merged := *yours
	merged.Indirect = yours.Indirect && theirs.Indirect
	here, now := yours.Mod.Version, theirs.Mod.Version
	switch {
	case base != nil && base.Mod == theirs.Mod, here == now:
	case base != nil && base.Mod == yours.Mod, semver.Compare(here, now) < 0:
		m.note("%s %s -> %s", name(yours.Mod.Path), here, now)
		merged.Mod = theirs.Mod
	default:
		m.note("yours: %s %s, and not %s", name(yours.Mod.Path), here, now)
	}
	return &merged
}

// name is the last part of a module's path that is no major version.
func name(modulePath string) string {
	prefix, _, _ := module.SplitPathVersion(modulePath)
	return path.Base(prefix)
}

// goSum merges a go.sum: the lines of both. It fails where they say different things of a module.
func (f *file) goSum() (Result, bool) {
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
