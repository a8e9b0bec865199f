package golden

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rotasmith/rotasmith/generator/rehearsal"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
)

// TestMain runs the tests, or plays terraform or aws: it asks the operator what the program does.
func TestMain(m *testing.M) {
	if url := os.Getenv("OPERATOR"); url != "" {
		os.Exit(play(url))
	}
	os.Exit(m.Run())
}

// program is a call of terraform or aws, and its end.
type program struct {
	Name string
	Args []string
	Env  []string
	Out  string // what it prints
	Code int
}

func play(url string) int {
	call, err := json.Marshal(program{Name: filepath.Base(os.Args[0]), Args: os.Args[1:], Env: os.Environ()})
	if err != nil {
		return 1
	}
	answer, err := http.Post(url, "application/json", bytes.NewReader(call))
	if err != nil {
		return 1
	}
	var end program
	if json.NewDecoder(answer.Body).Decode(&end) != nil {
		return 1
	}
	fmt.Print(end.Out)
	return end.Code
}

// fault is what happens to one of the operations of a command: each call of a program or of Secrets Manager is one.
type fault string

const (
	none       fault = ""
	fails      fault = "fails"
	killsFirst fault = "kills the command before it"
	killsLater fault = "kills the command after it"
)

// operator is a person with a project: the tools as they are emitted, and a Terraform and an AWS of two secrets, which note what happens.
type operator struct {
	t      *testing.T
	dir    string
	store  *rotationtest.SecretsManager
	server *httptest.Server

	mu      sync.Mutex
	applied bool
	done    []string // operations of the command that runs
	at      int      // which of them the fault is for
	fault   fault
	key     string // KEY in the environment
	command *exec.Cmd
	seen    strings.Builder // arguments and environments of programs
}

// password shows itself if it is quoted wrongly.
func password(key string) string { return "sentinel'\"\\s %s$(x) ü " + key }

var buildTools = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "tools-*")
	if err != nil {
		return "", err
	}
	tools := filepath.Join(dir, "tools")
	out, err := exec.Command("go", "build", "-o", tools, "../templates/project/tools").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, out)
	}
	return tools, err
})

func newOperator(t *testing.T) *operator {
	t.Helper()
	o := &operator{t: t, dir: t.TempDir(), store: &rotationtest.SecretsManager{}, at: -1}
	front := &rehearsal.Front{
		SecretsManager: o.store,
		Before:         func(call rehearsal.Call) error { return o.before(call.Op) },
		After:          func(rehearsal.Call) error { return o.after() },
	}
	handler := http.NewServeMux()
	handler.Handle("/", front)
	handler.HandleFunc("/program", o.program)
	o.server = httptest.NewServer(handler)
	t.Cleanup(o.server.Close)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"bin", "terraform"} {
		if err := os.Mkdir(filepath.Join(o.dir, folder), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"terraform", "aws"} {
		if err := os.Symlink(self, filepath.Join(o.dir, "bin", name)); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// errAPI is the answer to an operation that fails.
var errAPI = rehearsal.APIError("AccessDeniedException", "not today")

func (o *operator) before(operation string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.done = append(o.done, operation)
	switch {
	case len(o.done)-1 != o.at:
		return nil
	case o.fault == killsFirst:
		o.kill()
		return rehearsal.ErrDrop
	case o.fault == fails:
		return errAPI
	}
	return nil
}

func (o *operator) after() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.done)-1 == o.at && o.fault == killsLater {
		o.kill()
		return rehearsal.ErrDrop
	}
	return nil
}

func (o *operator) kill() { _ = o.command.Process.Kill() }

func (o *operator) program(w http.ResponseWriter, r *http.Request) {
	var call program
	if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
		o.t.Error(err)
	}
	fmt.Fprintln(&o.seen, call.Args, call.Env)
	end := program{Code: 1}
	if o.before(strings.Join(append([]string{call.Name}, call.Args...), " ")) == nil {
		var err error
		if call.Name == "terraform" {
			end.Out, err = o.terraform(call.Args[1])
		} else {
			end.Out, err = o.aws(call.Args)
		}
		if err == nil {
			end.Code = 0
		}
		if o.after() != nil {
			end.Code = 1
		}
	}
	_ = json.NewEncoder(w).Encode(end)
}

var keys = []string{"a", "b"}

func (o *operator) terraform(command string) (string, error) {
	switch {
	case command == "init":
		return "", nil
	case command == "output" && !o.applied:
		return "{}", nil
	case command == "output":
		return `{"region": {"value": "eu-west-1"}, "function_name": {"value": "rotator"}, "log_group_name": {"value": "log"}, "seed_keys": {"value": ["password"]},
			"secret_arns": {"value": {"a": "` + o.arn("a") + `", "b": "` + o.arn("b") + `"}}, "first_values": {"value": {"a": {"host": "h$(x)", "port": 1}, "b": {}}}}`, nil
	}
	var list struct{ Seeded []string }
	text, err := os.ReadFile(filepath.Join(o.dir, "terraform", "seeded.auto.tfvars.json"))
	if err == nil {
		err = json.Unmarshal(text, &list) // Terraform refuses every plan with a file that it cannot read
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	for _, key := range keys {
		if !o.applied {
			_, err := o.store.CreateSecret(context.Background(), &secretsmanager.CreateSecretInput{Name: &key})
			o.must(err)
		}
		on, listed := o.rotates(key), slices.Contains(list.Seeded, key)
		if on && !listed {
			o.t.Errorf("an apply switches the rotation of %s off", key)
		}
		if listed && !on {
			if o.value(key) == "" {
				o.t.Errorf("rotation of %s is switched on without a value", key)
			}
			token := "00000000-2222-4333-8444-55555555555" + key
			_, err := o.store.RotateSecret(context.Background(), &secretsmanager.RotateSecretInput{
				SecretId: &key, ClientRequestToken: &token, RotateImmediately: aws.Bool(false), RotationLambdaARN: aws.String("arn:aws:lambda:eu-west-1:111122223333:function:rotator"),
			})
			o.must(err)
			o.must(o.store.EndTest(key, token))
		}
	}
	o.applied = true
	return "", nil
}

// aws answers a preflight with what the password deserves, and every other call with nothing.
func (o *operator) aws(args []string) (string, error) {
	if !slices.Contains(args, "invoke") {
		return "[]", nil
	}
	answer := `{"ok": false, "checks": [{"name": "AWSCURRENT logs in", "code": "auth-rejected", "detail": "no"}]}`
	for _, key := range keys {
		if strings.Contains(strings.Join(args, " "), o.arn(key)) && o.value(key) == password(key) {
			answer = `{"ok": true}`
		}
	}
	return "", os.WriteFile(args[len(args)-1], []byte(answer), 0o600)
}

func (o *operator) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Error(err)
	}
}

func (o *operator) describe(key string) *secretsmanager.DescribeSecretOutput {
	out, err := o.store.DescribeSecret(context.Background(), &secretsmanager.DescribeSecretInput{SecretId: &key})
	if err != nil {
		return &secretsmanager.DescribeSecretOutput{}
	}
	return out
}

func (o *operator) arn(key string) string { return aws.ToString(o.describe(key).ARN) }

func (o *operator) rotates(key string) bool { return aws.ToBool(o.describe(key).RotationEnabled) }

// value returns the password that a secret holds.
func (o *operator) value(key string) string {
	out, err := o.store.GetSecretValue(context.Background(), &secretsmanager.GetSecretValueInput{SecretId: &key})
	if err != nil {
		return ""
	}
	var value struct{ Password string }
	o.must(json.Unmarshal([]byte(aws.ToString(out.SecretString)), &value))
	return value.Password
}

// prepare returns a command with the passwords of both secrets on standard input.
func (o *operator) prepare(args ...string) *exec.Cmd {
	o.t.Helper()
	tools, err := buildTools()
	if err != nil {
		o.t.Fatal(err)
	}
	command := exec.CommandContext(o.t.Context(), tools, args...)
	command.Dir = o.dir
	command.Env = []string{
		"PATH=" + filepath.Join(o.dir, "bin") + ":" + os.Getenv("PATH"), "OPERATOR=" + o.server.URL + "/program", "TMPDIR=" + o.dir, "HOME=" + o.dir,
		"AWS_ENDPOINT_URL_SECRETS_MANAGER=" + o.server.URL, "AWS_ACCESS_KEY_ID=id", "AWS_SECRET_ACCESS_KEY=key", "AWS_MAX_ATTEMPTS=1", "KEY=" + o.key,
	}
	o.done, o.command = nil, command
	return command
}

// run runs a command and returns its error with what it said.
func (o *operator) run(stdin io.Reader, args ...string) error {
	o.t.Helper()
	command := o.prepare(args...)
	command.Stdin = stdin
	said, err := command.CombinedOutput()
	o.silent(string(said))
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, said)
	}
	return nil
}

// passwords is what the operator has to say.
func passwords(t *testing.T) io.Reader {
	t.Helper()
	values := make(map[string]map[string]string)
	for _, key := range keys {
		values[key] = map[string]string{"password": password(key)}
	}
	text, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(text)
}

// silent looks for a password wherever none may be: on the screen, in arguments and environments, and in files.
func (o *operator) silent(said string) {
	o.t.Helper()
	places := readTree(o.t, filepath.Join(o.dir, "terraform"))
	places["the screen"], places["arguments or environments"] = said, o.seen.String()
	for place, text := range places {
		if strings.Contains(text, "sentinel") {
			o.t.Errorf("a password is in %s", place)
		}
	}
}

// isDeployed checks how every deployment ends: both secrets have their own password, and rotate.
func (o *operator) isDeployed() {
	o.t.Helper()
	for _, key := range keys {
		if got := o.value(key); got != password(key) {
			o.t.Errorf("the password of %s is %q", key, got)
		}
		if !o.rotates(key) {
			o.t.Errorf("%s does not rotate", key)
		}
	}
}

// N6, N8: "make deploy" may be killed before and after every call that it makes, and between the operations on its file. The
// next one goes on from there, and no rotation is ever switched off.
func TestDeployKilled(t *testing.T) {
	o := newOperator(t)
	if err := o.run(passwords(t), "deploy"); err != nil {
		t.Fatal(err)
	}
	o.isDeployed()
	if len(o.done) < 13 {
		t.Fatalf("only %d operations: %q", len(o.done), o.done)
	}
	for at, operation := range o.done {
		for _, fault := range []fault{killsFirst, killsLater} {
			t.Run(fmt.Sprintf("%s %d %.30s", fault, at, operation), func(t *testing.T) {
				t.Parallel()
				o := newOperator(t)
				o.at, o.fault = at, fault
				if err := o.run(passwords(t), "deploy"); err == nil {
					t.Error("it was not killed")
				}
				o.fault = none
				if err := o.run(passwords(t), "deploy"); err != nil {
					t.Error(err)
				}
				o.isDeployed()
			})
		}
	}
}

// N6: a file that a killed command has left beside the list counts for nothing.
func TestDeployAfterHalfAList(t *testing.T) {
	for _, half := range []string{"", `{"see`, `{"seeded":["a","b"]}` + "\n"} {
		o := newOperator(t)
		if err := os.WriteFile(filepath.Join(o.dir, "terraform", ".seeded-1"), []byte(half), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := o.run(passwords(t), "deploy"); err != nil {
			t.Error(err)
		}
		o.isDeployed()
	}
}

// N4: a command fails if any program or call of AWS that it is made of fails.
func TestToolsFail(t *testing.T) {
	for _, command := range []string{"deploy", "seed", "preflight", "enable", "verify", "status", "arn", "trails", "logs"} {
		prepared := func(t *testing.T) *operator {
			o := newOperator(t)
			switch command {
			case "deploy":
			case "seed":
				_, err := o.terraform("apply")
				o.must(err)
			case "verify":
				o.must(o.run(passwords(t), "deploy"))
				for _, key := range keys {
					o.rotate(key)
				}
			default:
				o.must(o.run(passwords(t), "deploy"))
			}
			return o
		}
		o := prepared(t)
		if err := o.run(passwords(t), command); err != nil {
			t.Fatal(err)
		}
		for at, operation := range o.done {
			t.Run(fmt.Sprintf("%s %d %.30s", command, at, operation), func(t *testing.T) {
				t.Parallel()
				o := prepared(t)
				o.at, o.fault = at, fails
				if err := o.run(passwords(t), command); err == nil {
					t.Error("it ends well")
				}
			})
		}
	}
}

// N4, N5: rotate fails, before it waits, if it cannot ask for a rotation or cannot see what becomes of it.
func TestRotateFails(t *testing.T) {
	for at, operation := range []string{"terraform -chdir=terraform output -json", "DescribeSecret", "RotateSecret", "DescribeSecret"} {
		o := newOperator(t)
		o.must(o.run(passwords(t), "deploy"))
		o.key, o.at, o.fault = "a", at, fails
		if err := o.run(nil, "rotate"); err == nil || len(o.done) != at+1 || o.done[at] != operation {
			t.Errorf("%v after %q", err, o.done)
		}
	}
}

// rotate rotates a secret to another value, as the function does.
func (o *operator) rotate(key string) {
	ctx, token := context.Background(), "11111111-2222-4333-8444-55555555555"+key
	seeded := aws.ToString(func() *string {
		out, err := o.store.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &key})
		o.must(err)
		return out.VersionId
	}())
	_, err := o.store.RotateSecret(ctx, &secretsmanager.RotateSecretInput{SecretId: &key, ClientRequestToken: &token})
	o.must(err)
	_, err = o.store.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &key, ClientRequestToken: &token, SecretString: aws.String("{}"), VersionStages: []string{"AWSPENDING"}})
	o.must(err)
	_, err = o.store.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{SecretId: &key, VersionStage: aws.String("AWSCURRENT"), MoveToVersionId: &token, RemoveFromVersionId: &seeded})
	o.must(err)
	o.must(o.store.RotationSucceeded(key, token))
}

// N15: a secret that fails its preflight keeps no other from its rotation, and the command fails.
func TestDeployOneOfTwo(t *testing.T) {
	o := newOperator(t)
	wrong := strings.NewReader(`{"a": {"password": "wrong"}, "b": {"password": ` + string(must(json.Marshal(password("b")))) + `}}`)
	err := o.run(wrong, "deploy")
	if err == nil || !strings.Contains(err.Error(), "a: NO: AWSCURRENT logs in: auth-rejected") || !o.rotates("b") || o.rotates("a") {
		t.Errorf("a rotates: %t, b rotates: %t, %v", o.rotates("a"), o.rotates("b"), err)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// N7: a deploy without the list, which a pipeline has not committed, switches nothing off.
func TestDeployWithoutTheList(t *testing.T) {
	o := newOperator(t)
	o.must(o.run(passwords(t), "deploy"))
	list := filepath.Join(o.dir, "terraform", "seeded.auto.tfvars.json")
	o.must(os.Remove(list))
	if err := o.run(nil, "deploy"); err == nil || !strings.Contains(err.Error(), "Restore the file from version control") {
		t.Error(err)
	}
	o.must(o.run(nil, "enable"))
	o.must(o.run(nil, "deploy"))
	o.isDeployed()
}

// N8: a deploy that is repeated with the same input gives no secret another one's password.
func TestDeployRepeated(t *testing.T) {
	o := newOperator(t)
	for range 2 {
		o.must(o.run(passwords(t), "deploy"))
		o.isDeployed()
	}
}
