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

// TestTextsNameTheActor keeps words that name no one out of what a user reads.
func TestTextsNameTheActor(t *testing.T) {
	vague := regexp.MustCompile(`(?i)\b(whoever|nobody|somebody)\b`)
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

// A client that is refused while a rotation moves AWSCURRENT, and reads the secret once, may read the value that was refused: one more try
// loses a tenth of the log-ins. So each project whose rotation has such a moment says what does help.
func TestTextsTellWhatBridgesTheGap(t *testing.T) {
	told := 0
	everyProject(t, func(t *testing.T, files tree) {
		readme := files["README.md"]
		if !strings.Contains(readme, "CredentialGap") {
			return
		}
		told++
		if !strings.Contains(strings.Join(strings.Fields(readme), " "), "until its version changes") {
			t.Error("README.md does not tell a client that is refused to go on reading until the version changes")
		}
	})
	if told == 0 {
		t.Error("no project has a gap")
	}
}
