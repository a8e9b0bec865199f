package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

func init() { commands["supply"] = with((*deployment).supply) }

// supplied is the label of a key that the next rotation takes over.
const supplied = "ROTATOR_SUPPLIED"

// supply takes a new key that a person has made, stores it as a version that moves nothing, has the function try it, and
// rotates. Of what is stored only the key and its name count.
func (d *deployment) supply(ctx context.Context) error {
	return d.one(ctx, func(ctx context.Context, key string) error {
		secret, err := d.describe(ctx, key)
		if err != nil {
			return err
		}
		if !aws.ToBool(secret.RotationEnabled) {
			return errors.New("rotation is off: run \"make deploy\" first")
		}
		value, err := d.input.fill(ctx, key, `{"supplied": "true"}`, d.seedKeys)
		if err != nil {
			return err
		}
		stored, err := d.store.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
			SecretId: aws.String(d.arns[key]), SecretString: value, VersionStages: []string{supplied},
		})
		if err != nil {
			return err
		}
		if err := d.trySupply(ctx, key, aws.ToString(stored.VersionId)); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if err := d.rotateSecret(ctx, key); err != nil {
			return fmt.Errorf("the key is stored and was accepted: \"make rotate\" tries again to put it into force: %w", err)
		}
		return nil
	})
}

// trySupply takes the label off a key that the function does not accept. An AWSCURRENT whose key is dead is a reason to supply
// one, so only what is said of the supplied key counts.
func (d *deployment) trySupply(ctx context.Context, key, version string) error {
	fmt.Fprintf(d.out, "%s: the function tries the key, which may take a minute\n", key)
	report, err := d.ask(ctx, key)
	if err != nil {
		return fmt.Errorf("the key is stored, as version %s with the label %s, but was not tried; the next rotation tries it: \"make rotate\": %w", version, supplied, err)
	}
	errs := []error{errors.New("the key is not accepted")}
	for _, check := range report.Checks {
		if !check.OK {
			errs = append(errs, fmt.Errorf("%s: %s: %s", check.Name, check.Code, check.Detail))
		} else if strings.HasPrefix(check.Name, "the supplied key") {
			return nil
		}
	}
	_, err = d.store.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: aws.String(d.arns[key]), VersionStage: aws.String(supplied), RemoveFromVersionId: &version,
	})
	if err != nil {
		return errors.Join(append(errs, fmt.Errorf("the label %s stays on it, as version %s: %w", supplied, version, err))...)
	}
	return errors.Join(append(errs, errors.New("nothing has changed"))...)
}
