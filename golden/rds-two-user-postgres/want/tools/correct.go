package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// correct changes keys of a secret's value, and leaves its other keys as they are:
//
//	go run ./tools correct SECRET NAME=VALUE... NAME...
//
// SECRET is a key of Terraform's variable secrets, or an ARN. The value of a name that stands alone is asked for.
func correct(ctx context.Context, args []string) error {
	if len(args) < 2 {
		return errors.New("say what to correct: go run ./tools correct SECRET NAME=VALUE... NAME")
	}
	id, err := arn.Parse(args[0])
	if err != nil {
		d, err := readDeployment(ctx)
		if err != nil {
			return err
		}
		d.key = args[0]
		return d.each(ctx, func(ctx context.Context, key string) error { return d.correct(ctx, key, d.arns[key], args[1:]) })
	}
	d := &deployment{region: id.Region}
	if err := d.connect(ctx); err != nil {
		return err
	}
	return d.correct(ctx, args[0], args[0], args[1:])
}

func (d *deployment) correct(ctx context.Context, secret, arn string, changes []string) error {
	state, err := d.store.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &arn})
	if err != nil {
		return err
	}
	if version := inFlight(state); version != "" {
		return fmt.Errorf("a rotation to version %s is under way: to put a value now would abandon it half-way", version)
	}
	current, err := d.store.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &arn})
	if err != nil {
		return err
	}
	value, err := d.input.fill(ctx, secret, aws.ToString(current.SecretString), changes)
	if err != nil {
		return err
	}
	_, err = d.store.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &arn, SecretString: value})
	return err
}

// create makes a secret beside those of Terraform, such as an admin secret, and prints its ARN:
//
//	go run ./tools create SECRET NAME=VALUE... NAME...
func create(ctx context.Context, args []string) error {
	if len(args) < 2 {
		return errors.New("say what to store: go run ./tools create SECRET NAME=VALUE... NAME")
	}
	d := &deployment{}
	if err := d.connect(ctx); err != nil {
		return err
	}
	return d.create(ctx, args[0], args[1:])
}

func (d *deployment) create(ctx context.Context, name string, changes []string) error {
	value, err := d.input.fill(ctx, name, "{}", changes)
	if err != nil {
		return err
	}
	secret, err := d.store.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: &name, SecretString: value})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(d.out, aws.ToString(secret.ARN))
	return err
}
