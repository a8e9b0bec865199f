package cmd

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/templates"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"rotasmith": func() { os.Exit(main()) },
	})
}

// main is the program, with the templates in the folder TEMPLATES as those of version TEMPLATES_VERSION, if that is set.
func main() int {
	dir := os.Getenv("TEMPLATES")
	if dir == "" {
		return Main(os.Args[1:], OS())
	}
	sys := OS()
	a := &app{System: sys, version: os.Getenv("TEMPLATES_VERSION"), prompter: openPrompter(sys), open: func() (*generator.Catalog, error) {
		return generator.Open(os.DirFS(dir), templates.Root)
	}}
	return a.run(context.Background(), os.Args[1:])
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
			"code":      code,
			"only":      only,
			"piped":     piped,
			"replace":   replace,
			"templates": copyTemplates,
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
	c.Dir, c.Env = ts.MkAbs("."), os.Environ()
	for _, name := range []string{"HOME", "TEMPLATES", "TEMPLATES_VERSION"} {
		c.Env = append(c.Env, name+"="+ts.Getenv(name))
	}
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

// copyTemplates writes the templates to a folder, to be changed: templates DIR.
func copyTemplates(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: templates DIR")
	}
	ts.Check(os.CopyFS(ts.MkAbs(args[0]), templates.FS))
}

// replace replaces a text that stands in a file once: replace FILE OLD NEW, with \n for the end of a line.
func replace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: replace FILE OLD NEW")
	}
	lines := strings.NewReplacer(`\n`, "\n", `\t`, "\t")
	file, old := ts.MkAbs(args[0]), lines.Replace(args[1])
	text := ts.ReadFile(args[0])
	if strings.Count(text, old) != 1 {
		ts.Fatalf("%q does not stand once in %s", old, args[0])
	}
	ts.Check(os.WriteFile(file, []byte(strings.Replace(text, old, lines.Replace(args[2]), 1)), 0o644))
}
