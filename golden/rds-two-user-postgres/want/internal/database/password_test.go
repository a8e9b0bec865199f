package database_test

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"example.com/orders-db/internal/database"
	"example.com/orders-db/internal/rotation"
)

func generate(t *testing.T, policy database.PasswordPolicy) string {
	t.Helper()
	password, err := policy.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return password.Reveal()
}

// C10: every password has its length, begins with a letter, has every class and
// needs no quoting: in a connection URL, a keyword string, JSON, YAML or a shell.
func TestGenerate(t *testing.T) {
	plain, upper, digit := regexp.MustCompile(`^[a-z][a-zA-Z0-9]*$`), regexp.MustCompile(`[A-Z]`), regexp.MustCompile(`[0-9]`)
	seen := make(map[string]bool)
	for range 500 {
		for _, length := range []int{database.MinPasswordLength, 32} {
			password := generate(t, database.Alphanumeric(length, 64))
			switch {
			case len(password) != length, seen[password], !plain.MatchString(password):
				t.Fatalf("%q of length %d", password, length)
			case !upper.MatchString(password), !digit.MatchString(password):
				t.Fatalf("%q lacks a class", password)
			}
			seen[password] = true
			text, err := json.Marshal(password)
			if err != nil || string(text) != strconv.Quote(password) || string(text) != `"`+password+`"` {
				t.Errorf("JSON and Go write %q as %s", password, text)
			}
			if got := url.UserPassword("u", password).String(); got != "u:"+password || url.QueryEscape(password) != password {
				t.Errorf("a URL writes %q as %s", password, got)
			}
		}
	}
}

// C10: characters are drawn without bias. The sum of squared deviations stays
// near its 61 degrees of freedom; taking bytes modulo 62 gives over 400 here.
func TestGenerateIsUnbiased(t *testing.T) {
	const passwords, length, alphabet = 2000, 32, 62
	counts := make(map[rune]int)
	first := make(map[rune]int)
	for range passwords {
		for i, r := range generate(t, database.Alphanumeric(length, 64)) {
			if i == 0 {
				first[r]++
			} else {
				counts[r]++
			}
		}
	}
	if len(counts) != alphabet || len(first) != 26 {
		t.Fatalf("%d characters in use and %d at the beginning", len(counts), len(first))
	}
	expected := float64(passwords*(length-1)) / alphabet
	deviation := 0.
	for _, n := range counts {
		deviation += (float64(n) - expected) * (float64(n) - expected) / expected
	}
	if deviation > 150 { // once in 10^9 runs
		t.Errorf("characters deviate by %.0f from being equally likely", deviation)
	}
}

// C10: a policy that cannot make a safe password is refused when the function
// starts, and generates nothing.
func TestValidate(t *testing.T) {
	with := func(classes ...string) database.PasswordPolicy {
		return database.PasswordPolicy{Length: 16, MaxLength: 64, Classes: classes}
	}
	for name, policy := range map[string]database.PasswordPolicy{
		"shortest": database.Alphanumeric(16, 64),
		"longest":  database.Alphanumeric(64, 64),
		"special":  with("abc", "!#"),
	} {
		if err := policy.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, policy := range map[string]database.PasswordPolicy{
		"too short":        database.Alphanumeric(15, 64),
		"too long":         database.Alphanumeric(65, 64),
		"no length":        database.Alphanumeric(0, 64),
		"negative":         database.Alphanumeric(-1, 64),
		"no classes":       with(),
		"no letters":       with("", "abc"),
		"an empty class":   with("abc", ""), // no password would ever have one of each
		"digits first":     with("0123456789", "abc"),
		"not single bytes": with("abcé"),
	} {
		t.Run(name, func(t *testing.T) {
			if err := policy.Validate(); rotation.CodeOf(err) != rotation.CodeBadConfig {
				t.Fatalf("got %v, want %s", err, rotation.CodeBadConfig)
			}
			if password, err := policy.Generate(); err == nil {
				t.Errorf("generated %q", password.Reveal())
			}
		})
	}
}

// C10: the settings that an engine shares are read, and all faults told at once.
func TestConfigFromEnv(t *testing.T) {
	env := func(variables map[string]string) *rotation.Env {
		return rotation.NewEnv(func(name string) (string, bool) {
			value, ok := variables[name]
			return value, ok
		})
	}
	config, err := database.ConfigFromEnv(env(map[string]string{"AWS_REGION": "eu-west-1"}))
	if err != nil || config.PasswordLength != 32 || config.Roots == nil {
		t.Errorf("got %+v, %v, want the defaults", config, err)
	}
	config, err = database.ConfigFromEnv(env(map[string]string{"AWS_REGION": "eu-west-1", "PASSWORD_LENGTH": "48"}))
	if err != nil || config.PasswordLength != 48 {
		t.Errorf("got %+v, %v, want 48 characters", config, err)
	}
	_, err = database.ConfigFromEnv(env(map[string]string{"PASSWORD_LENGTH": "long", "DB_CA_FILE": "no-such-file.pem"}))
	for _, name := range []string{"PASSWORD_LENGTH", "DB_CA_FILE"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v does not name %s", err, name)
		}
	}
}
