package rotationtest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// The versions of a secret that Secrets Manager keeps at least, and the labels
// that it allows:
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
// and the documentation of PutSecretValue.
const (
	keepVersions = 100
	keepFor      = 24 * time.Hour
	maxLabels    = 20
)

// arnPrefix begins every secret's ARN; the account is the one of AWS's examples.
const arnPrefix = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:"

// suffixLen is the length of what follows the name in an ARN: a hyphen and six
// characters.
const suffixLen = 7

// A secret is its versions and who holds which label.
type secret struct {
	name, arn             string
	description, kmsKeyID *string

	created, changed, accessed, rotated time.Time

	rotationEnabled *bool // nil until rotation is first turned on
	rotationLambda  *string
	rotationRules   *types.RotationRulesType
	replication     [][]types.ReplicationStatusType // for the next DescribeSecret and those after
	replicated      []types.ReplicationStatusType   // what the last one said
	promoted        time.Time                       // when AWSCURRENT moved

	versions map[string]*version // by id
	holder   map[string]string   // label -> id of the one version that holds it

	history []moment // what was true and since when, oldest first
}

// A version is a value, or the place for one: RotateSecret registers versions
// that PutSecretValue fills.
type version struct {
	value             value
	created, accessed time.Time
}

// newSecret is a secret without a version. AWS draws the end of an ARN at random;
// here it follows from the name, so that two runs give the same.
func newSecret(name string, now time.Time) *secret {
	sum := sha256.Sum256([]byte(name))
	return &secret{
		name:     name,
		arn:      arnPrefix + name + "-" + base32.StdEncoding.EncodeToString(sum[:])[:suffixLen-1],
		created:  now,
		changed:  now,
		versions: map[string]*version{},
		holder:   map[string]string{},
	}
}

// add makes a version, without a label.
func (s *secret) add(id string, val value, now time.Time) {
	s.versions[id] = &version{value: val, created: now}
}

// attach takes the label from the version that has it and gives it to id. The
// version that loses AWSCURRENT gets AWSPREVIOUS; other labels stay where they
// are.
func (s *secret) attach(label, id string) {
	if old, held := s.holder[label]; held && old != id && label == labelCurrent {
		s.holder[labelPrevious] = old
	}
	s.holder[label] = id
}

// labels are the labels of a version, sorted, as the service gives them.
func (s *secret) labels(id string) []string {
	var labels []string
	for label, holder := range s.holder {
		if holder == id {
			labels = append(labels, label)
		}
	}
	slices.Sort(labels)
	return labels
}

// stages are the labels of every version that has one, or nil.
func (s *secret) stages() map[string][]string {
	if len(s.holder) == 0 {
		return nil
	}
	stages := map[string][]string{}
	for _, id := range s.holder {
		stages[id] = s.labels(id)
	}
	return stages
}

// deprecated says that the version has no label: the service may drop it.
func (s *secret) deprecated(id string) bool {
	return len(s.labels(id)) == 0
}

// tooManyLabels says that the secret would have more labels than it may, with
// these added.
func (s *secret) tooManyLabels(added []string) bool {
	labels := maps.Clone(s.holder)
	for _, label := range added {
		labels[label] = ""
	}
	return len(labels) > maxLabels
}

// inFlight is the version that holds AWSPENDING but not AWSCURRENT, or "".
func (s *secret) inFlight() string {
	if id := s.holder[labelPending]; id != s.holder[labelCurrent] {
		return id
	}
	return ""
}

// collect drops deprecated versions, the oldest first, as far as there are more
// than the service keeps and they are old enough. When the real service does so
// is its own affair; this is the earliest it may.
func (s *secret) collect(now time.Time) {
	excess := len(s.versions) - keepVersions
	if excess <= 0 {
		return
	}
	old := slices.DeleteFunc(slices.Collect(maps.Keys(s.versions)), func(id string) bool {
		return !s.deprecated(id) || now.Sub(s.versions[id].created) < keepFor
	})
	slices.SortFunc(old, func(a, b string) int {
		return cmp.Or(s.versions[a].created.Compare(s.versions[b].created), cmp.Compare(a, b))
	})
	for _, id := range old[:min(excess, len(old))] {
		delete(s.versions, id)
	}
}

// lastRotation is nil, as AWS documents it, while rotation is off.
func (s *secret) lastRotation() *time.Time {
	if !aws.ToBool(s.rotationEnabled) {
		return nil
	}
	return date(s.rotated)
}

// nextRotation is AutomaticallyAfterDays after the present value was made, since
// a value put by hand counts as a rotation too; nil for other schedules and while
// rotation is off.
func (s *secret) nextRotation() *time.Time {
	current := s.versions[s.holder[labelCurrent]]
	if !aws.ToBool(s.rotationEnabled) || s.rotationRules == nil || s.rotationRules.AutomaticallyAfterDays == nil || current == nil {
		return nil
	}
	return date(current.created.AddDate(0, 0, int(*s.rotationRules.AutomaticallyAfterDays)))
}

// nextReplicationStatus is the next scripted answer, which stays if it is the last
// one, or the one before if AWSCURRENT has moved since the time given.
func (s *secret) nextReplicationStatus(since time.Time) []types.ReplicationStatusType {
	if len(s.replication) > 0 && !(s.promoted.After(since) && s.replicated != nil) {
		s.replicated = s.replication[0]
		if len(s.replication) > 1 {
			s.replication = s.replication[1:]
		}
	}
	return slices.Clone(s.replicated)
}

// A value is text or bytes; a version that waits for its value has neither. AWS
// takes an empty text for none.
type value struct {
	text   *string
	binary []byte
}

func valueOf(text *string, binary []byte) value {
	val := value{binary: bytes.Clone(binary)}
	if aws.ToString(text) != "" {
		val.text = clone(text)
	}
	return val
}

func (v value) empty() bool { return v.text == nil && len(v.binary) == 0 }

func (v value) both() bool { return v.text != nil && len(v.binary) > 0 }

func (v value) equal(w value) bool {
	return (v.text == nil) == (w.text == nil) && aws.ToString(v.text) == aws.ToString(w.text) && bytes.Equal(v.binary, w.binary)
}

// GetRandomPassword answers with a password from the operating system's random
// source: of PasswordLength characters (default 32), with at least one of each
// type that is not excluded unless RequireEachIncludedType is false.
func (m *SecretsManager) GetRandomPassword(ctx context.Context, in *secretsmanager.GetRandomPasswordInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetRandomPasswordOutput, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	length := *cmp.Or(in.PasswordLength, aws.Int64(32))
	if length < 1 || length > 4096 {
		return nil, invalidParameter("PasswordLength must be between 1 and 4096.")
	}
	var kinds []string
	for _, kind := range []struct {
		exclude *bool
		chars   string
	}{
		{in.ExcludeLowercase, "abcdefghijklmnopqrstuvwxyz"},
		{in.ExcludeUppercase, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
		{in.ExcludeNumbers, "0123456789"},
		{in.ExcludePunctuation, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"},
		{aws.Bool(!aws.ToBool(in.IncludeSpace)), " "},
	} {
		chars := strings.Map(func(r rune) rune {
			if strings.ContainsRune(aws.ToString(in.ExcludeCharacters), r) {
				return -1
			}
			return r
		}, kind.chars)
		if !aws.ToBool(kind.exclude) && chars != "" {
			kinds = append(kinds, chars)
		}
	}
	if len(kinds) == 0 {
		return nil, invalidParameter("There are no valid characters available for the password.")
	}
	every := *cmp.Or(in.RequireEachIncludedType, aws.Bool(true))
	if every && length < int64(len(kinds)) {
		return nil, invalidParameter("PasswordLength is too short for the required character types.")
	}
	for {
		password := randomText(strings.Join(kinds, ""), int(length))
		missing := func(chars string) bool { return !strings.ContainsAny(password, chars) }
		if !every || !slices.ContainsFunc(kinds, missing) {
			return &secretsmanager.GetRandomPasswordOutput{RandomPassword: aws.String(password)}, nil
		}
	}
}

// randomText is n characters of chars, each equally likely.
func randomText(chars string, n int) string {
	text := make([]byte, n)
	for i := range text {
		// rand.Int fails only if the reader does, and rand.Reader does not.
		k, _ := rand.Int(rand.Reader, big.NewInt(int64(len(chars))))
		text[i] = chars[k.Int64()]
	}
	return string(text)
}

// The methods here are not part of the API: they are what the service does or
// knows by itself, for the code that plays it.

// InFlight is the token of the rotation that is not complete: of the version that
// holds AWSPENDING but not AWSCURRENT. While there is one, RotateSecret refuses
// and the service runs that rotation again. It is "" if there is none or no such
// secret.
func (m *SecretsManager) InFlight(secretID string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, err := m.find(secretID)
	if err != nil {
		return ""
	}
	return s.inFlight()
}

// RotationSucceeded tells that the last step of the rotation has succeeded, and
// sets LastRotatedDate. It is an error if the token does not hold AWSCURRENT: the
// rotator said it was done, and it was not.
//
// LastRotatedDate is set here and not by the move of the label, because anyone who
// moves AWSCURRENT by hand has not rotated. AWSPENDING stays if the rotator left
// it: the service has been seen to leave it on the version that is AWSCURRENT
// (https://github.com/aws-samples/aws-secrets-manager-rotation-lambdas/issues/168).
func (m *SecretsManager) RotationSucceeded(secretID, token string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, err := m.find(secretID)
	if err != nil {
		return err
	}
	if s.holder[labelCurrent] != token {
		return fmt.Errorf("every step succeeded, but version %s holds %v and not %s", token, s.labels(token), labelCurrent)
	}
	s.rotated = m.now()
	s.record(m.now())
	return nil
}

// EndTest removes the temporary version that RotateSecret registered because of
// RotateImmediately=false, as the service does when testSecret has answered,
// whatever the answer. It is an error if a rotator has given that version another
// label.
func (m *SecretsManager) EndTest(secretID, token string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, err := m.find(secretID)
	if err != nil {
		return err
	}
	if s.holder[labelPending] == token {
		delete(s.holder, labelPending)
	}
	if labels := s.labels(token); len(labels) > 0 {
		return fmt.Errorf("version %s was only to be tested, but holds %v", token, labels)
	}
	delete(s.versions, token)
	s.record(m.now())
	return nil
}

// ScriptReplication sets the ReplicationStatus that the next calls of
// DescribeSecret give, one element a call; the last one stays.
func (m *SecretsManager) ScriptReplication(secretID string, statuses ...[]types.ReplicationStatusType) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, err := m.find(secretID)
	if err != nil {
		return err
	}
	s.replication = slices.Clone(statuses)
	return nil
}
