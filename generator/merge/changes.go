package merge

import (
	"slices"

	"github.com/aymanbagabas/go-udiff/lcs"
)

// changes returns what leads from base to side, in order. What could stand in several places stands in the last one, as git has it: a copy
// of lines that is inserted below them is no other than one above.
func changes(base, side []string) []lcs.Diff {
	all := differences(base, side)
	for i := range slices.Backward(all) {
		next := lcs.Diff{Start: len(base), ReplStart: len(side)}
		if i+1 < len(all) {
			next = all[i+1]
		}
		for c := &all[i]; c.End < next.Start && slides(*c, base, side); {
			c.Start, c.End, c.ReplStart, c.ReplEnd = c.Start+1, c.End+1, c.ReplStart+1, c.ReplEnd+1
		}
	}
	return all
}

// slides reports whether a change may stand a line further on: it only inserts or deletes, and begins with the line that follows it.
func slides(c lcs.Diff, base, side []string) bool {
	switch {
	case c.Start == c.End:
		return side[c.ReplStart] == side[c.ReplEnd]
	case c.ReplStart == c.ReplEnd:
		return base[c.Start] == base[c.End]
	}
	return false
}

// manyLines is how many lines may come and go for lcs to find the fewest. Where there are more, it guesses.
const manyLines = 100

// differences returns what leads from base to side, in order. Where that is much, it looks between the lines that stand once in both.
func differences(base, side []string) []lcs.Diff {
	head, tail := commonEnds(base, side)
	inBase, inSide := base[head:len(base)-tail], side[head:len(side)-tail]
	found := lcs.DiffLines(inBase, inSide)
	if lines(found) > manyLines {
		if landmarks := commonLandmarks(inBase, inSide); len(landmarks) > 0 {
			found = between(landmarks, inBase, inSide)
		}
	}
	for i := range found {
		found[i] = moved(found[i], head, head)
	}
	return found
}

// lines returns how many lines come and go with changes.
func lines(changes []lcs.Diff) (n int) {
	for _, c := range changes {
		n += c.End - c.Start + c.ReplEnd - c.ReplStart
	}
	return n
}

// moved is a change of parts of two texts in the whole of them, where the parts begin at the lines base and side.
func moved(c lcs.Diff, base, side int) lcs.Diff {
	return lcs.Diff{Start: base + c.Start, End: base + c.End, ReplStart: side + c.ReplStart, ReplEnd: side + c.ReplEnd}
}

// commonEnds returns with how many lines two texts both begin, and with how many of the others both end.
func commonEnds(a, b []string) (head, tail int) {
	for head < min(len(a), len(b)) && a[head] == b[head] {
		head++
	}
	for tail < min(len(a), len(b))-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	return head, tail
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

// between returns the differences between two texts that agree in the landmarks.
func between(landmarks []landmark, base, side []string) []lcs.Diff {
	var all []lcs.Diff
	from := landmark{}
	for _, to := range append(landmarks, landmark{len(base), len(side)}) {
		for _, c := range differences(base[from.base:to.base], side[from.side:to.side]) {
			all = append(all, moved(c, from.base, from.side))
		}
		from = landmark{to.base + 1, to.side + 1}
	}
	return all
}
