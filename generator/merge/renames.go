package merge

import (
	"bytes"
	"cmp"
	"maps"
	"path"
	"slices"
)

// Renames pairs files that the template no longer writes with files that it writes anew: path to path. dropped has the text that was written,
// nil if that is not known; added has the new one. A file goes with the one of the same extension that shares most lines with it, at least
// half of those that either has; no two go with one.
func Renames(dropped, added map[string][]byte) map[string]string {
	var pairs []pair
	for _, from := range slices.Sorted(maps.Keys(dropped)) {
		for _, to := range slices.Sorted(maps.Keys(added)) {
			if shared := sharedLines(dropped[from], added[to]); path.Ext(from) == path.Ext(to) && shared >= 0.5 {
				pairs = append(pairs, pair{from, to, shared})
			}
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int {
		return cmp.Or(cmp.Compare(b.shared, a.shared), cmp.Compare(a.newName(), b.newName()))
	})
	renamed := make(map[string]string)
	taken := make(map[string]bool)
	for _, p := range pairs {
		if _, again := renamed[p.from]; !again && !taken[p.to] {
			renamed[p.from], taken[p.to] = p.to, true
		}
	}
	return renamed
}

// pair is a file that may have been renamed.
type pair struct {
	from, to string
	shared   float64 // as of sharedLines
}

// newName is 0 for a file that was only moved, 1 for another.
func (p pair) newName() int {
	if path.Base(p.from) == path.Base(p.to) {
		return 0
	}
	return 1
}

// sharedLines returns which part of the lines of the longer of two texts stands in both, blank ones aside.
func sharedLines(a, b []byte) float64 {
	count := make(map[string]int)
	inA, inB, shared := 0, 0, 0
	for line := range bytes.Lines(a) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			count[string(line)]++
			inA++
		}
	}
	for line := range bytes.Lines(b) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			inB++
			if count[string(line)] > 0 {
				count[string(line)]--
				shared++
			}
		}
	}
	if shared == 0 {
		return 0
	}
	return float64(shared) / float64(max(inA, inB))
}
