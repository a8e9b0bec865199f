package golden

import (
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

// TestTextsNameTheActor keeps words that name no one out of what a user reads, and sentences that begin with a clause
// in place of their subject.
func TestTextsNameTheActor(t *testing.T) {
	vague := regexp.MustCompile(`(?i:\b(?:whoever|nobody|somebody|former)\b)|(?:^|[.:;] |\| |# |\*\* |")(?:What|Who|Whose|Whatever) [a-z][^?]*$`)
	everyProject(t, func(t *testing.T, files tree) {
		for name, text := range files {
			if path.Ext(name) == ".go" {
				continue
			}
			for line := range strings.Lines(text) {
				if word := vague.FindString(line); word != "" {
					t.Errorf("%s says %q: %s", name, word, strings.TrimSpace(line))
				}
			}
		}
	})
}
