package account

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
)

// A request of a service other than Secrets Manager. They are made by hand, and signed by the SDK's own signer, although
// the SDK has a client for each: linked, those of Lambda, CloudWatch Logs, KMS and CloudTrail take every command of the
// program from 9.4 to 15.6 ms of CPU time before it begins, since they build their schemas when the process starts, and
// add 3.9 MB. This adds 11 KB and nothing to the start.
type request struct {
	service string // as it is signed for and as its host begins
	path    string // of a GET
	target  string // of a POST, in JSON 1.1
	body    any
}

// attempts and pause are how often a call is made that failed for a passing reason, and how long to wait between two.
const (
	attempts = 3
	pause    = 300 * time.Millisecond
)

// maxAnswer bounds an answer. The largest are of FilterLogEvents, which returns a megabyte of lines.
const maxAnswer = 8 << 20

// call makes a request and decodes its answer. A refusal is a [smithy.APIError].
func (a *Account) call(ctx context.Context, r request, answer any) error {
	for try := 1; ; try++ {
		err, passing := a.try(ctx, r, answer)
		if err == nil || !passing || try >= cmp.Or(a.config.RetryMaxAttempts, attempts) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause * time.Duration(try)):
		}
	}
}

// try is one attempt. passing says that another one may go well.
func (a *Account) try(ctx context.Context, r request, answer any) (err error, passing bool) {
	sent, err := a.signed(ctx, r)
	if err != nil {
		return err, false
	}
	got, err := a.config.HTTPClient.Do(sent)
	if err != nil {
		return err, ctx.Err() == nil
	}
	defer func() { _ = got.Body.Close() }() // it was read as far as it is wanted
	text, err := io.ReadAll(io.LimitReader(got.Body, maxAnswer))
	switch {
	case err != nil:
		return err, ctx.Err() == nil
	case got.StatusCode != http.StatusOK:
		refusal := refusalOf(got, text)
		return refusal, got.StatusCode >= 500 || throttled(refusal.Code)
	}
	return json.Unmarshal(text, answer), false
}

func (a *Account) signed(ctx context.Context, r request) (*http.Request, error) {
	base, err := a.endpoint(ctx, r.service)
	if err != nil {
		return nil, err
	}
	method, body := http.MethodGet, []byte(nil)
	if r.target != "" {
		if body, err = json.Marshal(r.body); err != nil {
			return nil, err
		}
		method = http.MethodPost
	}
	sent, err := http.NewRequestWithContext(ctx, method, base+cmp.Or(r.path, "/"), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if r.target != "" {
		sent.Header.Set("Content-Type", "application/x-amz-json-1.1")
		sent.Header.Set("X-Amz-Target", r.target)
	}
	credentials, err := a.config.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	err = v4.NewSigner().SignHTTP(ctx, credentials, sent, hex.EncodeToString(sum[:]), r.service, a.Region(), time.Now())
	return sent, err
}

// endpoint is where a service is reached in the region, without a slash at its end: what the environment says, as the
// SDK's clients read it, or the host that differs from Secrets Manager's in its first word.
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
func (a *Account) endpoint(ctx context.Context, service string) (string, error) {
	variables := map[string]string{"lambda": "LAMBDA", "logs": "CLOUDWATCH_LOGS", "kms": "KMS", "cloudtrail": "CLOUDTRAIL"}
	if given := cmp.Or(os.Getenv("AWS_ENDPOINT_URL_"+variables[service]), aws.ToString(a.config.BaseEndpoint)); given != "" {
		return strings.TrimSuffix(given, "/"), nil
	}
	neighbour, err := secretsmanager.NewDefaultEndpointResolverV2().ResolveEndpoint(ctx, secretsmanager.EndpointParameters{Region: aws.String(a.Region())})
	if err != nil {
		return "", err
	}
	rest, ok := strings.CutPrefix(neighbour.URI.Host, "secretsmanager.")
	if !ok {
		return "", fmt.Errorf("no endpoint of %s is known in %s", service, a.Region())
	}
	return (&url.URL{Scheme: "https", Host: service + "." + rest}).String(), nil
}

// refusalOf reads an error in the forms of JSON 1.1 and of Lambda.
func refusalOf(got *http.Response, text []byte) *smithy.GenericAPIError {
	var body struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	_ = json.Unmarshal(text, &body) // an answer of another form has no code
	code := cmp.Or(got.Header.Get("X-Amzn-Errortype"), body.Type)
	if _, after, ok := strings.Cut(code, "#"); ok {
		code = after
	}
	code, _, _ = strings.Cut(code, ":")
	return &smithy.GenericAPIError{Code: cmp.Or(code, fmt.Sprintf("HTTP %d", got.StatusCode)), Message: body.Message}
}
