package assisted

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
)

// Reads tries to read each path, with what else a request has, and returns what a
// key may read, never nil: something to compare keys by where the provider does
// not say what they may do.
func Reads(ctx context.Context, api *apihttp.Client, request apihttp.Request, paths []string) ([]string, error) {
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
