package golden

import (
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

// TestTextsNameWhatIsThere holds the paths that the texts of a project name to its files and folders.
func TestTextsNameWhatIsThere(t *testing.T) {
	span := regexp.MustCompile("`([a-z][A-Za-z0-9_.-]*/[A-Za-z0-9_./-]+)`")
	file := regexp.MustCompile(`^(internal|terraform|tools|custom|generic)/|\.(go|pem|sql|sh|md|tf|tfvars)$`)
	made := map[string]bool{"terraform/seeded.auto.tfvars.json": true} // by make deploy
	everyProject(t, func(t *testing.T, files tree) {
		there := make(map[string]bool)
		for name := range files {
			for ; name != "."; name = path.Dir(name) {
				there[name] = true
			}
		}
		named := 0
		for name, text := range files {
			if path.Ext(name) != ".md" {
				continue
			}
			for _, found := range span.FindAllStringSubmatch(text, -1) {
				if p := strings.TrimSuffix(found[1], "/"); file.MatchString(p) && !made[p] {
					if named++; !there[p] {
						t.Errorf("%s names %s, which is not there", name, p)
					}
				}
			}
		}
		if named < 5 {
			t.Errorf("%d paths", named)
		}
	})
}

// vague finds words that name no one, and sentences that begin with a clause in place of their subject.
var (
	vague        = regexp.MustCompile(`(?i:\b(?:whoever|nobody|somebody|former)\b)|(?:^|[.:;] |\| |# |\*\* |")(?:What|Who|Whose|Whatever) [a-z][^?]*$`)
	vagueComment = regexp.MustCompile(`(?i:\b(?:whoever|nobody|somebody|anybody|former|no one knows)\b)|(?:^// |[.:;] )(?:What|Who|Whose|Whatever)\b[^?]*$|^// (?:[A-Z]+\d+(?:, [A-Z]+\d+)*|Test\w+): (?:what|who|whose|whatever) `)
)

// TestTextsNameTheActor keeps vague words and clauses out of what a user reads: the texts of a project and the comments of its code.
func TestTextsNameTheActor(t *testing.T) {
	everyProject(t, func(t *testing.T, files tree) {
		for name, text := range files {
			nameTheActor(t, name, text)
		}
	})
}

// TestCommentsNameTheActor holds the comments of the generator and its templates to the same.
func TestCommentsNameTheActor(t *testing.T) {
	for _, folder := range []string{"../cmd", "../generator", "../templates", "../.ci", "."} {
		sources := os.DirFS(folder)
		err := fs.WalkDir(sources, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || path.Ext(name) != ".go" {
				return err
			}
			if entry.IsDir() || strings.Contains(name, "/want/") {
				return nil
			}
			text, err := fs.ReadFile(sources, name)
			nameTheActor(t, path.Join(folder, name), string(text))
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// nameTheActor reports the lines of a text, or the comments of a Go file, that are vague.
func nameTheActor(t *testing.T, name, text string) {
	t.Helper()
	lines, words := strings.Split(text, "\n"), vague
	if path.Ext(name) == ".go" {
		lines, words = comments(text), vagueComment
	}
	for _, line := range lines {
		if word := words.FindString(line); word != "" {
			t.Errorf("%s says %q: %s", name, word, strings.TrimSpace(line))
		}
	}
}

// comments returns the comments of a Go file that begin with //, a line each.
func comments(text string) (lines []string) {
	file := token.NewFileSet().AddFile("", -1, len(text))
	var s scanner.Scanner
	s.Init(file, []byte(text), nil, scanner.ScanComments)
	for {
		_, kind, literal := s.Scan()
		switch {
		case kind == token.EOF:
			return lines
		case kind == token.COMMENT && strings.HasPrefix(literal, "//"):
			lines = append(lines, literal)
		}
	}
}
