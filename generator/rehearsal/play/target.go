package play

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rotasmith/rotasmith/generator/rehearsal/servers"
	"github.com/rotasmith/rotasmith/generator/report"
)

// A Target is a server that a rehearsal may use, with its database prepared.
type Target struct {
	Database Database
	Report   report.Target
	stop     []func(context.Context) error
}

// engines are those that a rehearsal knows a server for.
var engines = map[string]struct {
	kind    servers.Kind
	schemes []string
	login   func(*servers.Server) string // the URL of a server that was started for the rehearsal
	open    func(ctx context.Context, url string, own *servers.Server) (Database, error)
}{
	"postgres": {servers.Postgres, []string{"postgres", "postgresql"}, clearPostgres, openPostgres},
	"mysql":    {servers.MySQL, []string{"mysql"}, superuser, openMySQL(false)},
	"mariadb":  {servers.MariaDB, []string{"mysql", "mariadb"}, superuser, openMySQL(true)},
}

// HasServer reports whether a rehearsal knows a server for an engine.
func HasServer(engine string) bool { return engines[engine].open != nil }

// clearPostgres speaks in clear text to a server on the loopback interface, so that a
// client of the proxy sees one certificate alone.
func clearPostgres(s *servers.Server) string {
	u, _ := url.Parse(s.URL(s.Admin, "postgres")) // it is one
	u.RawQuery = "sslmode=disable"
	return u.String()
}

// Start starts a server on this machine and prepares it.
func Start(ctx context.Context, project Project) (*Target, error) {
	how := engines[project.Engine]
	server, err := servers.Start(ctx, how.kind, "")
	if err != nil {
		return nil, err
	}
	t := &Target{Report: report.Target{Kind: "a server started on this machine"}, stop: []func(context.Context) error{server.Stop}}
	return t, t.open(ctx, how.login(server), server, project)
}

// superuser can grant the right to keep two passwords.
func superuser(s *servers.Server) string { return s.URL(s.Superuser, "") }

// Stopwatch returns what tells how much time has passed.
func Stopwatch() func() time.Duration {
	began := time.Now()
	return func() time.Duration { return time.Since(began) }
}

// URLVariable names the environment variable with the URL of a server, whose password
// then stands in no list of processes.
const URLVariable = "ROTASMITH_REHEARSAL_URL"

// TargetError is of a server that a rehearsal may not or cannot use, with what cures that.
type TargetError struct{ Problem, Cure string }

func (e *TargetError) Error() string { return e.Problem }

// production is of a server that looks as if it were needed.
func production(why string) error {
	return &TargetError{"this server looks like production: " + why, "name a staging server, or say --yes if it is one"}
}

// Reach opens a server of the user's by a URL such as postgres://admin@staging/postgres.
// It refuses one that looks like production, unless sure is true.
func Reach(ctx context.Context, address string, project Project, sure bool) (*Target, error) {
	how := engines[project.Engine]
	u, err := url.Parse(address)
	if err != nil || !slices.Contains(how.schemes, u.Scheme) || u.User == nil {
		return nil, &TargetError{"the target is no URL of a server of " + project.Engine, "a URL such as " + how.schemes[0] + "://ADMIN@HOST/DATABASE"}
	}
	for _, text := range []string{u.Hostname(), strings.Trim(u.Path, "/")} {
		if !sure && looksLikeProduction(text) {
			return nil, production(fmt.Sprintf("%q names it so", text))
		}
	}
	if strings.HasPrefix(u.User.Username(), Prefix) {
		return nil, &TargetError{"the target names a user of the rehearsal's own, which it would drop", "name an admin of the server"}
	}
	t := &Target{Report: report.Target{Kind: "a server of yours"}}
	database, err := how.open(ctx, address, nil)
	if err != nil {
		return nil, err
	}
	strangers, err := database.Strangers(ctx)
	if err == nil && strangers > 0 && !sure {
		err = production(fmt.Sprintf("it has %d other sessions", strangers))
	}
	if err != nil {
		return nil, errors.Join(err, database.Close(ctx))
	}
	return t, t.prepare(ctx, database, project)
}

// looksLikeProduction finds prod, production, prd and live as words of a name.
func looksLikeProduction(name string) bool {
	return slices.ContainsFunc(strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }), func(word string) bool {
		return strings.HasPrefix(word, "prod") || word == "prd" || word == "live"
	})
}

func (t *Target) open(ctx context.Context, address string, own *servers.Server, project Project) error {
	database, err := engines[project.Engine].open(ctx, address, own)
	if err != nil {
		return errors.Join(err, t.Close(ctx))
	}
	return t.prepare(ctx, database, project)
}

func (t *Target) prepare(ctx context.Context, database Database, project Project) error {
	t.Database, t.Report.Version = database, database.Version()
	t.stop = append(t.stop, database.Close, database.Sweep)
	err := database.Sweep(ctx) // of one that was killed
	if err == nil {
		err = database.Prepare(ctx, project)
	}
	if err != nil {
		return errors.Join(err, t.Close(ctx))
	}
	return nil
}

// Close drops all that was made and stops what was started. It goes on when ctx has ended.
func (t *Target) Close(ctx context.Context) (err error) {
	ctx = context.WithoutCancel(ctx)
	for _, stop := range slices.Backward(t.stop) {
		err = errors.Join(err, stop(ctx))
	}
	t.stop = nil
	return err
}
