package play

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/rotasmith/rotasmith/generator/report"
)

// ModelKind is what every output calls a rehearsal without a server.
const ModelKind = "model, no server"

// Model runs the project's own proof, in which servers and services are models, and
// returns a run for each of its tests.
func Model(ctx context.Context, dir string) ([]report.Run, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-json", "-count=1", "./internal/...")
	cmd.Dir = dir
	output, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); errors.Is(err, exec.ErrNotFound) {
		return nil, errors.New("the project's tests are run with Go, and there is no go command")
	} else if err != nil {
		return nil, err
	}
	var runs []report.Run
	words := make(map[string]string) // by test: what it wrote
	for lines := bufio.NewScanner(output); lines.Scan(); {
		var event struct {
			Action, Package, Test, Output string
			Elapsed                       float64
		}
		if json.Unmarshal(lines.Bytes(), &event) != nil {
			continue
		}
		top, _, _ := strings.Cut(event.Test, "/")
		test := event.Package + " " + top
		if event.Action == "output" {
			words[test] += event.Output
		}
		if run, ok := modelRun(event.Action, event.Package, event.Test, event.Elapsed, words[test]); ok {
			runs = append(runs, run)
		}
	}
	err = cmd.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if len(runs) == 0 {
		return nil, fmt.Errorf("the project's tests do not run: %w %s", err, said.String())
	}
	return runs, nil
}

// modelRun is the end of one test, or of a package that does not build.
func modelRun(action, pkg, test string, seconds float64, words string) (report.Run, bool) {
	folder := "./internal/"
	if _, below, ok := strings.Cut(pkg, "/internal/"); ok {
		folder += below
	}
	run := report.Run{Phase: "model", Name: folder + " " + test, Fault: ModelKind, Length: seconds * 1000}
	switch {
	case strings.Contains(test, "/"):
		return run, false
	case test == "" && action == "fail" && strings.Contains(words, "[build failed]"):
		run.Outcome, run.Invariant, run.Replay = report.Broken, "it does not build", "go vet "+folder
	case test == "":
		return run, false
	case action == "pass":
		run.Outcome = report.Held
	case action == "fail":
		run.Outcome, run.Invariant, run.Replay = report.Broken, strings.TrimSpace(words), "go test -run '^"+test+"$' "+folder
	default:
		return run, false
	}
	return run, true
}
