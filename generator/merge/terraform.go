package merge

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// DoubledAddresses returns the addresses of Terraform blocks that stand twice in after and did not in before, sorted. Both are the files of
// one folder: path to text. Files that override blocks, and those that are not *.tf, do not count.
func DoubledAddresses(before, after map[string][]byte) []string {
	was, is := addresses(before), addresses(after)
	var doubled []string
	for _, address := range slices.Sorted(maps.Keys(is)) {
		if is[address] > 1 && was[address] < 2 {
			doubled = append(doubled, address)
		}
	}
	return doubled
}

// addresses counts what may stand once in a folder. Of a file that does not parse it counts what can be read.
func addresses(files map[string][]byte) map[string]int {
	count := make(map[string]int)
	for name, text := range files {
		stem, ok := strings.CutSuffix(path.Base(name), ".tf")
		if !ok || stem == "override" || strings.HasSuffix(stem, "_override") {
			continue
		}
		file, _ := hclsyntax.ParseConfig(text, name, hcl.InitialPos)
		body, ok := file.Body.(*hclsyntax.Body)
		if !ok {
			continue
		}
		for _, block := range body.Blocks {
			for _, address := range addressesOf(block, text) {
				count[address]++
			}
		}
	}
	return count
}

// addressesOf returns the addresses of a block in a text, as Terraform's messages have them.
// https://developer.hashicorp.com/terraform/language/block
func addressesOf(block *hclsyntax.Block, text []byte) []string {
	labels := strings.Join(block.Labels, ".")
	switch block.Type {
	case "resource":
		return []string{labels}
	case "data", "ephemeral", "module", "output", "check":
		return []string{block.Type + "." + labels}
	case "variable":
		return []string{"var." + labels}
	case "provider":
		if alias, ok := block.Body.Attributes["alias"]; ok {
			labels += "." + strings.Trim(string(alias.Expr.Range().SliceBytes(text)), `"`)
		}
		return []string{"provider." + labels}
	case "locals":
		var names []string
		for name := range block.Body.Attributes {
			names = append(names, "local."+name)
		}
		return names
	}
	return nil
}
