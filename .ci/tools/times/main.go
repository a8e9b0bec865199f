// Command times tells where the time of the checks goes, by part, package and test.
//
//	times run PART COMMAND...   runs a command and notes in $ROTASMITH_TIMES what it took
//	times table FILE            prints what was noted, the longest first
//
// Of "go test" it notes each package's processor time, with that of every program that
// the package's tests started, and the wall time of the longest tests. A package with
// none came from the cache.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// noteFile names the environment variable with the file that notes go to.
const noteFile = "ROTASMITH_TIMES"

// note is what a part, or a package in it, or a test of that took.
type note struct {
	Part, Package, Test string  `json:",omitempty"`
	Wall, CPU           float64 // seconds
}

func main() {
	err := errors.New("usage: times run PART COMMAND..., or times table FILE")
	switch args := os.Args[1:]; {
	case len(args) >= 3 && args[0] == "run":
		err = run(args[1], args[2:])
	case len(args) >= 2 && args[0] == "exec": // by go test: of one package
		err = timed(note{Package: os.Getenv("PWD")}, args[1:], os.Stdout)
	case len(args) == 2 && args[0] == "table":
		err = table(os.Stdout, args[1])
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		os.Exit(max(1, exit.ExitCode()))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "times:", err)
		os.Exit(1)
	}
}

// run runs the command of a part. It lets "go test" tell its story as JSON and prints
// of it what go test prints.
func run(part string, command []string) error {
	if len(command) < 2 || command[0] != "go" || command[1] != "test" {
		return timed(note{Part: part}, command, os.Stdout)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	command = slices.Concat(command[:2], []string{"-json", "-exec", self + " exec"}, command[2:])
	events, story := io.Pipe()
	told := make(chan error)
	go func() { told <- tell(part, events) }()
	err = timed(note{Part: part}, command, story)
	return errors.Join(err, story.Close(), <-told)
}

// timed runs a command and notes what it took.
func timed(n note, command []string, stdout io.Writer) error {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, stdout, os.Stderr
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	// go test asks a test that takes too long for its stacks.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGQUIT, os.Interrupt)
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s)
		}
	}()
	err := cmd.Wait()
	signal.Stop(signals)
	n.Wall = time.Since(began).Seconds()
	n.CPU = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	return errors.Join(err, n.write())
}

func (n note) write() error {
	line, err := json.Marshal(n)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(os.Getenv(noteFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}

// tell prints the output of packages, and of tests that fail, and notes the tests'
// times.
func tell(part string, events io.Reader) error {
	output := make(map[string]string) // by test
	lines := bufio.NewReader(events)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return nil
		}
		var e struct {
			Action, Package, Test, Output string
			Elapsed                       float64
		}
		if json.Unmarshal(line, &e) != nil {
			_, _ = os.Stdout.Write(line)
			continue
		}
		key := e.Package + " " + e.Test
		switch {
		case e.Action == "output" && e.Test == "" && e.Output != "PASS\n":
			fmt.Print(e.Output)
		case e.Action == "output":
			output[key] += e.Output
		case e.Action == "fail" && e.Test != "":
			fmt.Print(output[key])
		case e.Action == "build-output":
			fmt.Fprint(os.Stderr, e.Output)
		}
		if e.Elapsed >= 1 && e.Test != "" {
			if err := (note{Part: part, Package: e.Package, Test: e.Test, Wall: e.Elapsed}).write(); err != nil {
				return err
			}
		}
	}
}

// table prints parts, then packages, then tests.
func table(out io.Writer, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var parts, packages, tests []note
	var all note
	for line := range strings.Lines(string(text)) {
		var n note
		if err := json.Unmarshal([]byte(line), &n); err != nil {
			return err
		}
		switch {
		case n.Test != "":
			tests = append(tests, n)
		case n.Package != "":
			packages = append(packages, n)
		default:
			at := slices.IndexFunc(parts, func(p note) bool { return p.Part == n.Part })
			if at < 0 {
				parts, at = append(parts, note{Part: n.Part}), len(parts)
			}
			parts[at].Wall, parts[at].CPU = parts[at].Wall+n.Wall, parts[at].CPU+n.CPU
			all.Wall, all.CPU = all.Wall+n.Wall, all.CPU+n.CPU
		}
	}
	parts = append(parts, note{Part: "all", Wall: all.Wall, CPU: all.CPU})
	longest := func(notes []note, by func(note) float64, n int) []note {
		slices.SortFunc(notes, func(a, b note) int { return cmp.Compare(by(b), by(a)) })
		return notes[:min(n, len(notes))]
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, section := range []struct {
		title string
		notes []note
		what  func(note) string
	}{
		{"part", parts, func(n note) string { return n.Part }},
		{"package", longest(packages, func(n note) float64 { return n.CPU }, 25), func(n note) string { return n.Package }},
		{"test", longest(tests, func(n note) float64 { return n.Wall }, 25), func(n note) string { return n.Package + " " + n.Test }},
	} {
		fmt.Fprintf(w, "wall (s)\tprocessor (s)\t%s\n", section.title)
		for _, n := range section.notes {
			cpu := "-"
			if n.CPU > 0 {
				cpu = fmt.Sprintf("%.1f", n.CPU)
			}
			fmt.Fprintf(w, "%.1f\t%s\t%s\n", n.Wall, cpu, section.what(n))
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}
