package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"
)

// password would show if it were quoted wrongly.
const password = `value-sentinel "y\s %s$(x) ü`

// given is what stands on standard input, which is no terminal.
func (a *account) given(text string) {
	path := filepath.Join(a.t.TempDir(), "stdin")
	a.must(os.WriteFile(path, []byte(text), 0o600))
	file, err := os.Open(path)
	a.must(err)
	a.t.Cleanup(func() { _ = file.Close() })
	a.input = newInput(file, &a.said)
}

func (a *account) value(arn string) (text string) {
	out, err := a.GetSecretValue(a.t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &arn})
	if err != nil {
		return ""
	}
	return aws.ToString(out.SecretString)
}

func document(values ...string) string {
	quoted, _ := json.Marshal(values)
	return string(quoted)
}

// A first value is known by its secret and its name, never by its position; what is wrong with it is said, and not what it is.
func TestSeed(t *testing.T) {
	quoted := document(password)
	quoted = quoted[1 : len(quoted)-1]
	stored := `{"host": "h", "port": 1,"password":` + strings.ReplaceAll(quoted, `\u0026`, "&") + `}`
	for name, test := range map[string]struct {
		stdin, current string
		enabled        bool
		key            string
		want, err      string
	}{
		"by key":                {stdin: `{"other": {"password": "no"}, "orders": {"password": ` + quoted + `}}`, want: stored},
		"nothing is given":      {err: `does not hold the JSON {"orders": {"password": "..."}}`},
		"a line, as it was":     {stdin: password + "\n", err: "does not hold the JSON"},
		"for another secret":    {stdin: `{"other": {"password": ` + quoted + `}}`, err: "does not hold the JSON"},
		"another name":          {stdin: `{"orders": {"pasword": ` + quoted + `}}`, err: "does not hold the JSON"},
		"one name too many":     {stdin: `{"orders": {"password": ` + quoted + `, "host": "i"}}`, err: "does not hold the JSON"},
		"a number":              {stdin: `{"orders": {"password": 1234567}}`, err: "does not hold the JSON"},
		"empty":                 {stdin: `{"orders": {"password": ""}}`, err: "password is empty"},
		"a line end of a paste": {stdin: `{"orders": {"password": "ab\r"}}`, err: "password holds a control character"},
		"it has a value":        {stdin: `{"orders": {"password": "x"}}`, current: value, want: value},
		"anew, unasked":         {stdin: `{"orders": {"password": "x"}}`, current: value, key: "orders", want: value, err: "has a value already"},
		"it rotates":            {stdin: `{"orders": {"password": "x"}}`, current: value, enabled: true, key: "orders", want: value, err: "rotation is on"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAccount(t)
			if test.current != "" {
				a.put("seed", test.current, "AWSCURRENT")
			}
			if test.enabled {
				a.enableRotation()
			}
			a.given(test.stdin)
			a.key, a.answer = test.key, `{"ok": true}`
			err := a.seedAndTry(t.Context())
			if (err != nil) != (test.err != "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("error %v, want %q", err, test.err)
			}
			if diff := cmp.Diff(test.want, a.value(a.arn)); diff != "" {
				t.Errorf("stored (-want +got):\n%s", diff)
			}
			a.silent(err)
		})
	}
}

// A first value that the function cannot log in with is told at once, by the function's own code.
func TestSeedIsTried(t *testing.T) {
	a := newAccount(t)
	a.given(`{"orders": {"password": "value-sentinel"}}`)
	a.answer = `{"ok": false, "checks": [{"name": "AWSCURRENT logs in", "code": "auth-rejected", "detail": "no"}]}`
	err := a.seedAndTry(t.Context())
	if err == nil || !strings.Contains(a.said.String(), "NO: AWSCURRENT logs in: auth-rejected: no") {
		t.Errorf("%v\n%s", err, a.said.String())
	}
	a.silent(err)
}

// Names of a value are corrected one by one, and nothing while a rotation is under way.
func TestCorrect(t *testing.T) {
	a := newAccount(t)
	a.put("seed", `{"host": "h", "password": "old"}`, "AWSCURRENT")
	a.given(`{"orders": {"password": "value-sentinel"}}`)
	a.must(a.correct(t.Context(), "orders", a.arn, []string{"host=i", "password"}))
	if diff := cmp.Diff(`{"host": "i", "password": "value-sentinel"}`, a.value(a.arn)); diff != "" {
		t.Error(diff)
	}
	a.enableRotation()
	a.request("11111111-2222-4333-8444-555555555555", true)
	if err := a.correct(t.Context(), "orders", a.arn, []string{"host=j"}); err == nil || !strings.Contains(err.Error(), "under way") {
		t.Error(err)
	}
	a.silent(nil)
}

func TestCreate(t *testing.T) {
	a := newAccount(t)
	a.given(`{"orders-admin": {"password": "value-sentinel"}}`)
	a.must(a.create(t.Context(), "orders-admin", []string{"username=admin", "password"}))
	if diff := cmp.Diff(`{"username":"admin","password":"value-sentinel"}`, a.value(strings.TrimSpace(a.said.String()))); diff != "" {
		t.Error(diff)
	}
	a.silent(nil)
}

func (a *account) silent(err error) {
	a.t.Helper()
	for _, text := range append(slices.Clone(a.calls), a.said.String(), errorText(err)) {
		if strings.Contains(text, "sentinel") || strings.Contains(text, "1234567") {
			a.t.Errorf("a value is shown: %s", text)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
