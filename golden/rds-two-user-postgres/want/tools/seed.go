package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/orders-db/internal/rotation"
)

// seedAndTry stores first values, and has the function try each of them.
func (d *deployment) seedAndTry(ctx context.Context) error {
	return d.each(ctx, func(ctx context.Context, key string) error {
		stored, err := d.seed(ctx, key)
		if err != nil || !stored {
			return err
		}
		return d.preflight(ctx, key)
	})
}

// seed stores the first value of a secret that has none, and of one that KEY names anew: the document that Terraform knows
// with what is asked for here. A value that rotation has taken over may be the only copy of a working credential, and stays.
func (d *deployment) seed(ctx context.Context, key string) (stored bool, err error) {
	secret, err := d.describe(ctx, key)
	if err != nil {
		return false, err
	}
	switch hasValue := holders(secret)[rotation.StageCurrent] != ""; {
	case hasValue && d.key == "":
		return false, nil
	case hasValue && aws.ToBool(secret.RotationEnabled):
		return false, errors.New("it has a value and rotation is on: RUNBOOK.md says how to repair a secret")
	case hasValue && !d.input.terminal():
		return false, errors.New("it has a value already: run this on a terminal to replace it")
	case hasValue:
		answer, err := d.input.line(ctx, key+" has a value already. Replace it? (yes/no) ", false)
		if err != nil || answer != "yes" {
			return false, errors.Join(err, errors.New("nothing has changed"))
		}
	}
	text := d.firstValues[key]
	if text == nil {
		return false, errors.New("it has no value, and terraform/secrets.auto.tfvars says too little for one")
	}
	fmt.Fprintf(d.out, "%s: %s\n", key, text)
	value, err := d.input.fill(ctx, key, string(text), d.seedKeys)
	if err != nil {
		return false, err
	}
	_, err = d.store.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: aws.String(d.arns[key]), SecretString: value})
	return err == nil, err
}
