package cmd

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/rotasmith/rotasmith/generator"
)

// report is the result of `rotasmith new`.
type report struct {
	Name    string
	Dir     string
	DryRun  bool
	Command string
	Next    []string
	Cost    float64 // in US dollars a month
	Files   []generator.File
	Answers []generator.Resolved
}

// json is for programs: fields are added, never renamed or removed.
func (r *report) json() ([]byte, error) {
	type file struct {
		Path   string `json:"path"`
		Source string `json:"source"`
		Action string `json:"action"`
		Mode   string `json:"mode"`
		Size   int    `json:"size"`
		SHA256 string `json:"sha256"`
	}
	doc := struct {
		Name    string            `json:"name"`
		Dir     string            `json:"dir"`
		DryRun  bool              `json:"dry_run"`
		Answers map[string]string `json:"answers"`
		Sources map[string]string `json:"sources"` // of the answers
		Command string            `json:"command"`
		Next    []string          `json:"next"`
		Cost    float64           `json:"usd_a_month"`
		Files   []file            `json:"files"`
	}{r.Name, r.Dir, r.DryRun, make(map[string]string), make(map[string]string), r.Command, r.Next, r.Cost, nil}
	for _, a := range r.Answers {
		doc.Answers[a.Question.Key] = a.Value
		doc.Sources[a.Question.Key] = source(a)
	}
	for _, f := range r.Files {
		sum := sha256.Sum256(f.Data)
		doc.Files = append(doc.Files, file{
			f.Path, f.Source, string(f.Action), fmt.Sprintf("%04o", f.Mode.Perm()), len(f.Data), hex.EncodeToString(sum[:]),
		})
	}
	return indented(doc)
}

// source says where an answer comes from.
func source(a generator.Resolved) string {
	switch {
	case !a.Given:
		return "default"
	case a.At == "" && a.Question.Argument:
		return argument
	}
	return cmp.Or(a.At, "asked")
}

// plan lists every file with its source and size, and every answer with its source.
func (r *report) plan() []byte {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FILE\tBYTES\tACTION\tSOURCE")
	size := 0
	for _, f := range r.Files {
		size += len(f.Data)
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", f.Path, len(f.Data), f.Action, f.Source)
	}
	fmt.Fprintln(w, "\nANSWER\tVALUE\tFROM")
	for _, a := range r.Answers {
		fmt.Fprintf(w, "%s\t%s\t%s\n", a.Question.Key, cmp.Or(a.Value, "-"), source(a))
	}
	_ = w.Flush() // a bytes.Buffer takes everything
	fmt.Fprintf(&b, "\n%d files, %d bytes to %s; nothing was written\n", len(r.Files), size, r.Dir)
	return b.Bytes()
}

// preview shows what would be written, what stays to be done by the person, and the command that asks nothing.
func (r *report) preview(yours []string, width int) []byte {
	var b bytes.Buffer
	size := 0
	for _, f := range r.Files {
		size += len(f.Data)
	}
	fmt.Fprintf(&b, "\n%s: %d files, %d bytes\n\n", r.Dir, len(r.Files), size)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, a := range r.Answers {
		if !a.Question.Silent {
			fmt.Fprintf(w, "  %s\t%s\n", a.Question.Key, cmp.Or(a.Value, "-"))
		}
	}
	_ = w.Flush() // a bytes.Buffer takes everything
	b.WriteString("\n" + wrap(r.cost(), width))
	fmt.Fprint(&b, "\nNot done for you:\n")
	for _, line := range append(slices.Clone(yours), "deploying: the project's README leads through it; no AWS account is touched now") {
		b.WriteString(strings.ReplaceAll("  "+strings.TrimSpace(wrap(line, width-2)), "\n", "\n  ") + "\n")
	}
	fmt.Fprintf(&b, "\nTo repeat this without prompts:\n  %s\n", r.Command)
	return b.Bytes()
}

// summary shows the files, one line a folder, and what to type next.
func (r *report) summary(width int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s: %d files\n\n", r.Dir, len(r.Files))
	b.WriteString(tree(r.Files, min(width, treeWidth)))
	fmt.Fprintf(&b, "\nTo repeat this without prompts:\n  %s\n\nNext:\n", r.Command)
	for _, line := range r.Next {
		fmt.Fprintf(&b, "  %s\n", line)
	}
	fmt.Fprintf(&b, "%s. Details: rotasmith cost %s\n", r.cost(), generator.ShellQuote(r.Dir))
	return b.Bytes()
}

func (r *report) cost() string {
	return fmt.Sprintf("\nEstimated cost: about %.2f USD a month plus usage", r.Cost)
}

func counted(files int) string {
	if files == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", files)
}

// treeWidth is where lines of the tree are broken, in columns, in a window that is not narrower.
const treeWidth = 80

// tree lists files, which are sorted, below their folders, and counts those of the packages that need not be known to begin with.
func tree(files []generator.File, width int) string {
	var dirs []string
	names := make(map[string][]string)
	margin := 0
	for _, f := range files {
		dir := path.Dir(f.Path) + "/"
		if dir == "./" {
			dir = ""
		}
		if names[dir] == nil {
			dirs = append(dirs, dir)
			margin = max(margin, len(dir))
		}
		names[dir] = append(names[dir], path.Base(f.Path))
	}
	slices.Sort(dirs) // the project's own folder first
	margin = min(margin, width/2) + 2
	var b strings.Builder
	for _, dir := range dirs {
		if strings.HasPrefix(dir, generator.Internal) {
			fmt.Fprintf(&b, "  %-*s%s\n", margin, dir, counted(len(names[dir])))
			continue
		}
		line := fmt.Sprintf("  %-*s", margin, dir)
		for _, name := range names[dir] {
			if len(line)+len(name) > width && len(strings.TrimSpace(line)) > 0 {
				b.WriteString(strings.TrimRight(line, " ") + "\n")
				line = strings.Repeat(" ", margin+2)
			}
			line += name + " "
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}
