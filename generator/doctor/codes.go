package doctor

// A code is what an emitted function calls the reason for a failed step.
type code struct {
	do     string // the cure in a sentence; the runbook has the rest
	giveUp bool   // no further try of the same version can go well: the version has to go
}

// codes are those of emitted functions. Each cure agrees with the entry of the runbook that the finding names.
var codes = map[string]code{
	"bad-event":          {do: "Leave the steps to Secrets Manager: rotate-secret begins a rotation."},
	"bad-config":         {do: "Set the setting that the detail names, as a variable of Terraform where it is one, and run make deploy."},
	"secret-not-allowed": {do: "Let the function's list name the secret (make deploy), after finding out who changed the secret if it named another one."},
	"rotation-off":       {do: "Run make deploy, which switches rotation on for every secret that passes its preflight."},
	"unknown-token":      {do: "Nothing, if it is a late delivery of a rotation that was given up."},
	"not-pending":        {do: "Find out who wrote a value or gave the rotation up; a new rotation begins anew."},
	"no-current":         {do: "Give the secret its first value: make seed."},
	"no-pending-value":   {do: "Look up why createSecret failed for the same version."},
	"bad-secret":         {do: "Correct the key of the value that the detail names, with the password unchanged: go run ./tools correct."},
	"tampered":           {do: "Find out who called PutSecretValue (CloudTrail). If no one admits it, treat it as an attack.", giveUp: true},
	"bad-users":          {do: "Correct the users, in the secret or in the function's settings. A version that names AWSCURRENT's own user is let go once AWSCURRENT logs in."},
	"same-value":         {do: "Rotate anew: the function gives up a version that would change nothing."},
	"too-soon":           {do: "Wait: clients may hold the previous credential, which this rotation would end."},
	"disabled":           {do: "Set rotation_disabled to false and run make deploy."},
	"current-moved":      {do: "Find out who moved AWSCURRENT (CloudTrail), then rotate."},
	"replica-failed":     {do: "Mend what the replica's message names, most often a right on its key; then replicate anew."},
	"awaiting-operator":  {do: "Supply the new key: make supply."},

	"unreachable":     {do: "Look at security groups in both directions, routes, and host and port in the secret."},
	"no-answer":       {do: "Look at the server's load, and at a proxy or firewall on the way."},
	"disconnected":    {do: "Look at the server's log around that minute, then let the rotation go on."},
	"cert-authority":  {do: "Add the authority of the server's certificate, once you know whose certificate it is."},
	"cert-name":       {do: "Use the host that the certificate names."},
	"cert-expired":    {do: "Have the server's certificate renewed."},
	"tls":             {do: "Let the server speak TLS 1.2 or later."},
	"auth-rejected":   {do: "The detail says whose credential was refused. Set it back to what the secret says; do not try by hand again and again."},
	"locked":          {do: "Unlock the account, after finding out why it is locked."},
	"expired":         {do: "Extend the account's end: rotation takes the place of expiry."},
	"policy":          {do: "Meet the rule that the server's log names."},
	"no-hash":         {do: "Let the server take hashed passwords, or set password_form to text."},
	"permission":      {do: "Give the right that the detail names."},
	"user-limit":      {do: "Make room for one more connection of the user."},
	"server-full":     {do: "Make room for one more connection of the server."},
	"busy":            {do: "Wait a minute: another rotation holds the account, and Secrets Manager tries again."},
	"not-writer":      {do: "Let host name the endpoint of the writer."},
	"identity":        {do: "Look at what the server does at log-in: a role that is set, a membership that is lost, a proxy in between."},
	"parity":          {do: "Give both users the same rights, by an owner role."},
	"locked-out":      {do: "Set the user's password to what AWSCURRENT says, as an administrator of the server."},
	"outcome-unknown": {do: "Let the rotation go on: the next try finds out whether the change happened."},
	"rolled-back":     {do: "Mend what the detail names: the change was undone, and AWSCURRENT works."},
	"no-space":        {do: "Give the server more storage."},
	"not-found":       {do: "Correct the id in the secret that the detail names."},
	"quota":           {do: "Revoke a key that is not used."},
	"scopes":          {do: "Give the new key what the detail says that it lacks."},
	"throttled":       {do: "Wait until the provider's limit is free again, then let the rotation go on."},
	"bad-answer":      {do: "Look for a portal or proxy in between, or a change of the provider's API."},
	"unrevoked":       {do: "Nothing is broken: the next rotation tries to revoke the key again."},
	"server":          {do: "The detail has the server's error code; its log has the rest."},

	"store-denied":      {do: "Run make deploy, which restores the role's policy; a policy of the secret, a boundary or the organization may also deny."},
	"store-key":         {do: "Let the key's policy and the role allow kms:Decrypt and kms:GenerateDataKey; see that the key is enabled."},
	"store-throttle":    {do: "Look for a client without a cache; it is tried again by itself."},
	"store-unreachable": {do: "Give the function's subnets a NAT gateway, or an endpoint of Secrets Manager with private DNS."},
	"store":             {do: "The detail has the error code of Secrets Manager; the rotation may go on at any time."},
	"deadline":          {do: "Look at what the detail says that the step waited for."},
	"panic":             {do: "Report the log line: it is a fault of the function, and nothing is lost."},
}
