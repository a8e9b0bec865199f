package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestCoveringSet judges few combinations of answers in which every two meet: what OpenTofu says of the files, what tfsec
// says, and three years of a deployment. The tests that ship take longest, and run once for each answer.
func TestCoveringSet(t *testing.T) {
	t.Parallel()
	if os.Getenv("TOFU") == "" {
		t.Skip("TOFU does not name the program: run make terraform")
	}
	dir := t.TempDir()
	emit := exec.CommandContext(t.Context(), "go", "run", "./golden/space/emit", dir, filepath.Join("golden", "tfprovider", "schema.json"))
	emit.Dir = filepath.Join("..", "..")
	if out, err := emit.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	trees, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(trees) == 0 {
		t.Fatalf("no trees: %v", err)
	}
	tested := make(map[string]bool) // lines of answers
	for _, tree := range trees {
		isNew := false
		for line := range strings.Lines(project{dir: tree}.read(t, "../rotasmith.yaml")) {
			isNew = isNew || !tested[line] && !strings.HasPrefix(line, "#")
			tested[line] = true
		}
		t.Run(filepath.Base(tree), func(t *testing.T) {
			t.Parallel()
			p := project{dir: tree}
			defer func() {
				if t.Failed() {
					t.Logf("answers:\n%s", p.read(t, "../rotasmith.yaml"))
				}
			}()
			p.ok(t, "fmt", "-check", "-recursive")
			p.validate(t)
			if isNew {
				p.ok(t, "test", "-no-color")
			}
			p.scan(t)
			p.deploy(t)
			p.unchanged(t)
		})
	}
}

// The values of a deployment, and the one that says that the secret has a value. The tests that ship are run without
// either.
const (
	deployment = "-var-file=deployment.tfvars"
	seeded     = "-var-file=seeded.tfvars"
)

// deploy applies twice, as its owner does: without a value of the secret, then with one.
func (p project) deploy(t *testing.T) {
	t.Helper()
	var said strings.Builder
	for _, args := range [][]string{{"apply", "-auto-approve", deployment}, {"apply", "-auto-approve", deployment, seeded}, {"output", "-json"}, {"show", "-json"}} {
		out, err := p.tofu(t, args...)
		if err != nil {
			t.Fatalf("tofu %s: %v\n%s", args[0], err, out)
		}
		said.WriteString(out)
	}
	if state := p.read(t, "terraform.tfstate"); strings.Contains(state+said.String(), sentinel) {
		t.Error("a secret stands in the state, or was printed")
	}
}

// threeYears is how many rotations a secret has that is rotated each day.
const threeYears = "1096"

// unchanged plans again three years later.
func (p project) unchanged(t *testing.T) {
	t.Helper()
	if out, err := p.later(t); err != nil {
		t.Errorf("a plan after three years of rotations: %v\n%s", err, out)
	}
}

func (p project) later(t *testing.T) (string, error) {
	t.Helper()
	return p.tofuWith(t, []string{rotationsEnv + "=" + threeYears}, "plan", "-detailed-exitcode", deployment, seeded)
}

// TestDeploymentsAreJudged judges the judge: a version of the secret that Terraform makes, or reads, is found.
func TestDeploymentsAreJudged(t *testing.T) {
	t.Parallel()
	for name, planted := range map[string]string{
		"version": "resource \"aws_secretsmanager_secret\" \"x\" {}\nresource \"aws_secretsmanager_secret_version\" \"x\" {\n secret_id = aws_secretsmanager_secret.x.id\n secret_string = \"first\"\n}",
		"read":    "data \"aws_secretsmanager_secret_version\" \"x\" {\n secret_id = \"orders\"\n}",
	} {
		t.Run(name, func(t *testing.T) {
			p := project{dir: t.TempDir()}
			if err := os.Mkdir(filepath.Join(p.dir, "terraform"), 0o755); err != nil {
				t.Fatal(err)
			}
			config := "variable \"seeded\" {}\n" + planted
			for file, text := range map[string]string{"main.tf": config, "deployment.tfvars": "", "seeded.tfvars": "seeded = true\n"} {
				if err := os.WriteFile(filepath.Join(p.dir, "terraform", file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			p.ok(t, "apply", "-auto-approve", seeded)
			p.ok(t, "plan", "-detailed-exitcode", seeded)
			switch name {
			case "version":
				if out, err := p.later(t); err == nil || !strings.Contains(out, "aws_secretsmanager_secret_version.x will be created") {
					t.Errorf("error %v:\n%s", err, out)
				}
			case "read":
				if !strings.Contains(p.read(t, "terraform.tfstate"), sentinel) {
					t.Error("a secret that was read is not in the state")
				}
			}
		})
	}
}

// checkBlock is newer than tfsec, which stops at one.
var checkBlock = regexp.MustCompile(`(?ms)^check "[^"]*" \{\n.*?^\}\n`)

// scan lets tfsec look for insecure settings. Each finding is cured, or explained where it stands.
func (p project) scan(t *testing.T) {
	t.Helper()
	program := os.Getenv("TFSEC")
	if program == "" {
		t.Fatal("TFSEC does not name the program: run make terraform")
	}
	files, err := filepath.Glob(filepath.Join(p.dir, "terraform", "*.tf*"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	args := []string{dir, "--no-color", "--no-module-downloads", "--concise-output"}
	for _, file := range files {
		name := filepath.Base(file)
		if strings.Contains(name, "tfstate") {
			continue
		}
		text := checkBlock.ReplaceAllString(p.read(t, name), "")
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"terraform.tfvars", "secrets.auto.tfvars", "deployment.tfvars"} { // the last word is the deployment's
		args = append(args, "--var-file", filepath.Join(dir, name))
	}
	if out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput(); err != nil {
		t.Errorf("tfsec: %v\n%s", err, out)
	}
}

// read returns a file of the terraform folder.
func (p project) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, "terraform", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
