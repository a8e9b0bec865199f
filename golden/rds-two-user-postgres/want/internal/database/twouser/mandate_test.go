package twouser_test

import (
	"encoding/json"
	"strings"
	"testing"

	"example.com/orders-db/internal/database"
	"example.com/orders-db/internal/database/databasetest"
	"example.com/orders-db/internal/database/twouser"
	"example.com/orders-db/internal/rotation"
)

// B2, B3, C5, T7: of two secrets of one function neither gets the other's administrator or
// users, although the function may use both: an administrator's password goes to the
// servers of its own secrets only, before which nothing is dialled.
func TestAnotherSecretsAdmin(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(r *rig, other string)
		want  rotation.Code
	}{
		"another's administrator": {func(r *rig, other string) { r.edit(rotation.StageCurrent, r.admin(), other) }, rotation.CodeSecretNotAllowed},
		"another's users": {func(r *rig, _ string) {
			r.edit(rotation.StageCurrent, userA, "bills_a")
			r.edit(rotation.StageCurrent, userB, "bills_b")
		}, rotation.CodeBadUsers},
		"no secret of the function": {func(r *rig, _ string) {
			r.name("arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders-AbCdEf", r.admin())
		}, rotation.CodeSecretNotAllowed},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, preprovisioned, 0)
			other := r.Seed("billing-admin", `{"username":"`+databasetest.Admin+`","password":"`+adminPassword+`"}`)
			r.name(r.Secret, r.admin())
			r.must(r.GiveUp(r.token))
			test.spoil(r, other)
			r.request()
			r.wantOutcome(r.deliver(rotation.StepCreate), test.want, "")
			handler, err := r.Handler(r.Outside.Process())
			r.must(err)
			answer, err := handler.Handle(t.Context(), json.RawMessage(`{"Preflight":true,"SecretId":"`+r.Secret+`"}`))
			r.must(err)
			checks := answer.(rotation.Preflight).Checks
			if last := checks[len(checks)-1]; last.Code != test.want {
				t.Errorf("preflight ends with %+v, want %q", last, test.want)
			}
		})
	}
}

// end is what follows ":secret:" in an ARN.
func end(arn string) string {
	_, end, _ := strings.Cut(arn, ":secret:")
	return end
}

// admin is the ARN of the admin secret that AWSCURRENT names.
func (r *rig) admin() string {
	r.t.Helper()
	current, err := r.Value(rotation.StageCurrent)
	r.must(err)
	arn, _ := current.Get(database.KeyAdmin)
	return arn.Reveal()
}

// name deploys the function with one secret of the pair and one of two others.
func (r *rig) name(secret, admin string) {
	r.deploy(twouser.Config{Secrets: database.Mandates{
		{Secret: end(secret), Admin: end(admin), Users: []string{userA, userB}},
		{Secret: "bills-AbCdEf", Admin: "*", Users: []string{"bills_a", "bills_b"}},
	}})
}
