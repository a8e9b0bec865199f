package cmd

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/changelog"
	"github.com/rotasmith/rotasmith/templates"
)

var rewrite = flag.Bool("update", false, "write the reference in the README anew")

const (
	readme         = "../README.md"
	referenceBegin = "<!-- The reference is written by make reference. -->\n"
	referenceEnd   = "<!-- End of the reference. -->\n"
)

// TestReference holds the reference in the README to the commands, the flags and the one list of questions.
func TestReference(t *testing.T) {
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(text), referenceBegin)
	recorded, after, ok2 := strings.Cut(rest, referenceEnd)
	if !ok1 || !ok2 {
		t.Fatalf("the README has no reference between %q and %q", referenceBegin, referenceEnd)
	}
	now := reference(t)
	if *rewrite {
		if err := os.WriteFile(readme, []byte(before+referenceBegin+now+referenceEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(recorded, now); diff != "" {
		t.Errorf("run make reference (-README +now):\n%s", diff)
	}
}

// TestReferenceOfChanges holds the page of changes to the changelog of the templates.
func TestReferenceOfChanges(t *testing.T) {
	const page = "../.github/CHANGELOG.md"
	log, err := changelog.Read(templates.FS)
	if err != nil {
		t.Fatal(err)
	}
	now := "<!-- Written by make reference from templates/" + changelog.File + ". -->\n\n" + log.Markdown()
	if *rewrite {
		if err := os.WriteFile(page, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	recorded, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(recorded), now); diff != "" {
		t.Errorf("run make reference (-page +now):\n%s", diff)
	}
}

// TestFirstExample holds what the README shows of `rotasmith new` to what it prints.
func TestFirstExample(t *testing.T) {
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "\n$ rotasmith ")
	shown, _, ends := strings.Cut(rest, "\n\n$ ")
	line, lines, printed := strings.Cut(shown, "\n")
	if !ok || !ends || !printed {
		t.Fatal("the README shows no rotasmith new and what it prints")
	}
	t.Chdir(t.TempDir())
	_, now, _ := rotate(t, strings.Fields(line)...)
	for part := range strings.SplitSeq(lines, "  ...\n") {
		if !strings.Contains(now, part) {
			t.Errorf("rotasmith %s prints nothing like\n%s\nbut\n%s", line, part, now)
		}
	}
}

func reference(t *testing.T) string {
	t.Helper()
	catalog, err := generator.Open(templates.FS, templates.Root)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	root := (&app{}).rootCommand()
	for _, c := range root.Commands() {
		if c.HasSubCommands() || c.Name() == "help" {
			continue // cobra's own
		}
		describeCommand(&b, c)
		if c.Name() == "new" {
			describeQuestions(&b, catalog)
		}
	}
	b.WriteString("\n`rotasmith completion SHELL` prints the completion for bash, zsh, fish or PowerShell; it completes answers too.\n\n")
	return b.String()
}

func describeCommand(b *bytes.Buffer, c *cobra.Command) {
	usage, _, _ := strings.Cut(c.UseLine(), " [flags]")
	fmt.Fprintf(b, "\n### %s\n\n", usage)
	if c.Long != "" {
		fmt.Fprintf(b, "%s\n\n", c.Long)
	} else {
		fmt.Fprintf(b, "%s.\n\n", c.Short)
	}
	var examples []string
	for line := range strings.Lines(c.Example) {
		examples = append(examples, strings.TrimSpace(line))
	}
	fmt.Fprintf(b, "```sh\n%s\n```\n", strings.Join(examples, "\n"))
	if !c.HasAvailableFlags() {
		return
	}
	b.WriteString("\n| flag | meaning |\n|---|---|\n")
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" {
			return
		}
		name, usage := pflag.UnquoteUsage(f)
		if name == "string" {
			name = ""
		}
		fmt.Fprintf(b, "| `%s` | %s |\n", strings.TrimSpace("--"+f.Name+" "+name), cell(usage))
	})
}

func describeQuestions(b *bytes.Buffer, catalog *generator.Catalog) {
	b.WriteString("\n| question | answers | default | for |\n|---|---|---|---|\n")
	for _, q := range catalog.Questions {
		answers := cell(q.Help)
		if values := choices(q); len(values) > 0 {
			answers = "`" + strings.Join(values, "`, `") + "`"
		}
		def := "`" + cell(q.Default) + "`"
		switch {
		case q.Required():
			def = "must be answered"
		case q.Default == "":
			def = defaultText(q)
		case q.List:
			def = "`" + strings.ReplaceAll(q.Default, ",", "`, `") + "`"
		}
		def += cell(otherDefaults(catalog, q))
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", q.Key, answers, def, cell(appliesText(catalog, q)))
	}
}

func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "* ? *", `\* ? \*`).Replace(text)
}

// TestExamples runs every example of --help as it stands, in a folder with a project and with an account that has a
// secret whose rotation has failed.
func TestExamples(t *testing.T) {
	ward(t)
	t.Chdir(t.TempDir())
	newProject(t, ".")
	_, all, _ := rotate(t, "--help")
	for _, c := range (&app{}).rootCommand().Commands() {
		if !c.HasSubCommands() {
			_, help, _ := rotate(t, c.Name(), "--help")
			all += help
		}
	}
	ran := 0
	for line := range strings.Lines(all) {
		if !strings.HasPrefix(line, "  rotasmith ") || strings.Contains(line, "[") {
			continue
		}
		if strings.HasPrefix(line, "  rotasmith rehearse") { // takes a server and a minute: TestRehearse
			continue
		}
		line, _, _ = strings.Cut(strings.TrimSpace(line), " > ")
		want := exitDone
		if line == "rotasmith new orders-db" { // which asks
			want = exitUsage
		}
		if strings.HasPrefix(line, "rotasmith doctor ") && !strings.Contains(line, "--policy") { // it is broken
			want = exitDifferent
		}
		if err := os.RemoveAll("orders-db"); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(line, "rotasmith check orders-db") {
			newProject(t, "orders-db")
		}
		if code, _, errOut := rotate(t, shellWords(line)[1:]...); code != want {
			t.Errorf("%s: exit code %d\n%s", line, code, errOut)
		}
		ran++
	}
	if ran < 8 {
		t.Errorf("only %d examples", ran)
	}
}

// shellWords takes apart what generator.ShellQuote has put together, for words without a single quote in them.
func shellWords(line string) []string {
	var words []string
	var word strings.Builder
	quoted := false
	for _, r := range line + " " {
		switch {
		case r == '\'':
			quoted = !quoted
		case r == ' ' && !quoted:
			words = append(words, word.String())
			word.Reset()
		default:
			word.WriteRune(r)
		}
	}
	return words
}
