package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// K7: a key that the function accepts is rotated to, even if the present one is dead; one that it does not accept loses its
// label; one that could not be tried is stored, and the command says so.
func TestSupply(t *testing.T) {
	const (
		accepted = `{"ok": false, "checks": [{"name": "AWSCURRENT's key works", "code": "auth-rejected"}, {"name": "the supplied key works", "ok": true}]}`
		refused  = `{"ok": false, "checks": [{"name": "the supplied key works", "code": "scopes", "detail": "it lacks \"repo\""}]}`
	)
	for name, test := range map[string]struct {
		stdin, answer string
		want          []string // of the error
		labelled      bool     // whether the key waits for a rotation
	}{
		"accepted":      {stdin: `{"orders": {"password": "value-sentinel 2"}}`, answer: accepted, labelled: true},
		"refused":       {stdin: `{"orders": {"password": "value-sentinel 2"}}`, answer: refused, want: []string{"not accepted", `scopes: it lacks "repo"`}},
		"not tried":     {stdin: `{"orders": {"password": "value-sentinel 2"}}`, want: []string{"is stored", "was not tried", "cannot be invoked"}, labelled: true},
		"a pasted line": {stdin: `{"orders": {"password": "value-sentinel\r"}}`, want: []string{"control character"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAccount(t)
			a.put("seed", value, "AWSCURRENT")
			a.enableRotation()
			a.given(test.stdin)
			synctest.Test(t, func(t *testing.T) {
				a.answer = test.answer
				time.AfterFunc(time.Minute, func() {
					if version := a.InFlight("orders"); version != "" {
						a.finish(version)
					}
				})
				err := a.supply(t.Context())
				if (err != nil) != (test.want != nil) {
					t.Errorf("ends with %v", err)
				}
				for _, words := range test.want {
					if !strings.Contains(errorText(err), words) {
						t.Errorf("%q is not in %v", words, err)
					}
				}
				a.silent(err)
				secret, err := a.describe(t.Context(), "orders")
				a.must(err)
				if _, labelled := holders(secret)[supplied]; labelled != test.labelled {
					t.Errorf("the labels are %v", secret.VersionIdsToStages)
				}
			})
		})
	}
}
