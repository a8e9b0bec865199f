package golden

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestContractKnowsEveryPoint holds the contract's pages to the points that
// tests and comments name, both ways.
func TestContractKnowsEveryPoint(t *testing.T) {
	point := regexp.MustCompile(`\b[CKST][0-9]{1,2}\b`)
	entry := regexp.MustCompile(`(?m)^- \*\*([CKST][0-9]{1,2})\*\* `)
	everyProject(t, func(t *testing.T, files tree) {
		var defined, inCode, inTests []string
		for name, text := range files {
			switch {
			case path.Base(name) == "CONTRACT.md":
				for _, found := range entry.FindAllStringSubmatch(text, -1) {
					defined = append(defined, found[1])
				}
				if !strings.Contains(files["README.md"], "]("+name+")") {
					t.Errorf("README.md does not lead to %s", name)
				}
			case strings.HasSuffix(name, "_test.go"):
				inTests = append(inTests, point.FindAllString(text, -1)...)
			case path.Ext(name) == ".go":
				inCode = append(inCode, point.FindAllString(text, -1)...)
			}
		}
		slices.Sort(defined)
		if diff := cmp.Diff(set(inTests), defined); diff != "" {
			t.Errorf("the contract's pages do not have the points of the tests, each once (-tests +pages):\n%s", diff)
		}
		if unknown := without(inCode, defined); len(unknown) > 0 {
			t.Errorf("comments name %q, which no page defines", unknown)
		}
	})
}
