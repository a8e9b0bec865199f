package cmd

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// outdated makes files of the project in dir what an older template wrote, by the project's own record.
func outdated(t *testing.T, dir string, files ...string) {
	t.Helper()
	lockFile := filepath.Join(dir, ".rotasmith/lock.json")
	lock := read(t, lockFile)
	for _, file := range files {
		path := filepath.Join(dir, file)
		now := read(t, path)
		old := bytes.Replace(now, []byte("\n"), []byte("\n\n"), 1)
		lock = bytes.Replace(lock, fmt.Appendf(nil, "%x", sha256.Sum256(now)), fmt.Appendf(nil, "%x", sha256.Sum256(old)), 1)
		write(t, path, string(old))
	}
	write(t, lockFile, string(lock))
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// applied pipes what check prints of dir into git apply.
func applied(t *testing.T, dir string) (stderr string) {
	t.Helper()
	_, out, stderr := rotate(t, "check", dir)
	apply := exec.CommandContext(t.Context(), "git", "apply", "--allow-empty")
	apply.Stdin = strings.NewReader(out)
	if text, err := apply.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s\n%s", err, text, out)
	}
	return stderr
}

// recorded returns the digests in the record of a project.
func recorded(t *testing.T, dir string) map[string]string {
	t.Helper()
	var lock struct {
		Files []struct{ Path, SHA256 string }
	}
	if err := json.Unmarshal(read(t, filepath.Join(dir, ".rotasmith/lock.json")), &lock); err != nil {
		t.Fatal(err)
	}
	digests := make(map[string]string)
	for _, f := range lock.Files {
		digests[f.Path] = f.SHA256
	}
	return digests
}

// A9: the output of check may be piped into git apply: two edits and a deletion stay, an outdated file is taken over, and the record
// names no bytes that were never here.
func TestCheckTakesNothingOfTheUsersAway(t *testing.T) {
	t.Chdir(t.TempDir())
	newProject(t, "orders")
	outdated(t, "orders", "go.mod", "main.go", "terraform/iam.tf", "README.md")
	before := recorded(t, "orders")
	const mine = "// Mine.\n"
	write(t, "orders/main.go", mine+string(read(t, "orders/main.go"))) // the template has moved on, too
	write(t, "orders/Makefile", "# Mine.\n"+string(read(t, "orders/Makefile")))
	if err := os.Remove("orders/terraform/iam.tf"); err != nil {
		t.Fatal(err)
	}

	if hint := applied(t, "orders"); strings.Contains(hint, "git apply") {
		t.Errorf("offered: %s", hint)
	}
	if text := read(t, "orders/main.go"); !bytes.HasPrefix(text, []byte(mine)) {
		t.Errorf("main.go lost an edit")
	}
	if text := read(t, "orders/Makefile"); !bytes.HasPrefix(text, []byte("# Mine.\n")) {
		t.Errorf("Makefile lost an edit")
	}
	if _, err := os.Stat("orders/terraform/iam.tf"); err == nil {
		t.Error("a deleted file is back")
	}
	after := recorded(t, "orders")
	for _, path := range []string{"main.go", "Makefile", "terraform/iam.tf", "README.md"} {
		if before[path] != after[path] {
			t.Errorf("the record of %s is that of bytes that were not written", path)
		}
	}
	if sum := fmt.Sprintf("%x", sha256.Sum256(read(t, "orders/go.mod"))); after["go.mod"] != sum || sum == before["go.mod"] {
		t.Error("go.mod was not taken over")
	}
	for _, format := range checkFormats {
		if _, out, errOut := rotate(t, "check", "orders", "--format", format); strings.Contains(out+errOut, "git apply") {
			t.Errorf("%s offers git apply", format)
		}
	}
}

// A9, B28: git apply is offered where every difference is the template's and has a diff; then nothing is left.
func TestCheckOffersWhatLeavesNoDifference(t *testing.T) {
	t.Chdir(t.TempDir())
	newProject(t, "orders")
	outdated(t, "orders", "go.mod", "main.go")
	if hint := applied(t, "orders"); !strings.Contains(hint, "rotasmith check orders | git apply") {
		t.Errorf("not offered: %s", hint)
	}
	if code, out, _ := rotate(t, "check", "orders"); code != exitDone {
		t.Errorf("exit code %d, %s", code, out)
	}

	for name, plant := range map[string]func(){
		"answers that were changed": func() {
			write(t, "orders/rotasmith.yaml", strings.Replace(string(read(t, "orders/rotasmith.yaml")), "schedule: 30d", "schedule: 7d", 1))
		},
		"a mode, which a diff does not say": func() {
			lock := string(read(t, "orders/.rotasmith/lock.json"))
			program := regexp.MustCompile(`"path":"([^"]+)","mode":"0755"`).FindStringSubmatch(lock)
			write(t, "orders/.rotasmith/lock.json", strings.Replace(lock, program[0], strings.Replace(program[0], "0755", "0644", 1), 1))
			if err := os.Chmod("orders/"+program[1], 0o644); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			newProject(t, "orders")
			plant()
			code, _, hint := rotate(t, "check", "orders")
			if code != exitDifferent || strings.Contains(hint, "git apply") {
				t.Errorf("exit code %d, %s", code, hint)
			}
		})
	}
}

// A9: only the part that may be applied is a diff to a program.
func TestJSONDiffsTakeNothingAway(t *testing.T) {
	t.Chdir(t.TempDir())
	newProject(t, "orders")
	outdated(t, "orders", "go.mod")
	write(t, "orders/main.go", "// Mine.\n"+string(read(t, "orders/main.go")))
	_, out, _ := rotate(t, "check", "orders", "--format", "json")
	var doc struct {
		Projects []struct{ Differences []jsonDifference }
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatal(err)
	}
	var diffs []string
	for _, d := range doc.Projects[0].Differences {
		if d.Diff != "" {
			diffs = append(diffs, d.Path)
		}
	}
	slices.Sort(diffs)
	if diff := cmp.Diff([]string{".rotasmith/lock.json", "go.mod"}, diffs); diff != "" {
		t.Errorf("files with a diff (-want +got):\n%s", diff)
	}
}
