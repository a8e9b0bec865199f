// Package cmd is rotasmith's command line: flags, prompts, the only error printer and the exit codes.
//
// Results go to stdout, everything else to stderr. A message is one line in lower case without a full stop, with the user's input quoted;
// a second line says what to do. Nothing is asked without a terminal, and what every question asks can be given by a flag.
package cmd

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/history"
	"github.com/rotasmith/rotasmith/templates"
)

// System is what the commands see of the process that they run in.
type System struct {
	In       io.Reader
	Out, Err io.Writer
	Getenv   func(string) string
}

// OS is the real process.
func OS() System {
	return System{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv}
}

// Main runs the command line args, without the program's name, and returns the exit code: 0 done, 1 failed while doing it, 2 usage
// error, 3 differences or something broken found, 130 interrupted.
func Main(args []string, sys System) int {
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // short-lived process: collect less often

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	a := &app{System: sys, open: openTemplates, version: buildVersion()}
	a.prompter = openPrompter(sys)
	return a.run(ctx, args)
}

func openTemplates() (*generator.Catalog, error) { return generator.Open(templates.FS, templates.Root) }

// app is one run of the program.
type app struct {
	System
	open     func() (*generator.Catalog, error)
	version  string                 // of this build; empty: none
	released func() []history.Point // nil: what the program remembers
	prompter Prompter               // nil without a terminal
}

// renderer returns what makes projects of this version.
func (a *app) renderer(c *generator.Catalog) *generator.Renderer {
	r := generator.NewRenderer(c)
	r.Version = cmp.Or(a.version, r.Version)
	return r
}

func (a *app) run(ctx context.Context, args []string) int {
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(a.In)
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	if err := helpOfNothing(root, args); err != nil {
		return a.report(err)
	}
	c, err := root.ExecuteContextC(ctx)
	code := a.report(err)
	_, printed := errors.AsType[*inResult](err)
	if code != exitDone && code != exitDifferent && !printed && c.Flags().Lookup("json") != nil && slices.Contains(args, "--json") {
		_ = a.jsonErrors(err) // stdout is gone; stderr has told it
	}
	return code
}

// helpOfNothing refuses to explain a command that does not exist. cobra would explain the one above it.
func helpOfNothing(root *cobra.Command, args []string) error {
	if !slices.Contains(args, "--help") && !slices.Contains(args, "-h") {
		return nil
	}
	group, rest, _ := root.Find(args) // the run itself tells an error
	if !group.HasSubCommands() {
		return nil
	}
	isWord := func(arg string) bool { return !strings.HasPrefix(arg, "-") && !strings.HasPrefix(arg, "__") }
	if i := slices.IndexFunc(rest, isWord); i >= 0 && rest[i] != "help" {
		return unknownCommand(group, rest[i])
	}
	return nil
}

// Root returns the commands, for what makes man pages and completions of them. They are run by [Main].
func Root() *cobra.Command { return (&app{System: OS(), open: openTemplates}).rootCommand() }

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "rotasmith",
		Short: "Write projects that rotate secrets in AWS Secrets Manager",
		Long: "rotasmith writes a complete project that rotates a secret in AWS Secrets Manager: the rotation function, its tests and its\n" +
			"Terraform. The project is yours; it does not depend on rotasmith.",
		Example:       "  rotasmith new orders-db",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SuggestionsMinimumDistance = 2
	cobra.AddTemplateFunc("version", version)
	root.Version = "version" // for --version to be there: what it prints is read only then
	root.SetVersionTemplate("{{version}}\n")
	root.SetHelpFunc(a.explain)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		hint := cmd.CommandPath() + " --help lists the flags"
		if bad, ok := errors.AsType[*pflag.InvalidValueError](err); ok && bad.GetFlag().Value.Type() == "bool" {
			return usagef(hint, "--%s is true or false, not %q", bad.GetFlag().Name, bad.GetValue())
		}
		return usagef(hint, "%v", err)
	})
	root.AddCommand(a.newCommand(), a.checkCommand(), a.updateCommand(), a.rehearseCommand(), a.doctorCommand(), a.costCommand(),
		a.catalogCommand(), a.schemaCommand(), versionCommand())
	root.SetHelpCommand(helpCommand())
	root.InitDefaultCompletionCmd()
	strict(root)
	return root
}

// helpCommand is cobra's, but it fails on a command that does not exist.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Explain a command",
		Example: "  rotasmith help new",
		RunE: func(cmd *cobra.Command, args []string) error {
			target, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return unknownCommand(cmd.Root(), args[len(args)-max(1, len(rest))])
			}
			target.InitDefaultHelpFlag()
			return target.Help()
		},
	}
}

// explain prints a command's help, broken where the window ends.
func (a *app) explain(cmd *cobra.Command, _ []string) {
	text := reflow(cmp.Or(cmd.Long, cmd.Short), min(columns(a.Out), helpWidth))
	_ = a.show([]byte(text + "\n" + cmd.UsageString())) // stdout is gone; there is nothing to report to
}

// helpWidth is where paragraphs are broken in a window that is not narrower, in columns.
const helpWidth = 100

// strict makes commands that only group others, and the ones that cobra adds, refuse what they do not know.
func strict(c *cobra.Command) {
	switch {
	case c.HasSubCommands():
		c.DisableFlagsInUseLine = true
		c.Args = cobra.ArbitraryArgs
		c.RunE = func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return cmd.Help()
		}
	case c.Parent().Name() == "completion":
		c.Args = atMost(0)
	}
	for _, sub := range c.Commands() {
		strict(sub)
	}
}

func unknownCommand(group *cobra.Command, word string) error {
	hint := group.CommandPath() + " --help lists the commands"
	if near := group.SuggestionsFor(word); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return usagef(hint, "unknown command %q", word)
}

// atMost refuses more than n arguments.
func atMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return usagef(cmd.CommandPath()+" --help shows its arguments", "unexpected argument %q", args[n])
		}
		return nil
	}
}

// named returns the question with a key, an empty one if the template tree has nothing to choose.
func named(questions []generator.Question, key string) generator.Question {
	for _, q := range questions {
		if q.Key == key {
			return q
		}
	}
	return generator.Question{}
}
