package rotation_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"example.com/orders-db/internal/rotation"
)

// idle is a strategy that no test here calls.
type idle struct{ rotation.Strategy }

// buildIdle asks for a setting of its own, as strategies do.
func buildIdle(env *rotation.Env) (rotation.Strategy, error) {
	if env.String("OWN_SETTING", "") == "" {
		env.Refuse("OWN_SETTING", "must not be empty")
	}
	return idle{}, env.Err()
}

// fromEnvironment builds the function in an environment, and keeps what this machine
// has for AWS out of it.
func fromEnvironment(t *testing.T, environment map[string]string) (*rotation.Handler, error) {
	t.Helper()
	t.Setenv("AWS_PROFILE", "")
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	lookup := func(name string) (string, bool) {
		value, ok := environment[name]
		return value, ok
	}
	return rotation.NewFromEnvironment(t.Context(), lookup, buildIdle)
}

// A function that lacks settings says so at its start, and all of them at once.
func TestNewFromEnvironmentWithoutSettings(t *testing.T) {
	handler, err := fromEnvironment(t, nil)
	if got := rotation.CodeOf(err); handler != nil || got != rotation.CodeBadConfig {
		t.Fatalf("got %v (code %q), want code %q", err, got, rotation.CodeBadConfig)
	}
	for _, name := range []string{"ALLOWED_SECRETS", "OWN_SETTING"} {
		if strings.Count(err.Error(), name) != 1 {
			t.Errorf("%s is not named once in: %v", name, err)
		}
	}
}

// The handler has the function's settings: it refuses a secret that they do not
// name, before any call.
func TestNewFromEnvironment(t *testing.T) {
	handler, err := fromEnvironment(t, map[string]string{"ALLOWED_SECRETS": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders-AbCdEf", "OWN_SETTING": "x"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = handler.Handle(t.Context(), json.RawMessage(`{"Preflight": true, "SecretId": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:other-AbCdEf"}`))
	if got := rotation.CodeOf(err); got != rotation.CodeSecretNotAllowed {
		t.Errorf("got %v (code %q), want code %q", err, got, rotation.CodeSecretNotAllowed)
	}
}
