package rotation_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders-db/internal/rotation"
)

func env(variables map[string]string) *rotation.Env {
	return rotation.NewEnv(func(name string) (string, bool) {
		value, ok := variables[name]
		return value, ok
	})
}

func TestConfigFromEnv(t *testing.T) {
	for name, test := range map[string]struct {
		env  map[string]string
		want rotation.Config
	}{
		"least": {
			map[string]string{"ALLOWED_SECRETS": "arn:a"},
			rotation.Config{AllowedSecrets: []string{"arn:a"}, MinRotationAge: 65 * time.Minute},
		},
		"all": {
			map[string]string{"ALLOWED_SECRETS": " arn:a, arn:b ,,", "MIN_ROTATION_AGE": "90s", "ROTATION_DISABLED": "true"},
			rotation.Config{AllowedSecrets: []string{"arn:a", "arn:b"}, MinRotationAge: 90 * time.Second, Disabled: true},
		},
		"off": {
			map[string]string{"ALLOWED_SECRETS": "arn:a", "MIN_ROTATION_AGE": "0", "ROTATION_DISABLED": "false"},
			rotation.Config{AllowedSecrets: []string{"arn:a"}},
		},
		"empty is unset": {
			map[string]string{"ALLOWED_SECRETS": "arn:a", "MIN_ROTATION_AGE": "", "ROTATION_DISABLED": ""},
			rotation.Config{AllowedSecrets: []string{"arn:a"}, MinRotationAge: 65 * time.Minute},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := rotation.ConfigFromEnv(env(test.env))
			if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
				t.Errorf("error %v, config (-want +got):\n%s", err, diff)
			}
		})
	}
}

// A function with several bad settings names them all at once. Values are not
// repeated: one may be a secret in the wrong place.
func TestEnvTellsEveryFault(t *testing.T) {
	e := env(map[string]string{
		"ALLOWED_SECRETS": " , ", "MIN_ROTATION_AGE": "sentinel", "ROTATION_DISABLED": "maybe",
		"AGE": "-1m", "COUNT": "-1", "HUGE": "4294967296", "MODE": "sentinel",
	})
	_, _ = rotation.ConfigFromEnv(e)
	if got := e.Duration("AGE", time.Hour); got != time.Hour {
		t.Errorf("AGE is %s, want the fallback", got)
	}
	if got := e.Int("COUNT", 5); got != 5 {
		t.Errorf("COUNT is %d, want the fallback", got)
	}
	e.Int("HUGE", 5)
	if got := e.OneOf("MODE", "self", "self", "admin"); got != "self" {
		t.Errorf("MODE is %s, want the fallback", got)
	}
	err := e.Err()
	if rotation.CodeOf(err) != rotation.CodeBadConfig {
		t.Fatalf("got %v, want %s", err, rotation.CodeBadConfig)
	}
	for _, name := range []string{"ALLOWED_SECRETS", "MIN_ROTATION_AGE", "ROTATION_DISABLED", "AGE", "COUNT", "HUGE", "MODE"} {
		if !strings.Contains(err.Error(), "variable "+name+" ") {
			t.Errorf("%q does not name %s", err, name)
		}
	}
	if strings.Contains(err.Error(), "sentinel") {
		t.Errorf("%q repeats a value", err)
	}
}
