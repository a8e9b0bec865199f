package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/rehearsal/play"
	results "github.com/rotasmith/rotasmith/generator/report"
)

// errNotHeld says by its exit code alone that something did not hold: it was printed as the result.
var errNotHeld = &hinted{errors.New("something did not hold"), "", exitDifferent}

type rehearseOptions struct {
	dir, target, faults, only string
	rotations                 int
	json, junit, report       string
	time                      time.Duration
	app                       play.App
	yes                       bool
}

func (a *app) rehearseCommand() *cobra.Command {
	o := &rehearseOptions{dir: "."}
	c := &cobra.Command{
		Use:   "rehearse [DIR]",
		Short: "Let rotations of a project go wrong, and see whether they come right",
		Long: "rehearse builds the function of the project in DIR, or here, and runs it behind the Lambda runtime API, with a Secrets Manager\n" +
			"of its own and a real database server. It rotates, lets one thing at a time go wrong (killed after a call, frozen, delivered\n" +
			"twice, cut off, throttled, ...), and looks whether AWSCURRENT works, has its rights and no password stands in a log. No AWS\n" +
			"account is touched. It needs Go, and the database's own client where a project has a bootstrap.sql.\n\n" +
			"--target auto starts a server that is installed here. A URL, ENGINE://ADMIN@HOST/DATABASE, names one of yours: rehearse\n" +
			"makes a database and users of its own there, named " + play.Prefix + "*, drops them at its end, and at its next start if it\n" +
			"was killed; it touches no other user. It refuses a server that looks like production without --yes. For API keys, and\n" +
			"where no server is found, --target model runs the project's own proof, which needs none; all outputs then say \"" + play.ModelKind + "\".\n\n" +
			"--app is a program of yours, in any language, that reads the secret and serves at --check. It is started with dummies for\n" +
			"credentials, AWS_ENDPOINT_URL_SECRETS_MANAGER and SECRET_ID, and asked all the time while its secret is rotated five times, once\n" +
			"with a kill in the gap. ROTASMITH_CA_FILE has the authority of the server's certificate.\n\n" +
			"The exit code is 0 if all held, 3 if something did not or the application lost requests, 1 if the rehearsal could not be\n" +
			"run, 2 for a usage error. A run that failed by a deadline alone is inconclusive and not counted.",
		Example: "  rotasmith rehearse --report rehearsal.html\n  rotasmith rehearse --only kill:17\n  rotasmith rehearse --app ./server --check http://localhost:8080/orders",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.dir = args[0]
			}
			return a.runRehearse(cmd.Context(), o)
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	f := c.Flags()
	f.StringVar(&o.target, "target", "auto", "auto, model, or the `URL` of a server of yours; "+play.URLVariable+" says it without showing a password")
	f.StringVar(&o.faults, "faults", "quick", "quick, all, none, or some of "+strings.Join(play.Phases, ","))
	f.IntVar(&o.rotations, "rotations", 2, "how many rotations without a fault come first")
	f.StringVar(&o.only, "only", "", "try one fault alone, by its `NAME` such as kill:17")
	f.StringVar(&o.json, "json", "", "write the result as JSON to this `file`")
	f.StringVar(&o.junit, "junit", "", "write the result as JUnit's XML to this `file`")
	f.StringVar(&o.report, "report", "", "write the result as one HTML page with pictures to this `file`")
	f.DurationVar(&o.time, "time", 10*time.Minute, "most `time` that all may take")
	f.StringVar(&o.app.Command, "app", "", "`command` that starts your application")
	f.StringVar(&o.app.Check, "check", "", "`URL` of the application that reads the database")
	f.StringVar(&o.app.Ready, "ready", "", "`URL` that answers 2xx when the application serves; --check if not given")
	f.IntVar(&o.app.Rate, "rate", 20, "requests to the application a second")
	f.IntVar(&o.app.Allowed, "allow-failed", 0, "how many requests may fail")
	f.BoolVar(&o.yes, "yes", false, "use a server that looks like production")
	return c
}

// check refuses what does not fit together.
func (o *rehearseOptions) check() error {
	for word := range strings.SplitSeq(o.faults, ",") {
		if word != "quick" && word != "all" && word != "none" && !slices.Contains(play.Phases, word) {
			return usagef("quick, all, none, or some of "+strings.Join(play.Phases, ","), "unknown --faults %q", word)
		}
	}
	switch {
	case strings.Contains(o.faults, ",") && slices.ContainsFunc([]string{"quick", "all", "none"}, func(w string) bool { return slices.Contains(strings.Split(o.faults, ","), w) }):
		return usagef("name one of quick, all and none, or faults", "--faults %q names both", o.faults)
	case o.rotations < 1:
		return usagef("at least 1", "--rotations %d is none", o.rotations)
	case o.time <= 0:
		return usagef("a time such as 10m", "--time %s is none", o.time)
	case (o.app.Command == "") != (o.app.Check == ""):
		return usagef("--app starts the application, and --check is where it is asked", "--app and --check come together")
	case o.app.Rate < 1 || o.app.Rate > 1000:
		return usagef("from 1 to 1000", "--rate %d is no rate", o.app.Rate)
	case o.app.Allowed < 0:
		return usagef("0 or more", "--allow-failed %d is below 0", o.app.Allowed)
	}
	for flag, address := range map[string]string{"check": o.app.Check, "ready": o.app.Ready} {
		if u, err := url.Parse(address); address != "" && (err != nil || u.Host == "" || !strings.HasPrefix(u.Scheme, "http")) {
			return usagef("a URL such as http://localhost:8080/orders", "--%s %q is no URL", flag, address)
		}
	}
	return nil
}

func (a *app) runRehearse(ctx context.Context, o *rehearseOptions) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	project, answers, err := a.rehearsed(o.dir)
	if err != nil {
		return err
	}
	if o.target == "auto" {
		o.target = cmp.Or(a.Getenv(play.URLVariable), o.target)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.time, &hinted{fmt.Errorf("the rehearsal took more than %s", o.time), "--time gives it more, --faults takes less", exitFailed})
	defer cancel()
	r := &rehearsing{app: a, o: o, took: play.Stopwatch(), result: &results.Rehearsal{Format: results.Format, Project: project.Name, Answers: answers}}
	err = r.run(ctx, project)
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil && (len(r.result.Runs) == 0 || errors.Is(err, context.Canceled)) {
		return err
	}
	if err != nil { // some was tried
		r.result.EndedEarly = oneLine(err.Error())
		return errors.Join(err, r.write())
	}
	if err := r.write(); err != nil {
		return err
	}
	return r.verdict()
}

// rehearsed reads what the answers of a project say about its rotations, and their digest.
func (a *app) rehearsed(dir string) (p play.Project, digest string, err error) {
	catalog, err := a.open()
	if err != nil {
		return p, "", err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return p, "", &hinted{err, "name the folder of a project", exitUsage}
	}
	defer func() { _ = root.Close() }() // it was only read
	spec, digest, err := recordedSpec(catalog, root, dir)
	if err != nil {
		return p, "", err
	}
	return play.Project{
		Name: spec.Name, Dir: dir, Engine: spec.Target.Name,
		TwoUsers: spec.Strategy == "two-user", Clone: spec.Get("users") == "clone", ByAdmin: spec.Get("change_as") == "admin",
	}, digest, nil
}

// write writes the files that were asked for.
func (r *rehearsing) write() error {
	for _, out := range []struct {
		file string
		make func(*results.Rehearsal) ([]byte, error)
	}{{r.o.json, results.JSON}, {r.o.junit, results.JUnit}, {r.o.report, results.HTML}} {
		if out.file == "" {
			continue
		}
		text, err := out.make(r.result)
		if err == nil {
			err = os.WriteFile(out.file, text, 0o644)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// verdict prints the last line.
func (r *rehearsing) verdict() error {
	held, broken, open := r.result.Count(results.Held), r.result.Count(results.Broken), r.result.Count(results.Inconclusive)
	fmt.Fprintf(r.app.Out, "%d held, %d broken, %d inconclusive in %.0f s (%s)\n", held, broken, open, r.took().Seconds(), r.result.Target.Kind)
	if broken > 0 {
		return errNotHeld
	}
	return nil
}

// replay is the command that tries one fault alone.
func (r *rehearsing) replay(name string) string {
	words := []string{"rotasmith", "rehearse", generator.ShellQuote(r.o.dir), "--only", generator.ShellQuote(name)}
	if r.o.target != "auto" { // a URL may hold a password
		words = append(words, `--target "$`+play.URLVariable+`"`)
	}
	return strings.Join(words, " ")
}
