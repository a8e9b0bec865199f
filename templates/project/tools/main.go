// Command tools decides what the targets of the Makefile do. A recipe only calls it, and fails when it fails.
//
//	go run ./tools COMMAND
//
// KEY in the environment names one secret by its key in Terraform's variable secrets; without it a command means all.
//
// It calls Secrets Manager through the SDK, which the function needs as well: no value is ever an argument of a program.
// Lambda, CloudWatch Logs and CloudTrail it calls through the AWS CLI, because their clients would be dependencies of the
// function's module.
package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

var commands = map[string]func(ctx context.Context, args []string) error{
	"package":   buildPackage,
	"deploy":    deploy,
	"seed":      with((*deployment).seedAndTry),
	"preflight": with(func(d *deployment, ctx context.Context) error { return d.each(ctx, d.preflight) }),
	"enable":    with((*deployment).enable),
	"rotate":    with((*deployment).rotate),
	"verify":    with((*deployment).verify),
	"status":    with(func(d *deployment, ctx context.Context) error { return d.each(ctx, d.status) }),
	"arn":       with(func(d *deployment, ctx context.Context) error { return d.each(ctx, d.printARN) }),
	"trails":    with((*deployment).trails),
	"logs":      with((*deployment).logs),
	"correct":   correct,
	"create":    create,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 || commands[args[0]] == nil {
		return fmt.Errorf("usage: go run ./tools COMMAND, one of %s", strings.Join(slices.Sorted(maps.Keys(commands)), ", "))
	}
	if err := commands[args[0]](ctx, args[1:]); err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	return nil
}

// with returns a command that reads the deployment first.
func with(command func(*deployment, context.Context) error) func(context.Context, []string) error {
	return func(ctx context.Context, _ []string) error {
		d, err := readDeployment(ctx)
		if err != nil {
			return err
		}
		return command(d, ctx)
	}
}
