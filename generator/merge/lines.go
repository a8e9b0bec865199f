package merge

import (
	"slices"

	"github.com/aymanbagabas/go-udiff/lcs"
)

// The labels of the three parts of a conflict.
const (
	labelYours  = "yours"
	labelBase   = "rotasmith before"
	labelTheirs = "rotasmith now"
)

// document is a text in lines, each with its end, and for each what makes it equal to another.
type document struct{ lines, keys []string }

// span is lines [from, to).
type span struct{ from, to int }

// region is a part of the base that was changed, with what each side has for it.
type region struct {
	base, yours, theirs       span
	yoursChanged, theyChanged bool
}

// regions groups what both sides changed in the base: changes that overlap or touch are one region.
func regions(yours, theirs []lcs.Diff) []region {
	var all []region
	yourShift, theirShift := 0, 0 // how much later a line of the base stands on a side
	for len(yours) > 0 || len(theirs) > 0 {
		var r region
		switch {
		case len(theirs) == 0, len(yours) > 0 && yours[0].Start <= theirs[0].Start:
			r.base.from = yours[0].Start
		default:
			r.base.from = theirs[0].Start
		}
		r.base.to = r.base.from
		r.yours.from, r.theirs.from = r.base.from+yourShift, r.base.from+theirShift
		for grown := true; grown; {
			byYou := r.take(&yours, &yourShift)
			byThem := r.take(&theirs, &theirShift)
			r.yoursChanged, r.theyChanged = r.yoursChanged || byYou, r.theyChanged || byThem
			grown = byYou || byThem
		}
		r.yours.to, r.theirs.to = r.base.to+yourShift, r.base.to+theirShift
		all = append(all, r)
	}
	return all
}

// take moves the changes of one side that reach the region into it.
func (r *region) take(changes *[]lcs.Diff, shift *int) (taken bool) {
	for len(*changes) > 0 && (*changes)[0].Start <= r.base.to {
		c := (*changes)[0]
		r.base.to = max(r.base.to, c.End)
		*shift = c.ReplEnd - c.End
		*changes = (*changes)[1:]
		taken = true
	}
	return taken
}

// whole makes one region of all: what both sides did has to be seen together.
func whole(all []region) []region {
	first, last := all[0], all[len(all)-1]
	return []region{{
		span{first.base.from, last.base.to}, span{first.yours.from, last.yours.to}, span{first.theirs.from, last.theirs.to}, true, true,
	}}
}

// threeWay is a merge of three texts in lines.
type threeWay struct {
	base, yours, theirs document
	end                 string // of a line that is written here

	out       []string
	conflicts []int // the lines in out of the opening markers, from 1
}

// regions are what was changed in the base.
func (m *threeWay) regions() []region {
	return regions(changes(m.base.keys, m.yours.keys), changes(m.base.keys, m.theirs.keys))
}

// merge writes what comes of the regions. What stands outside them is as you have it.
func (m *threeWay) merge(all []region) {
	written := 0 // lines of yours
	for _, r := range all {
		m.out = append(m.out, m.yours.lines[written:r.yours.from]...)
		written = r.yours.to
		switch {
		case !r.theyChanged, r.yoursChanged && slices.Equal(m.yours.keys[r.yours.from:r.yours.to], m.theirs.keys[r.theirs.from:r.theirs.to]):
			m.out = append(m.out, m.yours.lines[r.yours.from:r.yours.to]...)
		case !r.yoursChanged:
			m.out = append(m.out, m.theirs.lines[r.theirs.from:r.theirs.to]...)
		default:
			m.conflict(r)
		}
	}
	m.out = append(m.out, m.yours.lines[written:]...)
}

// conflict writes both sides of a region between markers, but for the lines with which both begin or end, and with the whole of what the
// base has there: git calls it zdiff3.
func (m *threeWay) conflict(r region) {
	head, tail := commonEnds(m.yours.keys[r.yours.from:r.yours.to], m.theirs.keys[r.theirs.from:r.theirs.to])
	yours, theirs := span{r.yours.from + head, r.yours.to - tail}, span{r.theirs.from + head, r.theirs.to - tail}
	m.out = append(m.out, m.yours.lines[r.yours.from:yours.from]...)
	m.conflicts = append(m.conflicts, len(m.out)+1)
	m.out = append(m.out, markYours+" "+labelYours+m.end)
	m.out = append(m.out, m.yours.lines[yours.from:yours.to]...)
	m.out = append(m.out, markBase+" "+labelBase+m.end)
	m.out = append(m.out, m.base.lines[r.base.from:r.base.to]...)
	m.out = append(m.out, markTheirs+m.end)
	m.out = append(m.out, m.theirs.lines[theirs.from:theirs.to]...)
	m.out = append(m.out, markEnd+" "+labelTheirs+m.end)
	m.out = append(m.out, m.yours.lines[yours.to:r.yours.to]...)
}
