//go:build db

package mariadb

import (
	"slices"
	"testing"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/mysql/common/mysql/mysqltest"
)

// TestServerTakesNoHashes: with a plugin that validates passwords the server takes none but
// as text. A try says so, a change too, and where text is asked for both go through, as the
// user and as an administrator, and for two passwords at once. (C10)
func TestServerTakesNoHashes(t *testing.T) {
	server := mysqltest.New(t)
	server.Exec(t, server.Admin, "INSTALL SONAME 'simple_password_check'")
	t.Cleanup(func() { server.Exec(t, server.Admin, "UNINSTALL SONAME 'simple_password_check'") })
	target := newTarget(t, server)
	account := server.User(t, "texted", "%", "First-password-1", "")
	texts := []rotation.Sensitive{rotation.NewSensitive("Second-password-2"), rotation.NewSensitive("Third-password-3")} // in the server's log

	for by, who := range map[string]*Session{"user": login(t, target, account), "admin": login(t, target, server.Admin)} {
		wantCode(t, who.Try(t.Context(), account.User, texts[0]), rotation.CodeNoHash)
		wantCode(t, who.Change(t.Context(), account.User, texts[0]), rotation.CodeNoHash)
		if err := target.Prove(t.Context(), account); err != nil {
			t.Errorf("by the %s: %v", by, err)
		}
	}
	target.Text = true
	for by, who := range map[string]*Session{"user": login(t, target, account), "admin": login(t, target, server.Admin)} {
		if err := who.Try(t.Context(), account.User, texts[0]); err != nil {
			t.Errorf("by the %s: %v", by, err)
		}
		wantCode(t, who.Change(t.Context(), account.User, rotation.NewSensitive("weak")), rotation.CodePolicy)
		if err := who.Change(t.Context(), account.User, texts[0]); err != nil {
			t.Errorf("by the %s: %v", by, err)
		}
		account.Password = texts[0]
		if err := target.Prove(t.Context(), account); err != nil {
			t.Errorf("by the %s: %v", by, err)
		}
	}
	if err := login(t, target, server.Admin).Identify(t.Context(), "set both", account.User, texts...); err != nil {
		t.Fatal(err)
	}
	for password := range slices.Values(texts) {
		account.Password = password
		if err := target.Prove(t.Context(), account); err != nil {
			t.Error(err)
		}
	}
}
