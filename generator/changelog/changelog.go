// Package changelog says in words what has changed in the files that are emitted, version by version: it reads CHANGELOG.yaml of a template
// tree, in which each change names the files that it touches.
package changelog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/mod/semver"
)

// File is where a template tree keeps its changelog.
const File = "CHANGELOG.yaml"

// Severity says how soon a change concerns the people who run a project.
type Severity string

// The severities, the most urgent first.
const (
	Security Severity = "security"
	Fix      Severity = "fix"
	Feature  Severity = "feature"
	Chore    Severity = "chore"
)

// Severities returns all severities, the most urgent first.
func Severities() []Severity { return []Severity{Security, Fix, Feature, Chore} }

// Entry is one change of what is emitted, in the words of the people who get it.
type Entry struct {
	Version  string   `yaml:"version" json:"version"` // the first with the change, such as v1.3.0
	Severity Severity `yaml:"severity" json:"severity"`
	Text     string   `yaml:"text" json:"text"` // a sentence without a full stop
	// Touches are the files of a project that are changed: paths, patterns of package path, or FOLDER/ for all below it; none is every file.
	Touches []string `yaml:"touches" json:"touches"`
	Types   []string `yaml:"type" json:"type,omitempty"` // of projects that are changed; none is every type
}

// Concerns reports whether a project of a type with these files gets the change.
func (e *Entry) Concerns(files []string, typ string) bool {
	return e.isFor(typ) && (len(e.Touches) == 0 || slices.ContainsFunc(files, e.touches))
}

// Covers reports whether the change says that it touches a file of a project of a type.
func (e *Entry) Covers(file, typ string) bool {
	return e.isFor(typ) && (len(e.Touches) == 0 || e.touches(file))
}

func (e *Entry) isFor(typ string) bool { return len(e.Types) == 0 || slices.Contains(e.Types, typ) }

func (e *Entry) touches(file string) bool {
	return slices.ContainsFunc(e.Touches, func(pattern string) bool {
		matches, _ := path.Match(pattern, file) // Read has checked its syntax
		return matches || strings.HasSuffix(pattern, "/") && strings.HasPrefix(file, pattern)
	})
}

// Log is a changelog, the newest version first.
type Log []Entry

// Read reads the changelog of a template tree; one without the file has none. It refuses a field that it does not know, a version
// out of order, an unknown severity and a bad pattern.
func Read(fsys fs.FS) (Log, error) {
	data, err := fs.ReadFile(fsys, File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var log Log
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&log); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", File, err)
	}
	for i := range log {
		if err := log[i].verify(); err != nil {
			return nil, fmt.Errorf("%s: entry %d: %w", File, i+1, err)
		}
		if i > 0 && semver.Compare(log[i-1].Version, log[i].Version) < 0 {
			return nil, fmt.Errorf("%s: entry %d: %s stands below %s: the newest comes first", File, i+1, log[i].Version, log[i-1].Version)
		}
	}
	return log, nil
}

func (e *Entry) verify() error {
	if semver.Canonical(e.Version) != e.Version || e.Version == "" {
		return fmt.Errorf("version %q is none such as v1.3.0", e.Version)
	}
	if !slices.Contains(Severities(), e.Severity) {
		return fmt.Errorf("unknown severity %q", e.Severity)
	}
	if e.Text == "" || strings.Contains(e.Text, "\n") || strings.HasSuffix(e.Text, ".") {
		return fmt.Errorf("text %q is no line without a full stop", e.Text)
	}
	for _, pattern := range e.Touches {
		if _, err := path.Match(pattern, ""); err != nil {
			return fmt.Errorf("touches %q: %w", pattern, err)
		}
	}
	return nil
}

// Since returns the changes in versions after one that concern a project of a type with these files, the most urgent first and, of those, the
// newest. An empty version is one before the first that a lock recorded, which has none of them; of a development version it is not known
// what it has, and the result is empty.
func (l Log) Since(version string, files []string, typ string) []Entry {
	if version != "" && !semver.IsValid(version) {
		return nil
	}
	var entries []Entry
	for _, e := range l {
		if semver.Compare(e.Version, version) > 0 && e.Concerns(files, typ) {
			entries = append(entries, e)
		}
	}
	slices.SortStableFunc(entries, func(a, b Entry) int {
		return slices.Index(Severities(), a.Severity) - slices.Index(Severities(), b.Severity)
	})
	return entries
}

// Markdown returns the changes as a list, one a line.
func Markdown(entries []Entry) string {
	var b strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&b, "- **%s**, %s: %s\n", e.Severity, e.Version, e.Text)
	}
	return b.String()
}

// Markdown returns the whole changelog as a page.
func (l Log) Markdown() string {
	var b strings.Builder
	b.WriteString("# What has changed in emitted projects\n")
	for i := 0; i < len(l); {
		version, n := l[i].Version, i
		for n < len(l) && l[n].Version == version {
			n++
		}
		fmt.Fprintf(&b, "\n## %s\n\n", version)
		for _, e := range l[i:n] {
			fmt.Fprintf(&b, "- **%s**: %s%s\n", e.Severity, e.Text, e.scope())
		}
		i = n
	}
	return b.String()
}

// scope says which projects and files a change is for.
func (e *Entry) scope() string {
	var parts []string
	if len(e.Types) > 0 {
		parts = append(parts, "type "+strings.Join(e.Types, ", "))
	}
	if len(e.Touches) > 0 {
		parts = append(parts, "`"+strings.Join(e.Touches, "`, `")+"`")
	}
	if parts == nil {
		return ""
	}
	return " (" + strings.Join(parts, "; ") + ")"
}
