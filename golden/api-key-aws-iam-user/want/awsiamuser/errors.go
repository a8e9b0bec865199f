package awsiamuser

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"example.com/keys/rotation"
)

// codes are the errors of IAM and STS that say more than their status.
// https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
var codes = map[string]rotation.Code{
	"InvalidClientTokenId":  rotation.CodeAuthRejected, // 403: no such access key, or an inactive one
	"SignatureDoesNotMatch": rotation.CodeAuthRejected, // 403
	"LimitExceeded":         rotation.CodeQuota,        // 409
	"Throttling":            rotation.CodeThrottled,    // 400
}

// classify says what a call to AWS failed of, nil if it has not. Of what AWS says only
// its status is told.
func classify(ctx context.Context, call string, err error) error {
	if err == nil {
		return nil
	}
	status := 0 // no answer
	if answer, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		status = answer.HTTPStatusCode()
	}
	switch {
	case ctx.Err() != nil:
		return rotation.Errorf(rotation.CodeDeadline, "%s: time ran out", call).Because(err)
	case status == 0, errors.Is(err, io.ErrUnexpectedEOF):
		code := cmp.Or(rotation.ConnectionCode(err), rotation.CodeDisconnected)
		return rotation.Errorf(code, "%s: no answer, or a broken one", call).Because(err)
	}
	code := statusCode(status)
	if api, ok := errors.AsType[smithy.APIError](err); ok && codes[api.ErrorCode()] != "" {
		code = codes[api.ErrorCode()]
	}
	return rotation.Errorf(code, "%s: %d %s", call, status, http.StatusText(status)).Because(err)
}

func statusCode(status int) rotation.Code {
	switch status {
	case http.StatusUnauthorized:
		return rotation.CodeAuthRejected
	case http.StatusForbidden:
		return rotation.CodePermission
	case http.StatusNotFound:
		return rotation.CodeNotFound
	case http.StatusTooManyRequests:
		return rotation.CodeThrottled
	}
	switch status / 100 {
	case 4:
		return rotation.CodePolicy
	case 5:
		return rotation.CodeServer
	default: // not XML, or not what was asked for
		return rotation.CodeBadAnswer
	}
}
