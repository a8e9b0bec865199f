package golden

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// maker runs make in a folder with an emitted Makefile, where go only notes how it is called.
func maker(t *testing.T, goProgram string) (dir string, run func(env []string, args ...string) (string, error)) {
	t.Helper()
	dir = t.TempDir()
	writeTree(t, dir, tree{"Makefile": emitted(t, "api-key-github-pat").files["Makefile"], "bin/go": "#!/bin/sh\n" + goProgram})
	if err := os.Chmod(filepath.Join(dir, "bin/go"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir, func(env []string, args ...string) (string, error) {
		command := exec.CommandContext(t.Context(), "make", args...)
		command.Dir = dir
		command.Env = append([]string{"PATH=" + filepath.Join(dir, "bin") + ":" + os.Getenv("PATH"), "NOTES=" + filepath.Join(dir, "notes")}, env...)
		out, err := command.CombinedOutput()
		return string(out), err
	}
}

// toolTargets are the targets of the Makefile that call tools/.
func toolTargets(t *testing.T) []string {
	t.Helper()
	var targets []string
	for _, found := range regexp.MustCompile(`(?m)^([a-z]+):.*\n\t@(?:KEY= )?go run \./tools ([a-z]+)$`).FindAllStringSubmatch(emitted(t, "api-key-github-pat").files["Makefile"], -1) {
		if found[1] != found[2] {
			t.Errorf("%s calls %s", found[1], found[2])
		}
		targets = append(targets, found[1])
	}
	if len(targets) < 12 {
		t.Fatalf("the targets are %q", targets)
	}
	return targets
}

// N13: KEY is data: neither make nor a shell looks into it, be it an argument of make or in the environment.
func TestKeyIsData(t *testing.T) {
	for _, key := range []string{`$(shell touch spoilt)`, `$$(touch spoilt)`, "`touch spoilt`", `"; touch spoilt; "`, `'; touch spoilt; '`, "a\ttouch spoilt"} {
		for _, fromEnvironment := range []bool{false, true} {
			for _, target := range toolTargets(t) {
				if target == "deploy" {
					continue // is for all secrets
				}
				dir, run := maker(t, `printf %s "$KEY" >"$NOTES"`)
				environment, args := []string(nil), []string{target, "KEY=" + key}
				if fromEnvironment {
					environment, args = args[1:], args[:1]
				}
				if out, err := run(environment, args...); err != nil {
					t.Errorf("%v\n%s", err, out)
				}
				files := readTree(t, dir)
				if _, ok := files["spoilt"]; ok {
					t.Errorf("make %s runs KEY=%s (environment: %t)", target, key, fromEnvironment)
				}
				if files["notes"] != key {
					t.Errorf("make %s passes KEY=%q on as %q", target, key, files["notes"])
				}
			}
		}
	}
}

// N4: a target fails when the tool fails that it calls.
func TestTargetsFail(t *testing.T) {
	for _, target := range toolTargets(t) {
		if _, run := maker(t, "exit 1\n"); func() bool { _, err := run(nil, target); return err == nil }() {
			t.Errorf("make %s ends well", target)
		}
	}
}

// N16: a GOOS or GOARCH of the shell, or a workspace above the project, do not reach the tools.
func TestSettingsOfGo(t *testing.T) {
	dir, run := maker(t, `printf '%s' "$GOOS$GOARCH $GOWORK" >"$NOTES"`)
	if out, err := run([]string{"GOOS=plan9", "GOARCH=mips", "GOWORK=/elsewhere/go.work"}, "status"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := strings.TrimSpace(readTree(t, dir)["notes"]); got != "off" {
		t.Errorf("the tools see %q", got)
	}
}
