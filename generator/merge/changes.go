package merge

import (
	"slices"

	"github.com/aymanbagabas/go-udiff/lcs"
)

// changes returns what leads from base to side, in order. lcs gives up on long differences and lumps them together: what it lumps is looked
// at again.
func changes(base, side []string) []lcs.Diff {
	found := lcs.DiffLines(base, side)
	if len(found) == 1 && found[0] == (lcs.Diff{End: len(base), ReplEnd: len(side)}) {
		anchors := commonLandmarks(base, side)
		if len(anchors) == 0 {
			return found
		}
		found = between(anchors, len(base), len(side))
	}
	var all []lcs.Diff
	for _, f := range found {
		for _, c := range changes(base[f.Start:f.End], side[f.ReplStart:f.ReplEnd]) {
			all = append(all, lcs.Diff{
				Start: f.Start + c.Start, End: f.Start + c.End, ReplStart: f.ReplStart + c.ReplStart, ReplEnd: f.ReplStart + c.ReplEnd,
			})
		}
	}
	return all
}

// landmark is a line that stands once in each of two texts: where.
type landmark struct{ base, side int }

// commonLandmarks returns the most landmarks that stand in the same order in both texts, as patience diff has it.
func commonLandmarks(base, side []string) []landmark {
	inBase, inSide := soleLines(base), soleLines(side)
	var all []landmark
	var before []int // by place in all: the landmark that precedes it in the longest run to it, or -1
	var ends []int   // by length of a run: the place in all where one ends soonest in side
	for i, line := range base {
		j, common := inSide[line]
		if _, sole := inBase[line]; !sole || !common {
			continue
		}
		length, _ := slices.BinarySearchFunc(ends, j, func(end, j int) int { return all[end].side - j })
		previous := -1
		if length > 0 {
			previous = ends[length-1]
		}
		if length == len(ends) {
			ends = append(ends, 0)
		}
		ends[length] = len(all)
		all, before = append(all, landmark{i, j}), append(before, previous)
	}
	if len(ends) == 0 {
		return nil
	}
	var found []landmark
	for at := ends[len(ends)-1]; at >= 0; at = before[at] {
		found = append(found, all[at])
	}
	slices.Reverse(found)
	return found
}

// soleLines returns where each line stands that a text has once.
func soleLines(lines []string) map[string]int {
	at := make(map[string]int, len(lines))
	for i, line := range lines {
		if _, again := at[line]; again {
			at[line] = -1
		} else {
			at[line] = i
		}
	}
	for line, i := range at {
		if i < 0 {
			delete(at, line)
		}
	}
	return at
}

// between returns the parts of two texts that landmarks part, which end at the lengths.
func between(landmarks []landmark, base, side int) []lcs.Diff {
	var parts []lcs.Diff
	next := lcs.Diff{}
	for _, l := range append(landmarks, landmark{base, side}) {
		next.End, next.ReplEnd = l.base, l.side
		parts = append(parts, next)
		next = lcs.Diff{Start: l.base + 1, ReplStart: l.side + 1}
	}
	return parts
}
