package cmd

import (
	"bufio"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/rotasmith/rotasmith/generator/changelog"
	"github.com/rotasmith/rotasmith/generator/update"
)

// updateMarkdown prints the body of a pull request: of each project that has changed, what the templates have changed, its files, and what a
// person has to look at.
type updateMarkdown struct {
	w      *bufio.Writer
	dryRun bool
	dirs   []string // of the projects with conflicts
}

func (p *updateMarkdown) begin() {}

func (p *updateMarkdown) project(u *updatedProject) {
	if u.err == nil && len(u.Changes) == 0 && !u.Written {
		return
	}
	fmt.Fprintf(p.w, "### %s\n\n", markdownText.Replace(u.dir))
	if u.err != nil {
		for _, e := range tell(u.err) {
			fmt.Fprintf(p.w, "- **not updated**: %s. %s\n", markdownText.Replace(e.Message), markdownText.Replace(e.Hint))
		}
		fmt.Fprintln(p.w)
		return
	}
	if u.open() > 0 {
		p.dirs = append(p.dirs, u.dir)
	}
	if len(u.changes) > 0 {
		fmt.Fprintln(p.w, changelog.Markdown(u.changes))
	}
	for _, line := range u.news() {
		fmt.Fprintf(p.w, "- %s\n", markdownText.Replace(line))
	}
	if len(u.news()) > 0 {
		fmt.Fprintln(p.w)
	}
	p.files(u)
	p.details(u)
}

// files prints a table of the files, those first that a person has to look at.
func (p *updateMarkdown) files(u *updatedProject) {
	if len(u.Changes) == 0 {
		return
	}
	changes := slices.Clone(u.Changes)
	slices.SortStableFunc(changes, func(a, b update.Change) int { return rank(&a) - rank(&b) })
	fmt.Fprint(p.w, "| file | |\n| --- | --- |\n")
	for i := range changes {
		if i == mostFiles {
			fmt.Fprintf(p.w, "| and %d more | |\n", len(changes)-i)
			break
		}
		c := &changes[i]
		fmt.Fprintf(p.w, "| `%s` | %s |\n", c.Path, markdownText.Replace(done(c)))
	}
	fmt.Fprintln(p.w)
}

func rank(c *update.Change) int {
	said, open := urgent(c)
	switch {
	case open:
		return 0
	case said:
		return 1
	}
	return 2
}

// mostDetail bounds what is shown of one conflict or difference, in bytes: a body of a pull request holds 65,536 characters.
const mostDetail = 4000

// details prints each conflict with its parts, and what the templates have changed in files that are gone or stay as they are.
func (p *updateMarkdown) details(u *updatedProject) {
	for i := range u.Changes {
		c := &u.Changes[i]
		text, kind := c.Offer(u.dir), "diff"
		if len(c.Lines) > 0 && c.Write {
			text, kind = conflicts(c.Data), strings.TrimPrefix(path.Ext(c.Path), ".")
		}
		if text == "" {
			continue
		}
		if len(text) > mostDetail {
			text = text[:mostDetail] + "\n...\n"
		}
		fence := "```"
		for strings.Contains(text, fence) {
			fence += "`"
		}
		fmt.Fprintf(p.w, "<details><summary>%s: %s</summary>\n\n%s%s\n%s%s\n\n</details>\n\n",
			markdownText.Replace(c.Path), markdownText.Replace(done(c)), fence, kind, strings.TrimSuffix(text, "\n")+"\n", fence)
	}
}

// conflicts returns the parts of a text between its markers, with them.
func conflicts(text []byte) string {
	var b strings.Builder
	inside := false
	for line := range strings.Lines(string(text)) {
		inside = inside || strings.HasPrefix(line, "<<<<<<< ")
		if inside {
			b.WriteString(line)
		}
		if strings.HasPrefix(line, ">>>>>>> ") {
			inside = false
		}
	}
	return b.String()
}

func (p *updateMarkdown) end(t *updateTally) {
	fmt.Fprintf(p.w, "%s\n", t)
	if len(p.dirs) == 0 || p.dryRun {
		return
	}
	fmt.Fprint(p.w, "\nSettle what stands between `<<<<<<<` and `>>>>>>>` on this branch, or keep your lines with `--ours`. Then:\n\n")
	fmt.Fprintf(p.w, "```sh\nrotasmith update %s\nmake test\n```\n", quoted(p.dirs))
}
