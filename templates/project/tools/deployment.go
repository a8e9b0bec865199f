package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

// deployment is what Terraform's outputs say is deployed.
type deployment struct {
	region, function, logGroup string
	arns                       map[string]string          // of the secrets, by key
	firstValues                map[string]json.RawMessage // of the secrets, by key, but for what seed asks for
	seedKeys                   []string                   // what seed asks for

	key   string // of the one secret that is meant, "" for all
	store store
	aws   func(ctx context.Context, args ...string) ([]byte, error) // calls the AWS CLI and returns what it prints
	input *input
	out   io.Writer
}

// store is Secrets Manager, as far as it is used here.
type store interface {
	rotation.Store
	CreateSecret(context.Context, *secretsmanager.CreateSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.CreateSecretOutput, error)
	RotateSecret(context.Context, *secretsmanager.RotateSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.RotateSecretOutput, error)
}

var errNotDeployed = errors.New("the Terraform state here has no deployment: run \"make deploy\" if there is none yet, or else get the state or the backend that the deployment was made with")

// readDeployment asks Terraform; errNotDeployed says that it knows of nothing.
func readDeployment(ctx context.Context) (*deployment, error) {
	text, err := output(ctx, terraform(), "-chdir=terraform", "output", "-json")
	if errors.Is(err, exec.ErrNotFound) {
		err = fmt.Errorf("%w: install it, or say which with export TERRAFORM=tofu", err)
	}
	if err != nil {
		return nil, err
	}
	var outputs map[string]struct{ Value json.RawMessage }
	if err := json.Unmarshal(text, &outputs); err != nil {
		return nil, fmt.Errorf("terraform output: %w", err)
	}
	d := &deployment{key: os.Getenv("KEY")}
	for name, target := range map[string]any{
		"region": &d.region, "function_name": &d.function, "log_group_name": &d.logGroup,
		"secret_arns": &d.arns, "first_values": &d.firstValues, "seed_keys": &d.seedKeys,
	} {
		found, ok := outputs[name]
		if !ok {
			return nil, errNotDeployed
		}
		if err := json.Unmarshal(found.Value, target); err != nil {
			return nil, fmt.Errorf("terraform output %s: %w", name, err)
		}
	}
	return d, d.connect(ctx)
}

// connect prepares calls of AWS, in the environment's region if the deployment's is not known, and the talk with the user.
func (d *deployment) connect(ctx context.Context) error {
	sdk, err := config.LoadDefaultConfig(ctx, config.WithRegion(d.region))
	d.store = secretsmanager.NewFromConfig(sdk)
	d.aws = func(ctx context.Context, args ...string) ([]byte, error) {
		return output(ctx, "aws", append([]string{"--region", d.region}, args...)...)
	}
	d.input, d.out = newInput(os.Stdin, os.Stderr), os.Stdout
	return err
}

// each calls f for the secret that is meant, or for every secret. It goes on after one that fails.
func (d *deployment) each(ctx context.Context, f func(ctx context.Context, key string) error) error {
	keys := d.keys()
	if d.key != "" {
		if d.arns[d.key] == "" {
			return fmt.Errorf("there is no secret %q, only %s", d.key, strings.Join(keys, ", "))
		}
		keys = []string{d.key}
	}
	var errs []error
	for _, key := range keys {
		if err := f(ctx, key); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", key, err))
		}
		if errors.Is(ctx.Err(), context.Canceled) {
			break
		}
	}
	return errors.Join(errs...)
}

// one calls f for the secret that is meant, or for the only one.
func (d *deployment) one(ctx context.Context, f func(ctx context.Context, key string) error) error {
	if d.key == "" && len(d.arns) > 1 {
		return fmt.Errorf("say which secret: KEY is one of %s", strings.Join(d.keys(), ", "))
	}
	return d.each(ctx, f)
}

func (d *deployment) keys() []string { return slices.Sorted(maps.Keys(d.arns)) }

func (d *deployment) describe(ctx context.Context, key string) (*secretsmanager.DescribeSecretOutput, error) {
	return d.store.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String(d.arns[key])})
}

// ask has the function try whether it could rotate, which changes nothing.
func (d *deployment) ask(ctx context.Context, key string) (rotation.Preflight, error) {
	answer, err := os.CreateTemp("", "preflight-*.json")
	if err != nil {
		return rotation.Preflight{}, err
	}
	defer func() { _ = errors.Join(answer.Close(), os.Remove(answer.Name())) }()
	event, err := json.Marshal(map[string]any{"Preflight": true, "SecretId": d.arns[key]})
	if err != nil {
		return rotation.Preflight{}, err
	}
	if _, err := d.aws(ctx, "--cli-read-timeout", "900", "lambda", "invoke", "--function-name", d.function,
		"--cli-binary-format", "raw-in-base64-out", "--payload", string(event), answer.Name()); err != nil {
		return rotation.Preflight{}, err
	}
	var report struct {
		rotation.Preflight
		ErrorMessage string // of a function that failed
	}
	if err := json.NewDecoder(answer).Decode(&report); err != nil {
		return rotation.Preflight{}, fmt.Errorf("the function's answer: %w", err)
	}
	if report.ErrorMessage != "" {
		return rotation.Preflight{}, fmt.Errorf("the function failed: %s", report.ErrorMessage)
	}
	return report.Preflight, nil
}

// preflight prints what the function says, and fails unless it could rotate the secret.
func (d *deployment) preflight(ctx context.Context, key string) error {
	report, err := d.ask(ctx, key)
	if err != nil {
		return err
	}
	for _, check := range report.Checks {
		if check.OK {
			fmt.Fprintf(d.out, "%s: ok: %s\n", key, check.Name)
		} else {
			fmt.Fprintf(d.out, "%s: NO: %s: %s: %s\n", key, check.Name, check.Code, check.Detail)
		}
	}
	if !report.OK {
		return errors.New("the preflight failed: RUNBOOK.md has an entry for each code")
	}
	return nil
}

// show calls the AWS CLI, which prints for itself.
func (d *deployment) show(args ...string) error {
	return show("aws", append([]string{"--region", d.region}, args...)...)
}

func terraform() string { return cmp.Or(os.Getenv("TERRAFORM"), "terraform") }

// output returns what a program prints. If the program fails, the error holds what it said of it.
func output(ctx context.Context, name string, args ...string) ([]byte, error) {
	text, err := exec.CommandContext(ctx, name, args...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return text, nil
}

// show runs a program that talks to the user itself. Ctrl-C reaches it from the terminal, and it ends as it sees fit:
// Terraform finishes what it is doing.
func show(name string, args ...string) error {
	program := exec.Command(name, args...)
	program.Stdin, program.Stdout, program.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := program.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return nil
}
