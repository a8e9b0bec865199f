package play_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/generator/rehearsal"
	"github.com/rotasmith/rotasmith/generator/rehearsal/play"
	"github.com/rotasmith/rotasmith/generator/rehearsal/servers"
	"github.com/rotasmith/rotasmith/generator/report"
)

// seeds are faults that are put into the code of a project.
var seeds = []struct {
	name    string
	project play.Project
	file    string
	edits   []string // old and new, in turn
	runs    string   // the runs of which one at least finds it
}{
	{
		"the password is changed without a look at the labels", play.Project{Engine: "postgres"}, "internal/database/singleuser/finish.go",
		[]string{
			"	if err := s.claim(ctx, r, session, pending.User); err != nil {\n		return err\n	}\n	if own != nil {", "	if own != nil {",
			"		return s.retreat(ctx, r, found, session, err)\n	}\n	r.Report.Gap", "		return err\n	}\n	r.Report.Gap",
		},
		"freeze:change:1",
	},
	{
		"AWSCURRENT is moved from any version", play.Project{Engine: "postgres"}, "internal/rotation/promote.go",
		[]string{
			"		case secret != nil && guard != nil:\n			return notPending(guard)\n		case secret != nil && r.current != holder:\n			return errConflict\n",
			"		case secret != nil && r.current != holder:\n			_, holder = guard, r.current\n",
		},
		"freeze:promotion:1",
	},
	{
		"a password stands in a log", play.Project{Engine: "postgres"}, "internal/database/singleuser/finish.go",
		[]string{"	changed := r.Now()\n", "	changed := r.Now()\n	r.Log.InfoContext(ctx, \"changed\", \"password\", pending.Password.Reveal())\n"},
		"clean",
	},
	{
		"a version is promoted that has not logged in", play.Project{Engine: "postgres"}, "internal/database/singleuser/finish.go",
		[]string{"	err := s.prove(ctx, r, pending, awake)\n", "	var err error\n"},
		"clean lag:server",
	},
	{
		"the previous password is kept twice", play.Project{Engine: "mysql"}, "internal/mysql/dualpassword/dual.go",
		[]string{
			"	failure := own.Replace(ctx, o.Current, o.Pending, true)\n",
			"	failure := own.Assign(ctx, o.User, o.Pending, true)\n",
		},
		"label",
	},
}

// TestSeededFaults edits projects so that they are wrong, one way each: the quick
// faults find it and name where.
func TestSeededFaults(t *testing.T) {
	t.Parallel()
	for _, seed := range seeds {
		t.Run(seed.name, func(t *testing.T) {
			t.Parallel()
			needs(t, servers.Kind(seed.project.Engine))
			p := emit(t, seed.project)
			file := filepath.Join(p.Dir, seed.file)
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			edited := strings.NewReplacer(seed.edits...).Replace(string(source))
			if edited == string(source) {
				t.Fatalf("%s does not hold what is edited", seed.file)
			}
			if err := os.WriteFile(file, []byte(edited), 0o600); err != nil {
				t.Fatal(err)
			}
			p.Binary = filepath.Join(p.Dir, "bootstrap")
			if err := rehearsal.Compile(t.Context(), p.Dir, p.Binary); err != nil {
				t.Fatal(err)
			}
			found := ""
			for _, run := range quick(t, open(t, p)) {
				if run.Outcome == report.Broken {
					found += " " + run.Name
				}
			}
			if found == "" {
				t.Error("it is not found")
			}
			for name := range strings.FieldsSeq(seed.runs) {
				if strings.Contains(found+" ", " "+name+" ") {
					return
				}
			}
			t.Errorf("it is found by%s, and not by %s", found, seed.runs)
		})
	}
}
