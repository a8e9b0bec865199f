package databasetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/orders-db/rotation"
	"example.com/orders-db/rotationtest"
)

// NothingBetweenCalls proves that a process killed after its k-th call leaves
// the same behind as one killed before the next. Who kills rotators over a
// network may so leave out one half of the kills.
func NothingBetweenCalls(t *testing.T, fresh func(testing.TB) (*rotationtest.World, *Server)) {
	t.Helper()
	leave := func(n int, fault rotationtest.Fault) (left string, calls []string) {
		w, server := fresh(t)
		token := w.Token()
		if err := w.Request(token); err != nil {
			t.Fatal(err)
		}
		w.Outside.Plan(n, fault)
		_ = w.Rotate(token, 1)
		return server.outsideOf(t, w), w.Outside.Calls()
	}
	_, calls := leave(0, rotationtest.None)
	for k := 1; k < len(calls); k++ {
		after, _ := leave(k, rotationtest.KillAfter)
		before, _ := leave(k+1, rotationtest.KillBefore)
		if after != before {
			t.Errorf("killed after call %d (%s):\n%s\nkilled before call %d (%s):\n%s", k, calls[k-1], after, k+1, calls[k], before)
		}
	}
}

// outsideOf describes the secret and the users, with the id of the version that
// has it in place of each password.
func (s *Server) outsideOf(t testing.TB, w *rotationtest.World) string {
	t.Helper()
	list, err := w.Store.ListSecretVersionIds(t.Context(), &secretsmanager.ListSecretVersionIdsInput{SecretId: &w.Secret, IncludeDeprecated: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	versions := map[string]string{}
	for _, v := range list.Versions {
		password := "no value"
		if value, err := w.Store.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &w.Secret, VersionId: v.VersionId}); err == nil {
			parsed, err := rotation.ParseValue(rotation.NewSensitive(aws.ToString(value.SecretString)))
			if err != nil {
				t.Fatal(err)
			}
			text, _ := parsed.Get("password")
			password, versions[text.Reveal()] = "a value", *v.VersionId
		}
		fmt.Fprintln(&out, *v.VersionId, v.VersionStages, password)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.users)) {
		u := s.users[name]
		fmt.Fprintln(&out, name, versions[u.password], versions[u.secondary], u.locked, u.rights)
	}
	return out.String()
}
