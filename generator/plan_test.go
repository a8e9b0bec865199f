package generator

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func planOf(t *testing.T, changes map[string]string, answers Answers) (Plan, error) {
	t.Helper()
	c := openTree(t, changes)
	spec, err := c.Resolve(answers).Spec()
	if err != nil {
		t.Fatal(err)
	}
	return NewRenderer(c).Plan(spec)
}

func TestPlan(t *testing.T) {
	plan, err := planOf(t, nil, pairAnswers("ci=gitlab"))
	if err != nil {
		t.Fatal(err)
	}
	const want = `copy   .gitignore < project/.gitignore
copy   .gitlab-ci.yml < features/ci/gitlab/.gitlab-ci.yml
record .rotasmith/answers.schema.json < answers
record .rotasmith/lock.json < answers
expand README.md < project/README.md.tmpl
rehome alpha/alpha.go < engines/alpha/common/alpha/alpha.go
expand go.mod < engines/alpha/common/go.mod.tmpl
rehome main.go < engines/alpha/pair/main.go
rehome pair/pair.go < strategies/pair/pair/pair.go
record rotasmith.yaml < answers
rehome rotation/rotation.go < project/rotation/rotation.go
copy   rotation/testdata/broken.go < project/rotation/testdata/broken.go
copy   run.sh < project/run.sh
rehome shared/shared.go < strategies/common/shared/shared.go
copy   terraform/main.tf < project/terraform/main.tf
expand terraform/main.tfvars < project/terraform/main.tfvars.tmpl
rehome wire/wire.go < protocols/wire/common/wire/wire.go
copy   x.md < engines/alpha/features/ci/gitlab/x.md
`
	if diff := cmp.Diff(want, plan.String()); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

// A Go file that is named for a strategy is in the projects of that strategy alone, and so is its test.
func TestFilesOfAStrategy(t *testing.T) {
	changes := map[string]string{
		"project/rotation/mine_pair.go":      "package rotation\n",
		"project/rotation/mine_pair_test.go": "package rotation\n",
		"project/rotation/mine_single.go":    "package rotation\n",
		"project/rotation/mine_linux.go":     "package rotation\n",
	}
	plan, err := planOf(t, changes, pairAnswers())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"mine_pair.go": true, "mine_pair_test.go": true, "mine_single.go": false, "mine_linux.go": true} {
		if got := strings.Contains(plan.String(), "rotation/"+name+" "); got != want {
			t.Errorf("%s is in the plan of a pair: %t", name, got)
		}
	}
}

func TestPlanRefuses(t *testing.T) {
	tests := []struct {
		name  string
		paths []string
		want  string
	}{
		{"one path from two layers", []string{"strategies/pair/run.sh"}, "run.sh is supplied twice: by project/run.sh and strategies/pair/run.sh"},
		{"template and plain file", []string{"project/README.md"}, "README.md is supplied twice"},
		{"the generator's own file", []string{"project/rotasmith.yaml"}, "rotasmith.yaml is supplied twice: by answers and"},
		{"case of a file", []string{"engines/alpha/common/Run.sh"}, "clashes with"},
		{"case of a folder", []string{"engines/alpha/common/Terraform/x.tf"}, "path terraform clashes with Terraform"},
		{"file and folder", []string{"engines/alpha/common/alpha2", "project/alpha2/x"}, "path alpha2 clashes with alpha2"},
		{"device", []string{"project/docs/Con.md"}, "no legal name on Windows"},
		{"device with a digit", []string{"project/lpt1"}, "no legal name on Windows"},
		{"colon", []string{"project/a:b"}, "no legal name on Windows"},
		{"dot at the end", []string{"project/a./b"}, "no legal name on Windows"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			changes := make(map[string]string)
			for _, p := range test.paths {
				changes[p] = "x\n"
			}
			_, err := planOf(t, changes, pairAnswers())
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func TestCheckPath(t *testing.T) {
	for _, p := range []string{"", ".", "..", "../a", "/a", "a/../b", "a//b", "a/", "./a", "NUL", "aux.txt", "com9.tar.gz", "a/prn", "a ", `a\b`} {
		if ValidatePath(p) == nil {
			t.Errorf("%q: no error", p)
		}
	}
	for _, p := range []string{"a", ".github/workflows/ci.yml", "com0", "console", "com10", "nullable.go", "a.b.c"} {
		if err := ValidatePath(p); err != nil {
			t.Errorf("%q: %v", p, err)
		}
	}
}

func TestLayersWithoutFilesAreNoError(t *testing.T) {
	tree := testTree(nil)
	delete(tree, "features/ci/github/.github/workflows/ci.yml")
	tree["features/README.md"] = &fstest.MapFile{Data: []byte("no layer\n")}
	c, err := Open(tree, testRoot)
	if err != nil {
		t.Fatal(err)
	}
	result, err := NewRenderer(c).Generate(pairAnswers())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(result.Plan.String(), "features") {
		t.Errorf("plan takes features:\n%s", result.Plan)
	}
}
