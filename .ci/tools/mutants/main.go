// Command mutants shows which faults the tests of an emitted project would let pass.
//
// It emits projects, plants one small fault at a time into what runs in Lambda, and runs the project's own tests, as its
// owner does: no server, no network. A fault that no test notices is a survivor. Survivors that change nothing a test
// could see are listed with the reason in survivors.txt; any other ends the run with exit code 1.
//
//	mutants [-n 120] [-seed 1] [-only TEXT] [-v] REPOSITORY
//
// The sample is drawn from all possible faults by the digest of their description and the seed: the same seed draws the
// same faults for as long as the code around them stays.
package main

import (
	"crypto/sha256"
	_ "embed"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// answers are the command lines whose projects are mutated. Together they hold the core, all strategies and a target of
// each kind.
var answers = []string{
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

//go:embed survivors.txt
var survivors string

func main() {
	n := flag.Int("n", 120, "how many faults to plant")
	seed := flag.Int("seed", 1, "which sample of the possible faults to draw")
	only := flag.String("only", "", "plant only faults whose description contains this text")
	verbose := flag.Bool("v", false, "print each fault that is noticed too, and the test that notices it")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: mutants [-n NUMBER] [-seed NUMBER] [-only TEXT] [-v] REPOSITORY")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *n, *seed, *only, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(repository string, n, seed int, only string, verbose bool) error {
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
	if only == "" {
		for fault := range explained {
			if !slices.ContainsFunc(candidates, func(m mutant) bool { return m.String() == fault }) {
				return fmt.Errorf("survivors.txt explains a fault that cannot be planted any more: %s", fault)
			}
		}
	}
	var killed, invalid, known, alive int
	for _, m := range candidates {
		if killed+known+alive == n {
			break
		}
		result, err := m.try(dir)
		switch {
		case err != nil:
			return err
		case result.invalid:
			invalid++
			continue
		case result.noticed != "":
			killed++
			if verbose {
				fmt.Printf("killed: %s\n\tby %s\n", m, result.noticed)
			}
		case explained[m.String()] != "":
			known++
		default:
			alive++
			fmt.Printf("survives: %s\n\tin %s\n", m, m.project.answers)
		}
	}
	fmt.Printf("%d faults planted of %d possible: %d killed, %d explained, %d survive; %d more do not compile\n",
		killed+known+alive, len(candidates), killed, known, alive, invalid)
	if alive > 0 {
		return fmt.Errorf("%d survivors: write a test that notices them, or the reason why none can into survivors.txt", alive)
	}
	return nil
}

// emit writes all projects and returns the faults that can be planted in them, each piece of code once.
func emit(repository, dir, only string) ([]mutant, error) {
	rotasmith := filepath.Join(dir, "rotasmith")
	build := exec.Command("go", "-C", repository, "build", "-o", rotasmith, "./cmd/rotasmith")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building rotasmith: %w\n%s", err, out)
	}
	var all []mutant
	seen := make(map[string]bool)
	for i, answers := range answers {
		p := &project{answers: answers, dir: filepath.Join(dir, fmt.Sprintf("project-%d", i))}
		args := append([]string{"new", "mutants", "--no-input", "--dir", p.dir}, strings.Fields(answers)...)
		if out, err := exec.Command(rotasmith, args...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("rotasmith new %s: %w\n%s", answers, err, out)
		}
		files, err := p.lambdaFiles()
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			found, err := mutants(p, file)
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
