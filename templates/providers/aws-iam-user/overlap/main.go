// The rotation function: an access key of an IAM user is followed by another.
package main

import (
	"context"
	"fmt"
	"net"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/providers/aws-iam-user/common/awsiamuser"
	"github.com/rotasmith/rotasmith/templates/strategies/overlap/apikey/overlap"
)

// How long a connection and a call may take. Without a route to IAM the usual times
// would use up the invocation.
const (
	dialTimeout = 3 * time.Second
	callTimeout = 10 * time.Second
)

func main() { rotation.Serve(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	settings, err := overlap.ConfigFromEnv(env)
	if err != nil {
		return nil, err
	}
	sdk, err := config.LoadDefaultConfig(context.Background(), config.WithHTTPClient(
		awshttp.NewBuildableClient().WithTimeout(callTimeout).WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout })))
	if err != nil {
		return nil, fmt.Errorf("configuring the AWS client: %w", err)
	}
	return overlap.New(awsiamuser.New(sdk), settings), nil
}
