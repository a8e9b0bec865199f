package e2e

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/generator/doctor"
	"github.com/rotasmith/rotasmith/generator/doctor/account"
	"github.com/rotasmith/rotasmith/generator/doctor/account/accounttest"
	"github.com/rotasmith/rotasmith/generator/rehearsal"
)

// TestDoctor kills an emitted function at three of its calls on a real server. Doctor reads of each over the wire that the
// rotation is running, later that it has failed, and says to go on with the same version, which ends it. Package account's own
// tests do so at every call, in process.
func TestDoctor(t *testing.T) {
	b := newBench(t, postgresScenarios[0])
	server := &accounttest.Server{Secrets: b.fronted, Configuration: map[string]any{
		"State": "Active", "Timeout": 60, "Environment": map[string]any{"Variables": map[string]any{"ALLOWED_SECRETS": "arn:*"}},
	}}
	listener := httptest.NewServer(server)
	t.Cleanup(listener.Close)
	accounttest.Setenv(t.Setenv, listener.URL)
	from, err := account.Open(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	diagnose := func(later time.Duration) *doctor.Diagnosis {
		t.Helper()
		now := time.Now()
		from.Now = func() time.Time { return now.Add(later) }
		var lines []any
		for line := range strings.Lines(b.function.Output()) {
			lines = append(lines, map[string]any{"timestamp": now.UnixMilli(), "message": line})
		}
		server.Log = map[string]any{"events": lines}
		s, err := from.Secret(t.Context(), b.secret, true)
		if err != nil {
			t.Fatal(err)
		}
		return doctor.Diagnose(s)
	}
	b.watch(nil)
	if err := b.rotate(); err != nil {
		t.Fatal(err)
	}
	if d := diagnose(0); d.State != doctor.StateComplete {
		t.Errorf("after a rotation: %+v", d)
	}
	calls := len(b.counted())
	for _, k := range []int{1, calls / 3, calls / 2} {
		b.watch(func(n int, _ string, done bool) error {
			if n != k || !done {
				return nil
			}
			b.function.Kill()
			return rehearsal.ErrDrop
		})
		token := b.token()
		_, err := b.service(b.function, 1).Rotate(t.Context(), b.secret, token)
		b.watch(nil)
		if err == nil || b.store.InFlight(b.secret) != token {
			t.Fatalf("call %d of %d ends no rotation: %v", k, calls, err)
		}
		if d := diagnose(0); d.State != doctor.StateRunning {
			t.Errorf("at once after call %d: %+v", k, d)
		}
		d := diagnose(time.Hour)
		if text := fmt.Sprint(d.Findings); d.State != doctor.StateFailed || !strings.Contains(text, "aws secretsmanager rotate-secret --secret-id "+b.secret) {
			t.Errorf("later after call %d: %+v", k, d)
		}
		if _, err := b.service(b.function, 3).Retry(t.Context(), b.secret, token); err != nil { // so does rotate-secret
			t.Fatal(err)
		}
		if d := diagnose(0); d.State != doctor.StateComplete || b.works() != nil {
			t.Errorf("in the end after call %d: %+v, %v", k, d, b.works())
		}
	}
	b.silent()
}
