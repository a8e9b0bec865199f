package golden

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// deployment is what terraform and aws, which stand in PATH as scripts, answer to seed.sh.
type deployment struct {
	arns, values string            // Terraform's outputs
	states       map[string]string // by ARN, what describe-secret says
}

// seed runs the emitted seed.sh and returns what was put, by ARN, and what the user reads.
func (d deployment) seed(t *testing.T, script, input string, args ...string) (put map[string]string, output string, err error) {
	t.Helper()
	dir := t.TempDir()
	states := "case $6 in\n"
	for arn, state := range d.states {
		states += arn + ") echo '" + state + "' ;;\n"
	}
	writeTree(t, dir, tree{
		"seed.sh":            script,
		"terraform/versions": "",
		"bin/terraform": "#!/bin/sh\ncase $3 in\nsecret_arns) echo '" + d.arns + "' ;;\nfirst_values) echo '" + d.values + "' ;;\n" +
			"region) echo '\"eu-west-1\"' ;;\nesac\n",
		"bin/aws": "#!/bin/sh\necho \"$@\" >>\"$CALLS\"\ncase $4 in\ndescribe-secret) " + states + "esac ;;\nput-secret-value) cat >\"$PUT/$6\" ;;\nesac\n",
	})
	putDir := filepath.Join(dir, "put")
	if err := os.Mkdir(putDir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "seed.sh"), args...)
	cmd.Env = []string{"PATH=" + filepath.Join(dir, "bin") + ":" + os.Getenv("PATH"), "PUT=" + putDir, "CALLS=" + filepath.Join(dir, "calls")}
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if _, isExit := err.(*exec.ExitError); err != nil && !isExit {
		t.Fatal(err)
	}
	return readTree(t, putDir), string(out) + read(t, dir, "calls"), err
}

func TestSeed(t *testing.T) {
	const (
		empty, seeded, rotating = "false\t", "False\tAWSCURRENT", "True\tAWSCURRENT,AWSPREVIOUS"
		password                = `p'a"s\s %s$(x) ü`
	)
	script := emitted(t, "rds-single-user-postgres").files["seed.sh"]
	two := deployment{
		arns:   `{"a": "arn:a", "b": "arn:b"}`,
		values: `{"a": {"host": "h$(x)", "port": 1}, "b": {"host": "i"}}`,
		states: map[string]string{"arn:a": empty, "arn:b": empty},
	}
	with := func(a, b string) deployment {
		d := two
		d.states = map[string]string{"arn:a": a, "arn:b": b}
		return d
	}
	document := func(host string) map[string]any { return map[string]any{"host": host, "password": password} }
	first := document("h$(x)")
	first["port"] = 1.
	for _, test := range []struct {
		name       string
		deployment deployment
		input      string
		args       []string
		want       map[string]map[string]any
		says       string // when it fails
	}{
		{"each", two, password + "\n" + password, nil, map[string]map[string]any{"arn:a": first, "arn:b": document("i")}, ""},
		{"those without a value", with(seeded, empty), password + "\n", nil, map[string]map[string]any{"arn:b": document("i")}, ""},
		{"nothing left", with(rotating, seeded), "", nil, nil, ""},
		{"the one that is named", two, password, []string{"b"}, map[string]map[string]any{"arn:b": document("i")}, ""},
		{"one that rotates", with(rotating, empty), password, []string{"a"}, nil, "rotation is on"},
		{"one with a value, unasked", with(seeded, empty), password, []string{"a"}, nil, "has a value already"},
		{"one that is not there", two, password, []string{"c"}, nil, "there is no secret c, only a, b"},
		{"no password", two, "\n", []string{"a"}, nil, "the password is empty"},
		{"a control character", two, "a\x01b\n", []string{"a"}, nil, "control character"},
		{"nothing known of it", deployment{two.arns, "{}", two.states}, password, []string{"a"}, nil, "too little"},
		{"nothing deployed", deployment{"{}", "{}", nil}, password, nil, nil, "nothing is deployed yet"},
		{"no state at all", deployment{"", "", nil}, password, nil, nil, "nothing is deployed yet"},
	} {
		t.Run(test.name, func(t *testing.T) {
			put, output, err := test.deployment.seed(t, script, test.input, test.args...)
			var got map[string]map[string]any
			for arn, text := range put {
				var value map[string]any
				if err := json.Unmarshal([]byte(text), &value); err != nil {
					t.Fatalf("%s: %v", text, err)
				}
				if got == nil {
					got = make(map[string]map[string]any)
				}
				got[arn] = value
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("stored (-want +got):\n%s", diff)
			}
			if (err != nil) != (test.says != "") || !strings.Contains(output, test.says) {
				t.Errorf("error %v, want the words %q in:\n%s", err, test.says, output)
			}
			if strings.Contains(output, "p'a") {
				t.Errorf("the password is shown or an argument:\n%s", output)
			}
		})
	}
}
