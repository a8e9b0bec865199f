// The bare Lambda: the trivial one without the SDK. It signs nothing, so AWS
// would not answer it; its time is a floor that no real function reaches.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
)

type event struct {
	SecretID string `json:"SecretId"`
}

func main() {
	endpoint := os.Getenv("AWS_ENDPOINT_URL_SECRETS_MANAGER")
	lambda.Start(func(ctx context.Context, e event) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(fmt.Sprintf(`{"SecretId": %q}`, e.SecretID)))
		if err != nil {
			return err
		}
		request.Header.Set("Content-Type", "application/x-amz-json-1.1")
		request.Header.Set("X-Amz-Target", "secretsmanager.DescribeSecret")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			return err
		}
		var secret struct{ VersionIdsToStages map[string][]string }
		if err := json.Unmarshal(body, &secret); err != nil || len(secret.VersionIdsToStages) == 0 {
			return fmt.Errorf("status %d: %w", response.StatusCode, err)
		}
		return nil
	})
}
