package cmd

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Every example of every --help does what it says when it is pasted: in an empty folder for new, else where a project is and another below.
func TestExamplesWork(t *testing.T) {
	var commands []*cobra.Command
	root := (&app{}).rootCommand()
	for _, c := range append(root.Commands(), root) {
		if !c.HasSubCommands() || c == root {
			commands = append(commands, c)
		}
	}
	for _, c := range commands {
		help := strings.TrimSuffix("help "+strings.TrimPrefix(c.CommandPath(), "rotasmith"), " ")
		_, text, _ := rotate(t, strings.Fields(help)...)
		_, after, ok := strings.Cut(text, "\nExamples:\n")
		if !ok {
			t.Errorf("%s --help has no example", c.CommandPath())
		}
		examples, _, _ := strings.Cut(after, "\n\n")
		for line := range strings.Lines(examples) {
			line = strings.TrimSpace(line)
			t.Run(line, func(t *testing.T) { paste(t, line) })
		}
	}
}

func paste(t *testing.T, line string) {
	words := shellWords(line)
	if words[1] == "rehearse" {
		return // takes a server and a minute: TestRehearse
	}
	if words[1] == "new" && !strings.Contains(line, "--no-input") {
		c := openConsole(t)
		end := c.talk(t.Context(), nil, words[1:]...)
		c.reply("Credential to rotate", "\x03") // it asks, which is what it says
		if code, _ := end(); code != exitInterrupted {
			t.Errorf("exit code %d", code)
		}
		return
	}
	t.Chdir(t.TempDir())
	broken := words[1] == "doctor" // is the secret that its examples name
	if broken {
		ward(t)
		if strings.Contains(line, "--offline") {
			rotate(t, "doctor", "prod/orders", "--save", "snapshot.json")
		}
	} else if words[1] != "new" {
		newProject(t, ".")
		newProject(t, "orders-db")
	}
	shell := exec.CommandContext(t.Context(), "sh", "-c", line) // rotasmith is this test binary, see TestMain
	shell.Env = append(os.Environ(), "CI=true")
	if out, err := shell.CombinedOutput(); err != nil && !(broken && shell.ProcessState.ExitCode() == exitDifferent) {
		t.Errorf("%v\n%s", err, out)
	}
}
