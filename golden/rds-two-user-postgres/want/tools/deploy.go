package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"example.com/orders-db/internal/rotation"
)

// enabledFile sets Terraform's variable seeded: the keys of the secrets whose rotation is on, or will be with the next apply.
const enabledFile = "terraform/seeded.auto.tfvars.json"

// deploy applies, seeds, tries, and applies again. The first apply makes everything but rotations of new secrets; those come
// with the second, for each secret that passes its preflight. It may be killed anywhere and run again.
func deploy(ctx context.Context, _ []string) error {
	apply := func() error { return show(terraform(), "-chdir=terraform", "apply") }
	if err := show(terraform(), "-chdir=terraform", "init"); err != nil {
		return err
	}
	d, err := readDeployment(ctx)
	if err == nil {
		err = d.guard(ctx)
	}
	if err != nil && !errors.Is(err, errNotDeployed) {
		return err
	}
	if err := apply(); err != nil {
		return err
	}
	if d, err = readDeployment(ctx); err != nil {
		return err
	}
	seeding := d.each(ctx, func(ctx context.Context, key string) error {
		_, err := d.seed(ctx, key)
		return err
	})
	changed, err := d.list(ctx)
	if changed && ctx.Err() == nil {
		err = errors.Join(err, apply())
	}
	return errors.Join(seeding, err)
}

// guard refuses an apply that would switch off a rotation that is on, because the file that lists it is lost.
func (d *deployment) guard(ctx context.Context) error {
	listed, err := readEnabled()
	if err != nil {
		return err
	}
	return d.each(ctx, func(ctx context.Context, key string) error {
		secret, err := d.describe(ctx, key)
		if _, gone := errors.AsType[*types.ResourceNotFoundException](err); gone {
			return nil
		}
		if err == nil && d.rotates(secret) && !slices.Contains(listed, key) {
			err = fmt.Errorf("its rotation is on and %s does not list it: an apply would switch it off. Restore the file from version control, or run \"make enable\", which lists what is on, and commit it", enabledFile)
		}
		return err
	})
}

// rotates reports whether the deployed function rotates the secret.
func (d *deployment) rotates(secret *secretsmanager.DescribeSecretOutput) bool {
	return aws.ToBool(secret.RotationEnabled) && strings.Contains(aws.ToString(secret.RotationLambdaARN)+":", ":function:"+d.function+":")
}

// enable lists the secrets whose rotation the next apply switches on.
func (d *deployment) enable(ctx context.Context) error {
	_, err := d.list(ctx)
	return err
}

// list adds to enabledFile every secret that passes its preflight or rotates already, and reports whether that changed it. A
// secret that does neither makes it fail, and keeps no other from the list.
func (d *deployment) list(ctx context.Context) (changed bool, err error) {
	before, err := readEnabled()
	if err != nil {
		return false, err
	}
	now := slices.DeleteFunc(slices.Clone(before), func(key string) bool { return d.arns[key] == "" })
	failed := d.each(ctx, func(ctx context.Context, key string) error {
		secret, err := d.describe(ctx, key)
		switch {
		case err != nil:
			return err
		case holders(secret)[rotation.StageCurrent] == "":
			return errors.New("it has no value: run \"make seed\"")
		}
		err = d.preflight(ctx, key)
		if err == nil || d.rotates(secret) {
			now = append(now, key)
		}
		return err
	})
	slices.Sort(now)
	now = slices.Compact(now)
	if slices.Equal(before, now) {
		return false, failed
	}
	if err := writeEnabled(now); err != nil {
		return false, errors.Join(failed, err)
	}
	fmt.Fprintf(d.out, "%s is written: commit it\n", enabledFile)
	return true, failed
}

// enabled is the content of enabledFile.
type enabled struct {
	Seeded []string `json:"seeded"`
}

func readEnabled() ([]string, error) {
	text, err := os.ReadFile(enabledFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var list enabled
	if err == nil {
		err = json.Unmarshal(text, &list)
	}
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: restore it from version control: %w", enabledFile, err)
	}
	slices.Sort(list.Seeded)
	return list.Seeded, nil
}

// writeEnabled replaces the file as a whole: Terraform reads the old list or the new one, and never a part.
func writeEnabled(keys []string) error {
	text, err := json.Marshal(enabled{keys})
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(enabledFile), ".seeded-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary.Name()) }() // is not there any more once it is renamed
	_, err = temporary.Write(append(text, '\n'))
	err = errors.Join(err, temporary.Chmod(0o644), temporary.Sync(), temporary.Close())
	if err != nil {
		return err
	}
	return os.Rename(temporary.Name(), enabledFile)
}
