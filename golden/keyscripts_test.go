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

// operator is whoever runs a script of an API key's project. terraform and aws stand in
// PATH as scripts: aws notes its arguments and what else runs, and keeps what is put.
type operator struct {
	t   *testing.T
	dir string
}

// apiKey is a key that would show if a script quoted it wrongly, and begins so that it
// can be told however it is quoted.
const (
	apiKey    = beginning + `"y\s %s$(x) ü`
	beginning = "k'e"
)

func newOperator(t *testing.T, script, arns string) *operator {
	t.Helper()
	o := &operator{t: t, dir: t.TempDir()}
	text, err := os.ReadFile(filepath.Join("..", "templates", "strategies", filepath.FromSlash(script)))
	if err != nil {
		t.Fatal(err)
	}
	writeTree(t, o.dir, tree{
		"script.sh":          string(text),
		"terraform/versions": "",
		"bin/terraform": "#!/bin/sh\ncase $3 in\nsecret_arns) echo '" + arns + "' ;;\nfirst_values) echo '{\"a\": {\"zone\": \"$(x)\"}, \"b\": {}}' ;;\n" +
			"region) echo '\"eu-west-1\"' ;;\nfunction_name) echo '\"rotator\"' ;;\nesac\n",
		"bin/aws": `#!/bin/sh
echo "$@" >>"$DIR/calls"
ps -A -o args >>"$DIR/processes"
case "$*" in
*describe-secret*) echo 'false	' ;;
*put-secret-value*) cat >"$DIR/put" && echo version-1 ;;
esac
`,
	})
	return o
}

func (o *operator) command(args ...string) *exec.Cmd {
	o.t.Helper()
	cmd := exec.CommandContext(o.t.Context(), filepath.Join(o.dir, "script.sh"), args...)
	cmd.Env = []string{"PATH=" + filepath.Join(o.dir, "bin") + ":" + os.Getenv("PATH"), "DIR=" + o.dir}
	return cmd
}

// run runs the script with input that is no terminal's and returns what it says.
func (o *operator) run(input string, args ...string) (said string, err error) {
	o.t.Helper()
	cmd := o.command(args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if _, isExit := err.(*exec.ExitError); err != nil && !isExit {
		o.t.Fatal(err)
	}
	o.silent(string(out))
	return string(out), err
}

// silent fails the test if the key stands in what was said, in an argument, in the list
// of processes or in any file but what aws was given.
func (o *operator) silent(said string) {
	o.t.Helper()
	for name, text := range readTree(o.t, o.dir) {
		if name != "put" && strings.Contains(text, beginning) {
			o.t.Errorf("the key stands in %s", name)
		}
	}
	if strings.Contains(said, beginning) {
		o.t.Errorf("the key is shown:\n%s", said)
	}
}

// wantPut holds the script to what it stored, nothing if want is nil.
func (o *operator) wantPut(want map[string]any) {
	o.t.Helper()
	var got map[string]any
	if text, ok := readTree(o.t, o.dir)["put"]; ok {
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			o.t.Fatalf("%s: %v", text, err)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		o.t.Errorf("stored (-want +got):\n%s", diff)
	}
}

// A key that stands on standard input once is one secret's: the other's is asked for.
func TestSeedTwoAPIKeys(t *testing.T) {
	o := newOperator(t, "api-key/seed.sh", `{"a": "arn:a", "b": "arn:b"}`)
	said, err := o.run("id-1\n" + apiKey + "\n")
	if err == nil || !strings.Contains(said, "the key is empty") {
		t.Errorf("error %v:\n%s", err, said)
	}
	o.wantPut(map[string]any{"key_id": "id-1", "api_key": apiKey, "zone": "$(x)"})
}

// C9: seed.sh stores a key and its id beside what Terraform knows, and shows it nowhere.
func TestSeedAPIKey(t *testing.T) {
	for _, test := range []struct {
		name, input string
		want        map[string]any
		says        string // when it fails
	}{
		{"nothing at all", "", nil, "the key is empty"},
		{"a key and its id", "id-1\n" + apiKey + "\n", map[string]any{"key_id": "id-1", "api_key": apiKey, "zone": "$(x)"}, ""},
		{"a last line that does not end", "id-1\n" + apiKey, map[string]any{"key_id": "id-1", "api_key": apiKey, "zone": "$(x)"}, ""},
		{"no key", "id-1\n\n", nil, "the key is empty"},
		{"a control character", "id-1\na\x01b\n", nil, "control character"},
		{"a carriage return of a paste", "id-1\nab\r\n", nil, "control character"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := newOperator(t, "api-key/seed.sh", `{"a": "arn:a"}`)
			said, err := o.run(test.input)
			o.wantPut(test.want)
			if (err != nil) != (test.says != "") || !strings.Contains(said, test.says) {
				t.Errorf("error %v, want the words %q in:\n%s", err, test.says, said)
			}
		})
	}
}
