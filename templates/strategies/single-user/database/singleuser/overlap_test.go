package singleuser_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/smithy-go"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/single-user/database/singleuser"
)

// twoPasswords are a server's answers to what only servers with two passwords
// are asked. They are nil for yes.
type twoPasswords struct {
	may, does error
	lies      bool // it says that it has done it
}

type twoSession struct {
	wireSession
	host string
}

// Overlaps asks by a change, which a replica takes from no one.
func (s twoSession) Overlaps(context.Context, bool) error {
	if strings.Contains(s.host, ".cluster-ro-") {
		return rotation.Errorf(rotation.CodeNotWriter, "the server is read-only")
	}
	return s.r.two.may
}

func (s twoSession) Overlap(_ context.Context, _ database.Session, o singleuser.Overlap) error {
	if s.r.two.does == nil && !s.r.two.lies {
		s.r.server.SetPasswords(o.User, o.Pending.Reveal(), o.Current.Reveal())
	}
	return s.r.two.does
}

func newTwoRig(t testing.TB, config singleuser.Config, two twoPasswords) *rig {
	r := newRig(t, config, "current", nil)
	r.two = &two
	return r
}

// S6: both passwords work from setSecret on, testSecret and finishSecret prove
// the pending one and change nothing, and there is no gap.
func TestOverlap(t *testing.T) {
	for name, config := range map[string]singleuser.Config{"self": self, "admin": admin} {
		t.Run(name, func(t *testing.T) {
			r := newTwoRig(t, config, twoPasswords{})
			by := ""
			if config.AsAdmin {
				by = " " + adminPassword
			}
			r.wantOutcome(r.deliver(rotation.StepSet), "", "current"+by+" pending")
			r.wantServer("current")
			r.wantServer("pending")
			r.wantOutcome(r.deliver(rotation.StepTest), "", "current pending")
			r.wantOutcome(r.deliver(rotation.StepFinish), "", "current"+by+" pending")
			r.wantLabels("pending", "")
			r.wantServer("current")
			r.wantServer("pending")
			if said := r.Output(); strings.Contains(said, `"CredentialGap":`) || strings.Count(said, `"Degraded":0`) != 3 {
				t.Errorf("want no gap and nothing degraded in three steps:\n%s", said)
			}
		})
	}
}

// S6: finishSecret alone does what setSecret would have done before.
func TestOverlapInFinish(t *testing.T) {
	r := newTwoRig(t, self, twoPasswords{})
	r.wantOutcome(r.deliver(rotation.StepFinish), "", "current pending")
	r.wantLabels("pending", "")
	r.wantServer("current")
	r.wantServer("pending")
}

// S6, S8, C15: a server that does not let this user have two passwords gets the
// change at the end, and that is said.
func TestFallsBackInTheOpen(t *testing.T) {
	no := rotation.Errorf(rotation.CodePermission, "a privilege is missing")
	for name, two := range map[string]twoPasswords{
		"known before":       {may: no},
		"known in the doing": {does: rotation.Errorf(rotation.CodePermission, "a privilege is missing").Because(singleuser.ErrOnePassword)},
	} {
		t.Run(name, func(t *testing.T) {
			r := newTwoRig(t, self, two)
			r.wantOutcome(r.deliver(rotation.StepSet), "", "current current", "orders try orders")
			r.wantOutcome(r.deliver(rotation.StepFinish), "", "current pending", "orders change orders")
			r.wantLabels("pending", "")
			said := r.Output()
			if strings.Count(said, `"Degraded":1`) != 2 || strings.Count(said, `"detail":"a privilege is missing"`) != 2 {
				t.Errorf("the output does not say twice that it does less:\n%s", said)
			}
		})
	}
}

// S6, C7: a server that is gone has not said that it knows one password.
func TestOverlapUnknown(t *testing.T) {
	r := newTwoRig(t, self, twoPasswords{may: errUnreachable})
	r.wantOutcome(r.deliver(rotation.StepSet), rotation.CodeUnreachable, "current")
	r.wantOutcome(r.deliver(rotation.StepTest), rotation.CodeUnreachable, "current")
	r.wantOutcome(r.deliver(rotation.StepFinish), rotation.CodeUnreachable, "current")
	r.two = &twoPasswords{does: errUnreachable}
	r.wantOutcome(r.deliver(rotation.StepSet), rotation.CodeUnreachable, "current")
	r.wantServer("current")
	r.wantLabels("current", "pending")
}

// S6: testSecret does not pass on a server that should have both passwords by
// then.
func TestTestWantsPending(t *testing.T) {
	r := newTwoRig(t, self, twoPasswords{})
	r.wantOutcome(r.deliver(rotation.StepTest), rotation.CodeAuthRejected, "current pending")
}

// S6, T8: where applications read from a replica, the writer is asked whether it
// keeps both passwords, and the replica whether the pending one logs in.
func TestOverlapOnAReplica(t *testing.T) {
	const reader, writer = "c.cluster-ro-1.eu-west-1.rds.amazonaws.com", "c.cluster-1.eu-west-1.rds.amazonaws.com"
	r := newRig(t, self, "current", func(_, value string) string { return strings.Replace(value, `"db"`, `"`+reader+`"`, 1) })
	r.two = &twoPasswords{}
	r.wantOutcome(r.deliver(rotation.StepSet), "", "current pending")
	r.wantOutcome(r.deliver(rotation.StepTest), "", "current current pending")
	var hosts []string
	for _, a := range r.tried {
		hosts = append(hosts, a.Host)
	}
	if want := []string{reader, writer, reader}; !slices.Equal(hosts, want) {
		t.Errorf("testSecret logged in at %q, want %q", hosts, want)
	}
	if said := r.Output(); strings.Contains(said, `"Degraded":1`) {
		t.Errorf("a replica's answer counts:\n%s", said)
	}
	r.wantOutcome(r.deliver(rotation.StepFinish), "", "current pending")
	r.wantLabels("pending", "")
}

// C17: a value that the server's rules refuse, or that does not work although
// the server took it, is let go: AWSCURRENT is as it was.
func TestOverlapRefused(t *testing.T) {
	for code, two := range map[rotation.Code]twoPasswords{
		rotation.CodePolicy:     {does: rotation.Errorf(rotation.CodePolicy, "too weak")},
		rotation.CodeRolledBack: {lies: true},
	} {
		t.Run(string(code), func(t *testing.T) {
			r := newTwoRig(t, self, two)
			tried := "current"
			if two.lies {
				tried = "current pending current"
			}
			r.wantOutcome(r.deliver(rotation.StepSet), code, tried)
			r.wantLabels("current", "")
			r.wantServer("current")
			r.two = new(twoPasswords)
			r.wantNext()
		})
	}
}

// S6: where AWSCURRENT cannot be moved nothing is put back while it works, and
// its password is where it does not.
func TestOverlapAndNoLabel(t *testing.T) {
	for name, works := range map[string]bool{"AWSCURRENT works": true, "AWSCURRENT is dead": false} {
		t.Run(name, func(t *testing.T) {
			r := newTwoRig(t, self, twoPasswords{})
			r.must(r.deliver(rotation.StepSet))
			tried, statements := "current pending", []string(nil)
			if !works {
				r.server.SetPasswords(user, "pending", "")
				tried, statements = "current pending current current", []string{"orders change orders"}
			}
			r.stage = func(func() error) error {
				return &smithy.GenericAPIError{Code: "AccessDeniedException", Fault: smithy.FaultClient}
			}
			r.wantOutcome(r.deliver(rotation.StepFinish), rotation.CodeStoreDenied, tried, statements...)
			r.wantServer("current")
			r.wantLabels("current", "pending")
		})
	}
}

// C14: the previous password is promised to live on, and the promise is kept from
// being broken by the next rotation.
func TestOverlapsWithTheNext(t *testing.T) {
	r := newTwoRig(t, self, twoPasswords{})
	for want, two := range map[bool]*twoPasswords{true: new(twoPasswords), false: nil} {
		r.two = two
		strategy, err := r.Strategy(r.Outside.Process())
		if err != nil {
			t.Fatal(err)
		}
		if got := strategy.Overlaps(); got != want {
			t.Errorf("got %t, want %t", got, want)
		}
	}
}

// C16: preflight says whether both passwords can log in, and changes nothing.
func TestPreflightOfOverlap(t *testing.T) {
	for _, may := range []error{nil, errors.New("no")} {
		r := newTwoRig(t, self, twoPasswords{may: may})
		strategy, err := r.Strategy(r.Outside.Process())
		r.must(err)
		answer, err := rotation.New(r.Store, strategy, r.Config, rotation.WithOutput(r)).
			Handle(t.Context(), json.RawMessage(`{"Preflight":true,"SecretId":"`+r.Secret+`"}`))
		r.must(err)
		report := answer.(rotation.Preflight)
		last := report.Checks[len(report.Checks)-1]
		if report.OK != (may == nil) || last.OK != report.OK || !strings.Contains(last.Name, "both passwords") {
			t.Errorf("%v: got %+v", may, report)
		}
		r.wantServer("current")
	}
}
