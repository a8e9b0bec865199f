package generator

import (
	"path"
	"slices"
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
expand go.mod < engines/alpha/common/go.mod.tmpl
rehome internal/alpha/alpha.go < engines/alpha/common/alpha/alpha.go
rehome internal/pair/pair.go < strategies/pair/pair/pair.go
rehome internal/rotation/rotation.go < project/rotation/rotation.go
copy   internal/rotation/testdata/broken.go < project/rotation/testdata/broken.go
rehome internal/shared/shared.go < strategies/common/shared/shared.go
rehome internal/wire/wire.go < protocols/wire/common/wire/wire.go
rehome main.go < engines/alpha/pair/main.go
record rotasmith.yaml < answers
copy   run.sh < project/run.sh
copy   terraform/main.tf < project/terraform/main.tf
expand terraform/main.tfvars < project/terraform/main.tfvars.tmpl
copy   x.md < engines/alpha/features/ci/gitlab/x.md
`
	if diff := cmp.Diff(want, plan.String()); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

// An answer may bring files to the projects of a strategy or of a protocol alone.
func TestPlanTakesFeaturesOfStrategiesAndProtocols(t *testing.T) {
	tree := make(map[string]string)
	for _, owner := range []string{"strategies/common", "strategies/pair", "protocols/wire", "engines/beta"} {
		tree[owner+"/features/ci/gitlab/"+path.Base(owner)+".md"] = "x\n"
	}
	plan, err := planOf(t, tree, pairAnswers("ci=gitlab"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"common.md": true, "pair.md": true, "wire.md": true, "beta.md": false} {
		if got := slices.ContainsFunc(plan, func(e Entry) bool { return e.Path == name }); got != want {
			t.Errorf("%s is planned: %t", name, got)
		}
	}
	other, err := planOf(t, tree, pairAnswers("ci=github"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range slices.Concat(plan, other) {
		if strings.HasPrefix(e.Path, "features/") {
			t.Errorf("%s is planned", e.Path)
		}
	}
}

// A Go package is placed below internal/ with every file of its folder, except the packages that the owner writes. A project has no file that
// only proves the templates.
func TestPlanPlacesPackages(t *testing.T) {
	const source = "package x\n"
	plan, err := planOf(t, map[string]string{
		"project/tools/main.go":                       source,
		"engines/alpha/common/custom/custom.go":       source,
		"project/rotation/page.md":                    "x\n",
		"strategies/pair/rotation/deep/deep_test.go":  source,
		"project/rotation/rotationtest/crash.go":      source,
		"project/rotation/rotationtest/crash_test.go": source,
		"project/rotation/random_proof_test.go":       source,
		"project/latest/latest_test.go":               source,
		"project/docs/page.md":                        "x\n",
	}, pairAnswers())
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]bool)
	for _, e := range plan {
		got[e.Path] = true
	}
	want := []string{
		"tools/main.go", "custom/custom.go", "internal/rotation/page.md", "internal/rotation/deep/deep_test.go",
		"internal/rotation/rotationtest/crash.go", "internal/latest/latest_test.go", "docs/page.md",
	}
	for _, path := range want {
		if !got[path] {
			t.Errorf("%s is missing", path)
		}
	}
	for _, path := range []string{"internal/rotation/rotationtest/crash_test.go", "internal/rotation/random_proof_test.go"} {
		if got[path] {
			t.Errorf("%s is in the project", path)
		}
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
