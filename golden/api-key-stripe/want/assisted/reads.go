package assisted

import (
	"context"
	"encoding/json"
	"net/http"

	"example.com/keys/httpapi"
	"example.com/keys/rotation"
)

// Reads tries to read each path, with what else a request has, and returns what a
// key may read, never nil: something to compare keys by where the provider does
// not say what they may do.
func Reads(ctx context.Context, api *httpapi.Client, request httpapi.Request, paths []string) ([]string, error) {
	allowed := []string{}
	for _, path := range paths {
		request.Method, request.Path = http.MethodGet, path
		var any json.RawMessage
		err := api.Do(ctx, request, &any)
		switch rotation.CodeOf(err) {
		case "":
			allowed = append(allowed, "read "+path)
		case rotation.CodePermission, rotation.CodeNotFound: // GitHub hides what a key may not see
		default:
			return nil, err
		}
	}
	return allowed, nil
}
