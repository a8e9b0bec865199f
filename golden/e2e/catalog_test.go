package e2e

import (
	"slices"
	"testing"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/templates"
)

// Every engine and every provider of the catalogue has a scenario in each type and mode that it knows: one more is missed here, at once and
// without a server.
func TestEveryTargetHasAScenario(t *testing.T) {
	catalog, err := generator.Open(templates.FS, templates.Root)
	if err != nil {
		t.Fatal(err)
	}
	played := make(map[string]bool)
	for _, g := range groups {
		for _, s := range g.scenarios {
			at := slices.Index(s.args, "--type")
			played[s.args[at+1]+" engine "+s.engine.name()] = true
		}
	}
	for _, s := range keyScenarios(t) {
		played["api-key provider "+s.provider+" "+s.mode] = true
	}
	for _, c := range catalog.Combinations() {
		name, mode := c["type"]+" engine "+c["engine"], c["mode"]
		if provider := c["provider"]; provider != "" {
			if mode == "assisted" || elsewhere[provider] != "" { // the first is keyScenarios' own exception
				continue
			}
			name = c["type"] + " provider " + provider + " " + mode
		}
		if !played[name] {
			t.Errorf("no scenario end to end: %s", name)
		}
	}
}
