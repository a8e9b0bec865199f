package database

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

// Mandate is what the function may do for one secret: which administrator acts for it,
// and on which users. A secret that names another administrator or user is refused.
// Otherwise any user that may write the secret could have an administrator's password
// sent to another server, or have the administrator set another user's password.
type Mandate struct {
	// Secret and Admin are the ends of ARNs, behind ":secret:", or * for any.
	Secret, Admin string
	Users         []string // any user if there are none
}

// Mandates are those of all secrets of the function.
type Mandates []Mandate

// MandatesFromEnv reads SECRETS: for each admin secret the secrets that it acts for, and
// the users of each, such as {"root-AbCdEf":{"orders-AbCdEf":["orders_a","orders_b"]}}.
func MandatesFromEnv(env *rotation.Env) Mandates {
	var admins map[string]map[string][]string
	err := json.Unmarshal([]byte(env.String("SECRETS", "")), &admins)
	var all Mandates
	seen := map[string]bool{"": true}
	for _, admin := range slices.Sorted(maps.Keys(admins)) {
		for _, secret := range slices.Sorted(maps.Keys(admins[admin])) {
			if seen[secret] || admin == "" {
				err = errMandates
			}
			seen[secret] = true
			all = append(all, Mandate{Secret: secret, Admin: admin, Users: admins[admin][secret]})
		}
	}
	if err != nil || len(all) == 0 {
		env.Refuse("SECRETS", errMandates.Detail)
	}
	return all
}

var errMandates = rotation.Errorf(rotation.CodeBadConfig,
	`must map each admin secret to its secrets and their users, each secret once, by the ends of their ARNs, such as {"root-AbCdEf":{"orders-AbCdEf":["orders_a","orders_b"]}}`)

// Of returns the mandate for a secret, by its ARN.
func (m Mandates) Of(secretARN string) (Mandate, error) {
	i := slices.IndexFunc(m, func(m Mandate) bool { return names(m.Secret, secretARN) })
	if i < 0 {
		return Mandate{}, rotation.Errorf(rotation.CodeSecretNotAllowed, "the function's SECRETS name no administrator for %q", secretARN)
	}
	return m[i], nil
}

// Allows refuses an account whose secret names another administrator or user than the
// function's configuration. One that names no administrator has none to use.
func (m Mandate) Allows(account Account) error {
	if account.AdminARN != "" && !names(m.Admin, account.AdminARN) {
		return rotation.Errorf(rotation.CodeSecretNotAllowed, "key %q is %q, but the function's SECRETS allow only %q", KeyAdmin, account.AdminARN, m.Admin)
	}
	if len(m.Users) > 0 && !slices.Contains(m.Users, account.User) {
		return rotation.Errorf(rotation.CodeBadUsers, "the function's SECRETS do not allow the secret's user %q", account.User)
	}
	return nil
}

func names(end, arn string) bool {
	_, name, ok := strings.Cut(arn, ":secret:")
	return ok && (end == "*" || end == name)
}
