package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// patience is the time that the tests of one mutant have. A fault that makes them hang is noticed.
const patience = 3 * time.Minute

// project is an emitted project, or the repository.
type project struct {
	answers string // its command line
	dir     string
	depend  map[string][]string // by folder: those whose tests are built with its code
}

// list returns the lines that go list prints in the project.
func (p *project) list(args ...string) ([]string, error) {
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Dir = p.dir
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list in the project of %s: %w", p.answers, err)
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' }), nil
}

// listFiles returns the files, relative to the project, that go list prints.
func (p *project) listFiles(args ...string) ([]string, error) {
	paths, err := p.list(args...)
	if err != nil {
		return nil, err
	}
	for i, path := range paths {
		if paths[i], err = filepath.Rel(p.dir, path); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// lambdaFiles returns the Go files from which the function is built.
func (p *project) lambdaFiles() ([]string, error) {
	return p.listFiles("-deps", "-f", `{{if .Module}}{{if .Module.Main}}{{$dir := .Dir}}{{range .GoFiles}}{{$dir}}/{{.}}{{"\n"}}{{end}}{{end}}{{end}}`, ".")
}

// dependents returns the folders whose tests are built with the code of a folder, beginning with itself.
func (p *project) dependents(folder string) ([]string, error) {
	if p.depend == nil {
		lines, err := p.list("-test", "-f", `{{if .Module}}{{.Module.Path}} {{.ImportPath}} {{join .Deps " "}}{{end}}`, "./...")
		if err != nil {
			return nil, err
		}
		p.depend = make(map[string][]string)
		for _, line := range lines {
			words := strings.Fields(line)
			tests, ok := strings.CutSuffix(words[1], ".test")
			if !ok {
				continue
			}
			relative := func(path string) string { return "." + strings.TrimPrefix(path, words[0]) }
			for _, dep := range words[2:] {
				// go list names a package a second time, with the test in brackets, if it is rebuilt for a test.
				if (dep == words[0] || strings.HasPrefix(dep, words[0]+"/")) && !slices.Contains(p.depend[relative(dep)], relative(tests)) {
					p.depend[relative(dep)] = append(p.depend[relative(dep)], relative(tests))
				}
			}
		}
	}
	own := func(a, b string) int {
		switch {
		case a == folder:
			return -1
		case b == folder:
			return 1
		}
		return 0
	}
	slices.SortStableFunc(p.depend[folder], own)
	return p.depend[folder], nil
}

// test runs the tests in folders until the first failure. The result names the test that failed.
func (p *project) test(overlay string, folders []string, flags ...string) (failed string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	args := slices.Concat([]string{"test", "-vet=off", "-failfast", "-overlay=" + overlay}, flags, folders)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = p.dir
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return "the time that the tests have", nil
	}
	if _, ok := errors.AsType[*exec.ExitError](err); !ok {
		return "", err
	}
	for line := range strings.Lines(string(out)) {
		if text := strings.TrimSpace(line); strings.HasPrefix(text, "--- FAIL") || strings.HasPrefix(text, "panic:") || strings.HasPrefix(text, "fatal error:") {
			failed = strings.TrimPrefix(text, "--- FAIL: ")
			if strings.Contains(failed, "/") {
				break // the subtest tells more than the test
			}
		}
	}
	if failed == "" {
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return failed, nil
}

// result is what became of a mutant.
type result struct {
	invalid bool   // it does not compile
	noticed string // the test that failed, "" if none did
}

// try runs the project's tests with the fault in place, at first a sample of them, since most faults are noticed at
// once. The file itself stays as it is: the go command reads another one in its place (go help build, -overlay).
func (m mutant) try(dir string) (result, error) {
	mutated, overlay := filepath.Join(dir, "mutated.go"), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(m.project.dir, m.file): mutated}})
	if err != nil {
		return result{}, err
	}
	if err := errors.Join(os.WriteFile(mutated, m.source, 0o600), os.WriteFile(overlay, replace, 0o600)); err != nil {
		return result{}, err
	}
	folder := "./" + filepath.ToSlash(filepath.Dir(m.file))
	if folder == "./." {
		folder = "."
	}
	build := exec.Command("go", "build", "-overlay", overlay, "-o", os.DevNull, folder)
	build.Dir = m.project.dir
	if build.Run() != nil {
		return result{invalid: true}, nil
	}
	folders, err := m.project.dependents(folder)
	if err != nil || len(folders) == 0 {
		return result{}, err
	}
	for _, tests := range []struct {
		folders []string
		flags   []string
	}{{folders[:1], []string{"-short"}}, {folders, []string{"-short"}}, {folders, nil}} {
		if noticed, err := m.project.test(overlay, tests.folders, tests.flags...); noticed != "" || err != nil {
			return result{noticed: noticed}, err
		}
	}
	return result{}, nil
}
