package rotation

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Config is what every rotation function is told by its environment.
type Config struct {
	// AllowedSecrets are the ARNs, or ARN patterns with * and ?, of the
	// secrets and admin secrets that the function may touch. Anyone who can
	// write to a secret controls its content, but not this list.
	AllowedSecrets []string
	// MinRotationAge is how old the last rotation must be before the next
	// may begin, for strategies that keep the previous credential alive: a
	// client may hold it in its cache. 0 switches the guard off.
	MinRotationAge time.Duration
	// Disabled stops rotations that have not generated a value yet. One that
	// has always goes on: stopping it half-way would freeze an outage.
	Disabled bool
}

// DefaultMinRotationAge outlasts the hour for which the common clients cache a
// secret.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/retrieving-secrets_cache-go.html
const DefaultMinRotationAge = 65 * time.Minute

// ConfigFromEnv reads ALLOWED_SECRETS, MIN_ROTATION_AGE and ROTATION_DISABLED.
// It reports every unusable variable at once, as [CodeBadConfig].
func ConfigFromEnv(env *Env) (Config, error) {
	config := Config{
		AllowedSecrets: env.List("ALLOWED_SECRETS"),
		MinRotationAge: env.Duration("MIN_ROTATION_AGE", DefaultMinRotationAge),
		Disabled:       env.Bool("ROTATION_DISABLED", false),
	}
	if len(config.AllowedSecrets) == 0 {
		env.Refuse("ALLOWED_SECRETS", "must name at least one secret")
	}
	return config, env.Err()
}

// allows reports whether arn is in the function's list.
func (c Config) allows(arn string) bool {
	for _, pattern := range c.AllowedSecrets {
		expr := regexp.QuoteMeta(pattern)
		expr = strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(expr)
		if regexp.MustCompile(`^(?:` + expr + `)$`).MatchString(arn) {
			return true
		}
	}
	return false
}

// Env reads typed environment variables and collects what is wrong with them,
// so that a function with three bad settings says so once, at its start.
type Env struct {
	lookup func(string) (string, bool)
	faults []error
}

// NewEnv reads through lookup, which is os.LookupEnv outside tests.
func NewEnv(lookup func(string) (string, bool)) *Env { return &Env{lookup: lookup} }

// String returns the variable, or fallback if it is unset or empty.
func (e *Env) String(name, fallback string) string {
	if s, ok := e.lookup(name); ok && s != "" {
		return s
	}
	return fallback
}

// List returns the variable's comma-separated items without blanks.
func (e *Env) List(name string) []string {
	var items []string
	for item := range strings.SplitSeq(e.String(name, ""), ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// OneOf returns the variable, or fallback, and refuses what is not in choices.
func (e *Env) OneOf(name, fallback string, choices ...string) string {
	s := e.String(name, fallback)
	if slices.Contains(choices, s) {
		return s
	}
	e.Refuse(name, "must be one of "+strings.Join(choices, ", "))
	return fallback
}

// Bool returns the variable as a boolean.
func (e *Env) Bool(name string, fallback bool) bool {
	return parse(e, name, fallback, "must be true or false", strconv.ParseBool)
}

// Int returns the variable as a number that is not negative.
func (e *Env) Int(name string, fallback int) int {
	return parse(e, name, fallback, "must be a number, 0 or more", func(s string) (int, error) {
		n, err := strconv.ParseUint(s, 10, 31)
		return int(n), err
	})
}

// Duration returns the variable as a duration such as 65m that is not
// negative.
func (e *Env) Duration(name string, fallback time.Duration) time.Duration {
	return parse(e, name, fallback, "must be a duration such as 65m, or 0", func(s string) (time.Duration, error) {
		d, err := time.ParseDuration(s)
		if d < 0 {
			return 0, errors.New("negative")
		}
		return d, err
	})
}

// Refuse notes that the variable cannot be used, and why.
func (e *Env) Refuse(name, why string) {
	e.faults = append(e.faults, Errorf(CodeBadConfig, "environment variable %s %s", name, why))
}

// Err returns all that was refused so far, or nil.
func (e *Env) Err() error { return errors.Join(e.faults...) }

func parse[T any](e *Env, name string, fallback T, why string, read func(string) (T, error)) T {
	s := e.String(name, "")
	if s == "" {
		return fallback
	}
	value, err := read(s)
	if err != nil {
		e.Refuse(name, why)
		return fallback
	}
	return value
}
