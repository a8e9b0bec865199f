package cmd

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"rotasmith": func() { os.Exit(Main(os.Args[1:], OS())) },
	})
}

// TestScript runs the scripts in testdata/script: each a session without a terminal. They hold refusals to one clear line, the right exit
// code and nothing left behind.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Condition: func(cond string) (bool, error) {
			if cond != "root" {
				return false, fmt.Errorf("unknown condition %q", cond)
			}
			return os.Geteuid() == 0, nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"code":  code,
			"only":  only,
			"piped": piped,
		},
	})
}

// code runs rotasmith without input and expects an exit code: code 2 new x ...
func code(ts *testscript.TestScript, neg bool, args []string) { expect(ts, neg, nil, args) }

// piped is code with an open pipe as stdin, which is neither written to nor closed while rotasmith runs.
func piped(ts *testscript.TestScript, neg bool, args []string) {
	r, w, err := os.Pipe()
	ts.Check(err)
	defer r.Close()
	defer w.Close()
	expect(ts, neg, r, args)
}

func expect(ts *testscript.TestScript, neg bool, stdin *os.File, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: code|piped EXITCODE ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	exe, err := exec.LookPath("rotasmith")
	ts.Check(err)
	c := exec.Command(exe, args[1:]...)
	c.Dir = ts.MkAbs(".")
	c.Stdout, c.Stderr = ts.Stdout(), ts.Stderr()
	if stdin != nil { // a nil *os.File in an io.Reader would not be nil
		c.Stdin = stdin
	}
	err = c.Run()
	if c.ProcessState == nil {
		ts.Fatalf("%v", err)
	}
	if got := c.ProcessState.ExitCode(); got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// only expects the working folder to hold just the named files and folders.
func only(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: only [NAME...]")
	}
	entries, err := os.ReadDir(ts.MkAbs("."))
	ts.Check(err)
	var got []string
	for _, e := range entries {
		if e.Name() != ".tmp" { // testscript's own
			got = append(got, e.Name())
		}
	}
	slices.Sort(args)
	if !slices.Equal(got, args) {
		ts.Fatalf("folder holds %q, want %q", got, args)
	}
}
