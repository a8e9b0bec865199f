package merge

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// git merges as git does: the text, and whether it is clean. https://git-scm.com/docs/git-merge-file
func git(t *testing.T, dir string, x triple) (merged string, clean bool) {
	t.Helper()
	for name, text := range map[string]string{"yours": x.yours, "base": x.base, "theirs": x.theirs} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), "git", "merge-file", "-p", "--zdiff3",
		"-L", labelYours, "-L", labelBase, "-L", labelTheirs, "yours", "base", "theirs")
	command.Dir = dir
	out, err := command.Output()
	if code := command.ProcessState.ExitCode(); err != nil && (code < 1 || code > 127) { // up to 127 it counts conflicts
		t.Fatal(err)
	}
	return string(out), err == nil
}

// distinct returns texts in which no line stands twice, so that there is one way only to see what was changed. Some changes are made on both
// sides.
func distinct(r *rand.Rand, lines, edits int) triple {
	base := make([]string, lines)
	for i := range base {
		base[i] = fmt.Sprintf("line %d", i)
	}
	yours, theirs := slices.Clone(base), slices.Clone(base)
	for i := range edits {
		at := r.IntN(len(base))
		text := fmt.Sprintf("edit %d", i)
		for _, side := range [][]*[]string{{&yours}, {&theirs}, {&yours, &theirs}}[r.IntN(3)] {
			switch lines := *side; r.IntN(3) {
			case 0:
				lines[at] = ""
			case 1:
				lines[at] = text
			case 2:
				lines[at] = strings.TrimPrefix(lines[at]+"\n"+text, "\n")
			}
		}
	}
	whole := func(lines []string) string {
		lines = slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return line == "" })
		return strings.TrimPrefix(strings.Join(lines, "\n")+"\n", "\n")
	}
	return triple{whole(base), whole(yours), whole(theirs)}
}

func tries(n int) int {
	if testing.Short() {
		return n / 10
	}
	return n
}

// Where no line stands twice, the result is git's, byte for byte, with conflicts and without.
func TestAsGit(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	dir := t.TempDir()
	n, conflicts := tries(600), 0
	for i := range n {
		x := distinct(r, 1+r.IntN(30), 1+r.IntN(6))
		if i%50 == 0 { // more than lcs looks for in one go
			x = distinct(r, 1000, 300)
		}
		want, clean := git(t, dir, x)
		if got := x.merge("notes.txt"); string(got.Text) != want || got.Clean() != clean {
			t.Fatalf("%s\nmerged %q\ngit    %q", x, got.Text, want)
		}
		if !clean {
			conflicts++
		}
	}
	if conflicts < n/10 || conflicts > n*9/10 {
		t.Errorf("%d of %d have conflicts: the texts do not try both", conflicts, n)
	}
}

// Where lines repeat, a change can be seen in several ways, and git may see another. The kinds of difference are counted:
//
//   - the last line of a text has no end: git takes it for another line than the same with an end, and this merge does not
//   - both are clean and differ: a copy of a line was inserted or deleted, and git has another of its places for it
//   - git alone is clean, or not: as before, and in one of the places the change touches one of the other side
func TestBesideGit(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	dir := t.TempDir()
	kinds := make(map[string]int)
	n := tries(1500)
	for range n {
		x := random(r)
		open := func(text string) bool { return text != "" && !strings.HasSuffix(text, "\n") }
		want, clean := git(t, dir, x)
		got := x.merge("notes.txt")
		switch {
		case string(got.Text) == want:
			kinds["same"]++
		case open(x.base) || open(x.yours) || open(x.theirs):
			kinds["a last line has no end"]++
		case clean && got.Clean():
			kinds["both clean"]++
		case clean:
			kinds["git alone clean"]++
		case got.Clean():
			kinds["git alone not clean"]++
		default:
			kinds["the same conflicts elsewhere"]++
		}
	}
	t.Log(n, kinds)
	if kinds["same"] < n*2/3 || kinds["both clean"] > n/50 || kinds["git alone clean"] > n/50 || kinds["git alone not clean"] > n/50 {
		t.Errorf("of %d: %v", n, kinds)
	}
}

// A text whose beginning and end are written anew is still known by what stands between them.
func TestLongRewrite(t *testing.T) {
	lines := func(name string, n int) (text string) {
		for i := range n {
			text += fmt.Sprintf("%s %d\n\n", name, i)
		}
		return text
	}
	middle, edited := lines("middle", 300), lines("middle", 150)+"theirs\n"+strings.TrimPrefix(lines("middle", 300), lines("middle", 150))
	x := triple{
		lines("head", 200) + middle + lines("foot", 200),
		lines("my head", 250) + middle + lines("my foot", 150),
		lines("head", 200) + edited + lines("foot", 200),
	}
	want := lines("my head", 250) + edited + lines("my foot", 150)
	if got := x.merge(prose); string(got.Text) != want {
		t.Errorf("%d conflicts", len(got.Conflicts))
	}
	if err := holds(x); err != nil {
		t.Error(err)
	}
}
