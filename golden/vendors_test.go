package golden

import (
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/generator"
)

// V1, V5, V7, V10, V12, V14, V15, V16: rules of vendors that no call of a rotation
// shows stand in the project's own pages, or are said when the project is made.
func TestVendorsToday(t *testing.T) {
	c, renderer := openTemplates(t)
	for _, test := range []struct {
		row, provider, page, says string
	}{
		{"V1", "openai", "README.md", "can be more than"},
		{"V1", "openai", "README.md", "api.management.write"},
		{"V2", "openai", "README.md", "data residency"},
		{"V5", "okta", "README.md", "Read-only Administrator"},
		{"V5", "okta", "README.md", "Application Administrator"},
		{"V7", "okta", "", "OktaOAuthClientSecret"},
		{"V7", "auth0", "", "Auth0OAuthClientSecret"},
		{"V7", "twilio", "", "TwilioApiKey"},
		{"V9", "gitlab", "REFERENCE.md", "8736h"},
		{"V10", "gitlab", "REFERENCE.md", "groups/ID/service_accounts/ID"},
		{"V12", "twilio", "REFERENCE.md", "US1 only"},
		{"V12", "twilio", "RUNBOOK.md", "20003"},
		{"V14", "cloudflare", "README.md", "API Token Provisioning"},
		{"V15", "github-deploy-key", "README.md", "do not by default"},
		{"V16", "stripe", "REFERENCE.md", "Infisical"},
	} {
		answers := generator.Texts(map[string]string{"name": "orders", "type": "api-key", "provider": test.provider})
		result, err := renderer.Generate(answers)
		if err != nil {
			t.Fatal(err)
		}
		text := c.Resolve(answers).Managed()
		for _, f := range result.Files {
			if f.Path == test.page {
				text = string(f.Data)
			}
		}
		if !strings.Contains(strings.Join(strings.Fields(text), " "), test.says) {
			t.Errorf("%s: %s of %s does not say %q", test.row, test.page, test.provider, test.says)
		}
	}
}
