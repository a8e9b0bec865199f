// Command mutants shows which faults the tests of an emitted project would let pass.
//
// It emits projects, plants one small fault at a time into what runs in Lambda, and runs the project's own tests, as its
// owner does: no server, no network. A fault that no test notices is a survivor. Survivors that change nothing a test
// could see are listed with the reason in survivors.txt; any other ends the run with exit code 1.
//
//	mutants [-n 120] [-seed 1] REPOSITORY
//
// The sample is drawn from all possible faults by the digest of their description and the seed: the same seed draws the
// same faults for as long as the code around them stays.
package main

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// projects are the command lines whose code is mutated. Together they hold the core, all strategies and a target of each
// kind.
var projects = []string{
	"--type rds-two-user --engine postgres",
	"--type rds-two-user --engine postgres --set users=clone",
	"--type rds-two-user --engine mysql --set users=clone",
	"--type rds-two-user --engine mariadb",
	"--type rds-single-user --engine postgres",
	"--type rds-single-user --engine mysql",
	"--type rds-single-user --engine documentdb",
	"--type api-key --provider generic",
	"--type api-key --provider generic --set mode=roll",
	"--type api-key --provider cloudflare",
	"--type api-key --provider github-pat",
}

// patience is the time that the tests of one mutant have. A fault that makes them hang is noticed.
const patience = 10 * time.Minute

//go:embed survivors.txt
var survivors string

func main() {
	n := flag.Int("n", 120, "how many faults to plant")
	seed := flag.Int("seed", 1, "which sample of the possible faults to draw")
	only := flag.String("only", "", "plant only faults whose description contains this text")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: mutants [-n NUMBER] [-seed NUMBER] [-only TEXT] REPOSITORY")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *n, *seed, *only); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(repository string, n, seed int, only string) error {
	dir, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	candidates, err := emit(repository, dir, only)
	if err != nil {
		return err
	}
	rank := func(m mutant) string { return fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%d %s", seed, m))) }
	slices.SortFunc(candidates, func(a, b mutant) int { return strings.Compare(rank(a), rank(b)) })

	explained := explanations()
	var killed, invalid, known int
	var unexplained []mutant
	for _, m := range candidates {
		if killed+known+len(unexplained) == n {
			break
		}
		switch outcome, err := m.try(dir); {
		case err != nil:
			return err
		case outcome == doesNotCompile:
			invalid++
		case outcome == isKilled:
			killed++
		case explained[m.String()] != "":
			known++
		default:
			unexplained = append(unexplained, m)
			fmt.Printf("survives: %s\n", m)
		}
	}
	fmt.Printf("%d faults planted of %d possible: %d killed, %d explained, %d survive; %d more do not compile\n",
		killed+known+len(unexplained), len(candidates), killed, known, len(unexplained), invalid)
	if len(unexplained) > 0 {
		return fmt.Errorf("%d survivors: write a test that notices them, or the reason why none can into survivors.txt", len(unexplained))
	}
	return nil
}

// emit writes all projects and returns the faults that can be planted in them, each piece of code once.
func emit(repository, dir, only string) ([]mutant, error) {
	var all []mutant
	seen := make(map[string]bool)
	for i, answers := range projects {
		project := filepath.Join(dir, fmt.Sprintf("project-%d", i))
		args := append([]string{"-C", repository, "run", "./cmd/rotasmith", "new", "mutants", "--no-input", "--dir", project}, strings.Fields(answers)...)
		if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("rotasmith new %s: %w\n%s", answers, err, out)
		}
		// A project whose tests fail without a fault would kill every mutant.
		if out, err := test(project, ""); err != nil {
			return nil, fmt.Errorf("the tests of %s fail without a fault: %w\n%s", answers, err, out)
		}
		files, err := lambdaFiles(project)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			found, err := mutants(project, file)
			if err != nil {
				return nil, err
			}
			for _, m := range found {
				if !seen[m.String()] && strings.Contains(m.String(), only) {
					seen[m.String()] = true
					all = append(all, m)
				}
			}
		}
	}
	return all, nil
}

// lambdaFiles returns the Go files, relative to project, from which the function is built.
func lambdaFiles(project string) ([]string, error) {
	cmd := exec.Command("go", "list", "-deps", "-f", `{{if .Module}}{{if .Module.Main}}{{$dir := .Dir}}{{range .GoFiles}}{{$dir}}/{{.}}{{"\n"}}{{end}}{{end}}{{end}}`, ".")
	cmd.Dir = project
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list in %s: %w", project, err)
	}
	var files []string
	for path := range strings.FieldsSeq(string(out)) {
		relative, err := filepath.Rel(project, path)
		if err != nil {
			return nil, err
		}
		files = append(files, relative)
	}
	return files, nil
}

type outcome int

const (
	isKilled outcome = iota
	survives
	doesNotCompile
)

// try runs the project's tests with the fault in place. The file itself stays as it is: the go command reads another one
// in its place (go help build, -overlay).
func (m mutant) try(dir string) (outcome, error) {
	mutated := filepath.Join(dir, "mutated.go")
	if err := os.WriteFile(mutated, m.source, 0o600); err != nil {
		return 0, err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(m.project, m.file): mutated}})
	if err != nil {
		return 0, err
	}
	path := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(path, overlay, 0o600); err != nil {
		return 0, err
	}
	build := exec.Command("go", "build", "-overlay", path, "-o", os.DevNull, "./...")
	build.Dir = m.project
	if build.Run() != nil {
		return doesNotCompile, nil
	}
	_, err = test(m.project, path)
	if _, ok := errors.AsType[*exec.ExitError](err); ok || errors.Is(err, context.DeadlineExceeded) {
		return isKilled, nil
	}
	return survives, err
}

// test runs the tests of a project as its Makefile does, until the first failure.
func test(project, overlay string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "test", "-vet=off", "-failfast", "-overlay="+overlay, "./...")
	cmd.Dir = project
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	return out, errors.Join(err, ctx.Err())
}

// explanations reads survivors.txt: a mutant's description a line, and the reason on the line below it, indented.
func explanations() map[string]string {
	reasons := make(map[string]string)
	mutant := ""
	for line := range strings.Lines(survivors) {
		switch text := strings.TrimSpace(line); {
		case text == "" || strings.HasPrefix(text, "#"):
		case strings.HasPrefix(line, "\t"):
			reasons[mutant] = text
		default:
			mutant = text
		}
	}
	return reasons
}
