package rotation

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// dialTimeout makes a missing route to Secrets Manager an error that says so.
// The usual 30 seconds would use up the invocation.
const dialTimeout = 3 * time.Second

// Serve answers rotation events with the strategy that build makes from the
// function's environment. It does not return. A setting that cannot be used
// ends the process before the first event, with everything that is wrong in
// its log.
func Serve(build func(*Env) (Strategy, error)) {
	handler, err := NewFromEnvironment(context.Background(), os.LookupEnv, build)
	if err != nil {
		slog.New(slog.NewJSONHandler(os.Stdout, nil)).Error("the function cannot start", "error", err.Error())
		os.Exit(1)
	}
	lambda.Start(handler.Handle)
}

// NewFromEnvironment returns the handler that [Serve] serves.
func NewFromEnvironment(ctx context.Context, lookup func(string) (string, bool), build func(*Env) (Strategy, error)) (*Handler, error) {
	env := NewEnv(lookup)
	endpoint := env.String("SECRETS_MANAGER_ENDPOINT", "")
	// A strategy that cannot be built may hide behind settings that cannot be
	// read: env collects those, and they are all reported.
	settings, _ := ConfigFromEnv(env)
	strategy, err := build(env)
	if faults := env.Err(); faults != nil {
		err = faults
	}
	if err != nil {
		return nil, err
	}
	sdk, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(
		awshttp.NewBuildableClient().WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout })))
	if err != nil {
		return nil, fmt.Errorf("configuring the AWS client: %w", err)
	}
	store := secretsmanager.NewFromConfig(sdk, func(o *secretsmanager.Options) {
		if endpoint != "" {
			o.BaseEndpoint = aws.String(endpoint)
		}
	})
	return New(store, strategy, settings), nil
}
