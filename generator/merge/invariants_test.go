package merge

import (
	"fmt"
	"go/format"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hclwrite"
)

// triple is what a merge is made of.
type triple struct{ base, yours, theirs string }

func (x triple) String() string {
	return fmt.Sprintf("base   %q\nyours  %q\ntheirs %q", x.base, x.yours, x.theirs)
}

func (x triple) merge(path string) Result {
	return File(path, []byte(x.base), []byte(x.yours), []byte(x.theirs))
}

// swapped is the triple as the other side sees it.
func (x triple) swapped() triple { return triple{x.base, x.theirs, x.yours} }

// random returns texts of lines that repeat, with a few edits on either side: lines inserted, deleted and changed, blocks copied and moved.
func random(r *rand.Rand) triple {
	base := make([]string, r.IntN(40))
	vocabulary := 3 + r.IntN(20)
	for i := range base {
		base[i] = fmt.Sprintf("line %d", r.IntN(vocabulary))
	}
	return triple{text(r, base), text(r, edited(r, base, "yours")), text(r, edited(r, base, "theirs"))}
}

func edited(r *rand.Rand, lines []string, by string) []string {
	lines = slices.Clone(lines)
	for range r.IntN(5) {
		at := r.IntN(len(lines) + 1)
		end := min(len(lines), at+1+r.IntN(4))
		block := slices.Clone(lines[at:end])
		switch r.IntN(5) {
		case 0:
			lines = slices.Insert(lines, at, fmt.Sprintf("%s %d", by, r.IntN(1000)))
		case 1:
			lines = slices.Delete(lines, at, end)
		case 2:
			if at < len(lines) {
				lines[at] = fmt.Sprintf("%s %d", by, r.IntN(1000))
			}
		case 3:
			lines = slices.Insert(lines, r.IntN(len(lines)+1), block...)
		case 4:
			lines = slices.Delete(lines, at, end)
			lines = slices.Insert(lines, r.IntN(len(lines)+1), block...)
		}
	}
	return lines
}

func text(r *rand.Rand, lines []string) string {
	if len(lines) == 0 || r.IntN(10) == 0 {
		return strings.Join(lines, "\n")
	}
	return strings.Join(lines, "\n") + "\n"
}

// count is how often each line stands in lines.
func count(lines []string) map[string]int {
	n := make(map[string]int)
	for _, line := range lines {
		n[line]++
	}
	return n
}

func linesOf(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// parts are the lines of a merged text: outside conflicts, and in the three parts of all conflicts together.
type parts struct{ outside, yours, base, theirs []string }

func partsOf(merged Result) (p parts, err error) {
	at := &p.outside
	var opened []int
	steps := map[string]struct{ from, to *[]string }{
		markYours + " " + labelYours: {&p.outside, &p.yours},
		markBase + " " + labelBase:   {&p.yours, &p.base},
		markTheirs:                   {&p.base, &p.theirs},
		markEnd + " " + labelTheirs:  {&p.theirs, &p.outside},
	}
	for i, line := range linesOf(string(merged.Text)) {
		step, marker := steps[line]
		switch {
		case !marker:
			*at = append(*at, line)
		case step.from != at:
			return p, fmt.Errorf("line %d: %s does not belong here", i+1, line)
		default:
			if step.from == &p.outside {
				opened = append(opened, i+1)
			}
			at = step.to
		}
	}
	if at != &p.outside || !slices.Equal(opened, merged.Conflicts) {
		return p, fmt.Errorf("conflicts begin at %v, said: %v", opened, merged.Conflicts)
	}
	return p, nil
}

// isWithin reports whether lines stand in text in their order.
func isWithin(lines, text []string) bool {
	for _, line := range text {
		if len(lines) > 0 && lines[0] == line {
			lines = lines[1:]
		}
	}
	return len(lines) == 0
}

// only returns the lines that are in no other text.
func only(lines, other []string) []string {
	known := count(other)
	return slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return known[line] > 0 })
}

// inserted counts the lines that lead from base to side.
func inserted(base, side []string) map[string]int {
	n := make(map[string]int)
	for _, c := range changes(base, side) {
		for _, line := range side[c.ReplStart:c.ReplEnd] {
			n[line]++
		}
	}
	return n
}

// holds are the invariants I1 to I4 of a merge of lines.
func holds(x triple) error {
	merged := x.merge(prose)
	p, err := partsOf(merged)
	if err != nil {
		return err
	}
	base, yours, theirs, all := linesOf(x.base), linesOf(x.yours), linesOf(x.theirs), linesOf(string(merged.Text))

	// I1: every line that is in yours and not in the base is in the result, in order.
	if mine := only(yours, base); !isWithin(mine, all) {
		return fmt.Errorf("I1: of yours %q not all in %q", mine, merged.Text)
	}
	if new := only(theirs, base); !isWithin(new, all) {
		return fmt.Errorf("I1: of theirs %q not all in %q", new, merged.Text)
	}
	inBase, inYours, inAll, outside := count(base), count(yours), count(all), count(p.outside)
	for line, n := range inYours {
		if inAll[line] < n-inBase[line] {
			return fmt.Errorf("I1: %q is %d times in yours, %d in base, %d in %q", line, n, inBase[line], inAll[line], merged.Text)
		}
	}

	// I2: a line that you have deleted comes back only between markers, unless the template inserts it elsewhere.
	added := inserted(base, theirs)
	for line := range inBase {
		if inYours[line] == 0 && outside[line] > added[line] {
			return fmt.Errorf("I2: %q was deleted and is in %q", line, merged.Text)
		}
	}
	inTheirs := count(theirs)
	for line := range outside {
		if inYours[line] == 0 && inTheirs[line] == 0 {
			return fmt.Errorf("I2: %q is of neither side: %q", line, merged.Text)
		}
	}

	// I3: a side that has changed nothing leaves the other as it is, and the same change is no conflict. The shortcuts of File are left out.
	for _, same := range []struct {
		triple
		want string
	}{{triple{x.base, x.yours, x.base}, x.yours}, {triple{x.base, x.base, x.theirs}, x.theirs}, {triple{x.base, x.yours, x.yours}, x.yours}} {
		f := &file{prose, same.base, same.yours, same.theirs, "\n"}
		if got := f.byLines(); string(got.Text) != same.want || len(got.Conflicts) > 0 {
			return fmt.Errorf("I3: %s\ngives %q", same.triple, got.Text)
		}
	}

	// I4: both sides see the same.
	other := x.swapped().merge(prose)
	q, err := partsOf(other)
	if err != nil {
		return err
	}
	if !slices.Equal(p.outside, q.outside) || !slices.Equal(p.yours, q.theirs) || !slices.Equal(p.theirs, q.yours) || !slices.Equal(p.base, q.base) {
		return fmt.Errorf("I4: %q and, seen from the other side, %q", merged.Text, other.Text)
	}
	return nil
}

// TestInvariants holds I1 to I4 on random texts.
func TestInvariants(t *testing.T) {
	n, conflicts := tries(4000), 0
	r := rand.New(rand.NewPCG(1, 1))
	for range n {
		x := random(r)
		if err := holds(x); err != nil {
			t.Fatalf("%v\n%s", err, x)
		}
		if !x.merge(prose).Clean() {
			conflicts++
		}
	}
	if conflicts < n/4 || conflicts > 3*n/4 {
		t.Errorf("%d of %d have conflicts: the texts do not try both", conflicts, n)
	}
}

// prose is the name of a file of which a merge knows nothing but its lines.
const prose = "notes.txt"

// FuzzMerge holds I1 to I4 on texts whose lines are drawn from few: in prose, and in Terraform and Go, where alignment is no change.
func FuzzMerge(f *testing.F) {
	f.Add([]byte("abc"), []byte("aXc"), []byte("abY"))
	f.Add([]byte("abcabc"), []byte("abcabcabc"), []byte("abXabc"))
	f.Add([]byte("abcdefgh\xff"), []byte("abdefh"), []byte("zabcdefgh"))
	f.Add([]byte("a"), []byte{}, []byte("ab"))
	f.Fuzz(func(t *testing.T, base, yours, theirs []byte) {
		if max(len(base), len(yours), len(theirs)) > 400 {
			t.Skip("longer texts try nothing else")
		}
		x := triple{drawn(base), drawn(yours), drawn(theirs)}
		if err := holds(x); err != nil {
			t.Errorf("%v\n%s", err, x)
		}
		for name, aligned := range alignments {
			if err := holdsAligned(triple{aligned(base), aligned(yours), aligned(theirs)}, name); err != nil {
				t.Error(err)
			}
		}
	})
}

// drawn is a text with one of 32 lines for each byte. A last byte above 127 stands for no end of the last line.
func drawn(data []byte) string {
	var lines strings.Builder
	for _, b := range data {
		fmt.Fprintf(&lines, "line %d\n", b%32)
	}
	if len(data) > 0 && data[len(data)-1] > 127 {
		return strings.TrimSuffix(lines.String(), "\n")
	}
	return lines.String()
}

// named is one of 32 names, some longer than others, so that one that comes or goes moves what stands behind the others.
func named(b byte) string { return strings.Repeat(string('a'+rune(b%32)/4), 1+int(b%4)*3) }

// alignments are, by the name of a file, what makes a text of names.
var alignments = map[string]func(names []byte) string{"main.tf": arguments, "options.go": fields}

// arguments are lines of Terraform.
func arguments(data []byte) string {
	var text strings.Builder
	for _, b := range data {
		fmt.Fprintf(&text, "%s = %q\n", named(b), "a  b")
	}
	return string(hclwrite.Format([]byte(text.String())))
}

// fields are a struct in Go.
func fields(data []byte) string {
	text := "package x\n\ntype options struct {\n"
	for _, b := range data {
		text += fmt.Sprintf("%s string `a  b` // who\n", named(b))
	}
	formatted, err := format.Source([]byte(text + "}\n"))
	if err != nil {
		panic(err) // what is written above is Go
	}
	return string(formatted)
}

// holdsAligned are I1, I2 and I4 of a merge in which lines are equal if their tokens are.
func holdsAligned(x triple, name string) error {
	merged := x.merge(name)
	tokens := func(text string) []string {
		lines := linesOf(text)
		for i, line := range lines {
			lines[i] = strings.Join(strings.Fields(line), " ")
		}
		return lines
	}
	base, yours, theirs, all := tokens(x.base), tokens(x.yours), tokens(x.theirs), tokens(string(merged.Text))
	if mine := only(yours, base); !isWithin(mine, all) {
		return fmt.Errorf("I1: of yours %q not all in %q\n%s", mine, merged.Text, x)
	}
	if new := only(theirs, base); !isWithin(new, all) {
		return fmt.Errorf("I1: of theirs %q not all in %q\n%s", new, merged.Text, x)
	}
	if !merged.Clean() {
		_, err := partsOf(merged)
		return err
	}
	if other := x.swapped().merge(name); string(merged.Text) != string(other.Text) {
		return fmt.Errorf("I4: %q and, seen from the other side, %q\n%s", merged.Text, other.Text, x)
	}
	inYours, inAll, added := count(yours), count(all), inserted(base, theirs)
	for line := range count(base) {
		if inYours[line] == 0 && inAll[line] > added[line] {
			return fmt.Errorf("I2: %q was deleted and is in %q\n%s", line, merged.Text, x)
		}
	}
	return nil
}

// TestInvariantsAligned holds them where a longer name moves what stands behind the others. Some of these merges are clean only because that
// is no change.
func TestInvariantsAligned(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	changed := func(names []byte) []byte {
		at := r.IntN(len(names))
		return slices.Concat(names[:at], []byte{byte(r.IntN(32))}, names[min(len(names), at+r.IntN(2)):])
	}
	saved := 0
	for range tries(1000) {
		names := make([]byte, 2+r.IntN(12))
		for i := range names {
			names[i] = byte(r.IntN(32))
		}
		yours, theirs := changed(names), changed(names)
		for name, aligned := range alignments {
			x := triple{aligned(names), aligned(yours), aligned(theirs)}
			if err := holdsAligned(x, name); err != nil {
				t.Fatal(name, err)
			}
			if x.merge(name).Clean() && !x.merge(prose).Clean() {
				saved++
			}
		}
	}
	if saved < tries(1000)/10 {
		t.Errorf("only %d merges are cleaner than in prose", saved)
	}
}
