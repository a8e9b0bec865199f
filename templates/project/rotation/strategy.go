// Package rotation is the core of a Secrets Manager rotation function: it
// receives the four steps of a rotation, decides from the secret's staging
// labels what is left to do, and leaves to a [Strategy] what a step means for
// one kind of credential.
//
// The core owns every guard, so that no strategy has to repeat one:
//
//   - labels are read afresh in every invocation and never remembered;
//   - the version named by ClientRequestToken is the only pending version;
//   - a pending value that differs from AWSCURRENT in more than the credential
//     is refused before anything is dialled;
//   - AWSCURRENT is moved by compare-and-swap and only after the new
//     credential has just been proven;
//   - nothing that is printed, logged or returned can carry a secret.
//
// A process may be killed before or after any call to the outside. The next
// delivery of the same event finds its way from the labels and from what the
// credentials can do, not from memory. Package rotationtest proves it.
//
// It does not talk to a database or to an API: strategies and targets do.
package rotation

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// Strategy says what the steps mean for one kind of credential. It is called
// after the core's guards and never for work that the labels show to be done.
// Every method may be called again after the process was killed anywhere in
// it, and by a second process at the same time.
type Strategy interface {
	// Credential returns the keys of the secret that a rotation changes. A
	// pending value that differs from AWSCURRENT in any other is refused.
	Credential() []string
	// Overlaps reports whether the previous credential goes on working for a
	// while. [Config.MinRotationAge] then protects it.
	Overlaps() bool
	// Next returns the pending version's value, made from AWSCURRENT's. If two
	// deliveries run at once, the value of only one of them is stored.
	Next(ctx context.Context, r *Rotation, current Value) (Value, error)
	// Set prepares the pending credential as far as it can without harm to
	// AWSCURRENT.
	Set(ctx context.Context, r *Rotation) error
	// Test proves what can be proven before promotion.
	Test(ctx context.Context, r *Rotation) error
	// Finish proves that the pending credential works, at that moment and
	// with no rights lost, and calls [Rotation.Promote] once.
	Finish(ctx context.Context, r *Rotation) error
	// Works proves that value's credential works, and changes nothing.
	Works(ctx context.Context, r *Rotation, value Value) error
	// Preflight tells, without writing anything, whether a rotation of
	// current would find all that it needs.
	Preflight(ctx context.Context, r *Rotation, current Value) []Check
}

// A Keeper is a [Strategy] whose Next makes something outside the secret, and
// that must know whether the value was stored.
type Keeper interface {
	// Stored is called in the same invocation as Next: ok is true if the value is
	// now the pending version's, and false if it certainly is not. It is not
	// called if that is unknown. Its error fails the step, unless storing has
	// already failed.
	Stored(ctx context.Context, r *Rotation, value Value, ok bool) error
}

// A Healer is a [Strategy] that can make AWSCURRENT work again.
type Healer interface {
	// Heal is called in finishSecret where another delivery has promoted the
	// version and AWSCURRENT's credential is refused. It makes the credential
	// work, or says why it cannot.
	Heal(ctx context.Context, r *Rotation) error
}

// A Cleaner is a [Strategy] that has something to put away once its pending
// credential is AWSCURRENT.
type Cleaner interface {
	// CleanUp is called after the promotion in every delivery of finishSecret. If
	// it fails, the promotion stands, the failure is reported, and the next
	// rotation cleans up.
	CleanUp(ctx context.Context, r *Rotation) error
}

// Check is one line of a preflight report.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Code   Code   `json:"code,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// NewCheck reports err, or success if it is nil, under a name.
func NewCheck(name string, err error) Check {
	if err == nil {
		return Check{Name: name, OK: true}
	}
	safe := printable(err)
	return Check{Name: name, Code: safe.Code, Detail: safe.Detail}
}

// Report is what one step tells its metrics, beyond its outcome.
type Report struct {
	// Candidate is the version's label, or id, whose credential logged in.
	Candidate string
	// Gap is how long AWSCURRENT could not log in: from the server's
	// acknowledgement of the change to Secrets Manager's of the label move. It is
	// nil if there was none, or if it began in an earlier process, which did not
	// record when.
	Gap *time.Duration
	// Degraded is why the strategy does less than it promises, nil if it does
	// not. The step goes on.
	Degraded error
	// Replicas is why a replica does not have the new version, nil if all have
	// it.
	Replicas error
	// Age is how long ago the last rotation succeeded, or the secret was
	// created if none has, once the first is due; nil in a step of a
	// rotation, which may change it.
	Age *time.Duration
}

// Store is the part of Secrets Manager that a rotation uses.
// [secretsmanager.Client] is one; rotationtest.SecretsManager is another.
type Store interface {
	DescribeSecret(context.Context, *secretsmanager.DescribeSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error)
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
	PutSecretValue(context.Context, *secretsmanager.PutSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error)
	UpdateSecretVersionStage(context.Context, *secretsmanager.UpdateSecretVersionStageInput, ...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretVersionStageOutput, error)
	ListSecretVersionIds(context.Context, *secretsmanager.ListSecretVersionIdsInput, ...func(*secretsmanager.Options)) (*secretsmanager.ListSecretVersionIdsOutput, error)
}

var _ Store = (*secretsmanager.Client)(nil)
