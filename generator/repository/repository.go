// Package repository asks git what it knows about a project. Where there is no git, or the project stands in no repository, it knows nothing:
// that is no error.
package repository

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// Repository is the one that a folder stands in, if it does.
type Repository struct{ dir string }

// Of returns the repository that dir stands in. It does not look yet.
func Of(dir string) Repository { return Repository{dir} }

// git prepares a call that writes nothing but what it is told to and fetches nothing: an object that is not here is none. Versions before 2.45 know only
// the second variable. https://git-scm.com/docs/git#Documentation/git.txt-GITNOLAZYFETCH
func (r Repository) git(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, "git", args...)
	c.Dir = r.dir
	c.Env = append(os.Environ(), "GIT_NO_LAZY_FETCH=1", "GIT_ALLOW_PROTOCOL=none", "GIT_OPTIONAL_LOCKS=0", "LC_ALL=C")
	return c
}

// say returns what git prints, without the last line's end; empty if it fails.
func (r Repository) say(ctx context.Context, args ...string) string {
	out, err := r.git(ctx, args...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(out), "\n")
}

// Exists reports whether the project stands in a repository, with a working tree.
func (r Repository) Exists(ctx context.Context) bool {
	return r.say(ctx, "rev-parse", "--is-inside-work-tree") == "true"
}

// Missing says why a text may be missing that the repository once had, and what gets it; empty if there is nothing to say.
func (r Repository) Missing(ctx context.Context) (why, cure string) {
	switch {
	case r.say(ctx, "rev-parse", "--is-shallow-repository") == "true":
		return "the clone is shallow", "git fetch --unshallow"
	case r.say(ctx, "config", "--get-regexp", `^remote\..*\.partialclonefilter$`) != "":
		return "the clone has no old contents", "git fetch --refetch --no-filter"
	}
	return "", ""
}

// LastWritten returns the commit that has last written a file of the project, empty if there is none.
func (r Repository) LastWritten(ctx context.Context, file string) string {
	return r.say(ctx, "log", "-1", "--format=%H", "--diff-filter=AM", "--", file)
}

// LastRemoved returns the commit that has last removed a file of the project, empty if there is none.
func (r Repository) LastRemoved(ctx context.Context, file string) string {
	return r.say(ctx, "log", "-1", "--format=%H", "--diff-filter=D", "--", file)
}

// Texts returns the contents of files of the project at revisions, by REVISION:PATH. One that is not there is not among them.
func (r Repository) Texts(ctx context.Context, revision string, files []string) map[string][]byte {
	texts := make(map[string][]byte)
	var names bytes.Buffer
	for _, file := range files {
		if strings.ContainsAny(file, "\n") {
			return texts
		}
		fmt.Fprintf(&names, "%s:./%s\n", revision, file)
	}
	c := r.git(ctx, "cat-file", "--batch")
	c.Stdin = &names
	out, _ := c.Output() // it may fail at one that is not here
	in := bufio.NewReader(bytes.NewReader(out))
	for _, file := range files {
		text, ok := object(in)
		if ok {
			texts[file] = text
		}
	}
	return texts
}

// object reads what git cat-file --batch prints for one name.
func object(in *bufio.Reader) (text []byte, ok bool) {
	head, err := in.ReadString('\n')
	if err != nil {
		return nil, false
	}
	var id, kind string
	var size int
	if n, _ := fmt.Sscanf(head, "%s %s %d\n", &id, &kind, &size); n != 3 {
		return nil, false // "NAME missing"
	}
	text = make([]byte, size+1)
	if _, err := io.ReadFull(in, text); err != nil {
		return nil, false
	}
	return text[:size], kind == "blob"
}

// Stages puts the texts of a conflict into the repository: what both have changed, yours and theirs, nil for one that there is not. It returns
// the entries of git's index by which editors and git mergetool find them, and those that take them out again. There are none for a file that
// git does not hold, or that has a conflict already.
func (r Repository) Stages(ctx context.Context, file string, texts [3][]byte) (stages, before []string) {
	entry, rest, _ := strings.Cut(r.say(ctx, "ls-files", "-s", "-z", "--full-name", "--", file), "\x00")
	about, name, ok := strings.Cut(entry, "\t")
	fields := strings.Fields(about)
	if !ok || rest != "" || len(fields) != 3 {
		return nil, nil
	}
	none := fmt.Sprintf("0 %s\t%s", strings.Repeat("0", len(fields[1])), name)
	stages = []string{none}
	for i, text := range texts {
		if text == nil {
			continue
		}
		c := r.git(ctx, "hash-object", "-w", "--stdin")
		c.Stdin = bytes.NewReader(text)
		id, err := c.Output()
		if err != nil {
			return nil, nil
		}
		stages = append(stages, fmt.Sprintf("%s %s %d\t%s", fields[0], bytes.TrimSpace(id), i+1, name))
	}
	return stages, []string{none, entry}
}

// WriteEntries puts entries into git's index.
func (r Repository) WriteEntries(ctx context.Context, entries []string) error {
	c := r.git(ctx, "update-index", "-z", "--index-info")
	c.Stdin = strings.NewReader(strings.Join(entries, "\x00") + "\x00")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("git update-index: %s", bytes.TrimSpace(out))
	}
	return nil
}
