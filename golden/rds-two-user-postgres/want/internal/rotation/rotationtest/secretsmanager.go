package rotationtest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// The staging labels that Secrets Manager itself gives a meaning.
const (
	labelCurrent  = "AWSCURRENT"
	labelPending  = "AWSPENDING"
	labelPrevious = "AWSPREVIOUS"
)

// SecretsManager is AWS Secrets Manager in memory, with the service's own
// rules for versions, staging labels and rotation. Its methods have the
// signatures of *secretsmanager.Client, so it goes wherever the client goes,
// and it answers with the SDK's own error types.
//
// It keeps state and enforces rules; it does not act. The code that plays the service
// calls RotateSecret, runs the rotator's steps and reports the outcome with
// RotationSucceeded or EndTest.
//
// Its own reads are exact; those that [Lagging] answers are late. Rate limits and
// failures come from [Outside], which stands between it and a [Process].
//
// Not here, because no rotator depends on them: encryption keys, checks of form, policies,
// deletion, tags, replication itself, and the schedule beyond NextRotationDate.
//
// The zero value is an account without secrets. It is safe for use by several
// goroutines at once; set the fields before the first call.
type SecretsManager struct {
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	// EmptyTestVersion says that RotateSecret with RotateImmediately=false
	// registers its temporary version without a value. AWS documents the
	// version but not what is in it, so a rotator must pass with both: with
	// a copy of AWSCURRENT, which is the default, and with nothing.
	EmptyTestVersion bool

	// ReplicationLag is how long after a move of AWSCURRENT DescribeSecret still
	// says of the replicas what it said before: the service answers first and
	// copies then.
	ReplicationLag time.Duration

	mu      sync.Mutex
	secrets map[string]*secret // by name
	tokens  int                // request tokens made up so far
}

// CreateSecret makes a secret. A request with a value stores it as the first
// version, with the label AWSCURRENT; without a value the secret has no version.
//
// The same name, token and value again is no error.
func (m *SecretsManager) CreateSecret(ctx context.Context, in *secretsmanager.CreateSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.CreateSecretOutput, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()

	name := aws.ToString(in.Name)
	if name == "" {
		return nil, invalidParameter("Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!")
	}
	val := valueOf(in.SecretString, in.SecretBinary)
	if val.both() {
		return nil, invalidRequest("You can't specify both a binary secret value and a string secret value in the same secret.")
	}
	token := m.token(in.ClientRequestToken)
	s := m.secrets[name]
	switch {
	case s == nil:
		s = newSecret(name, m.now())
		s.description = clone(in.Description)
		s.kmsKeyID = clone(in.KmsKeyId)
		if m.secrets == nil {
			m.secrets = map[string]*secret{}
		}
		m.secrets[name] = s
		if !val.empty() {
			s.add(token, val, m.now())
			s.attach(labelCurrent, token)
		}
		s.record(m.now())
	case s.versions[token] == nil || !s.versions[token].value.equal(val):
		return nil, &types.ResourceExistsException{Message: aws.String("The operation failed because the secret " + name + " already exists.")}
	}
	out := &secretsmanager.CreateSecretOutput{ARN: aws.String(s.arn), Name: aws.String(s.name)}
	if !val.empty() {
		out.VersionId = aws.String(token)
	}
	return out, nil
}

// DescribeSecret answers with everything but the value. VersionIdsToStages names
// only versions that have a label.
func (m *SecretsManager) DescribeSecret(ctx context.Context, in *secretsmanager.DescribeSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error) {
	return m.describeSecret(ctx, in, exact)
}

func (m *SecretsManager) describeSecret(ctx context.Context, in *secretsmanager.DescribeSecretInput, as sight) (*secretsmanager.DescribeSecretOutput, error) {
	live, err := m.open(ctx, in.SecretId)
	if err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	s := as(live)
	return &secretsmanager.DescribeSecretOutput{
		ARN:                aws.String(s.arn),
		Name:               aws.String(s.name),
		Description:        clone(s.description),
		KmsKeyId:           clone(s.kmsKeyID),
		CreatedDate:        date(s.created),
		LastChangedDate:    date(s.changed),
		LastAccessedDate:   date(s.accessed),
		LastRotatedDate:    s.lastRotation(),
		NextRotationDate:   s.nextRotation(),
		RotationEnabled:    clone(s.rotationEnabled),
		RotationLambdaARN:  clone(s.rotationLambda),
		RotationRules:      cloneRules(s.rotationRules),
		ReplicationStatus:  live.nextReplicationStatus(m.now().Add(-m.ReplicationLag)),
		VersionIdsToStages: s.stages(),
	}, nil
}

// GetSecretValue answers with the value of one version: the one with VersionId,
// or the one that holds VersionStage, which is AWSCURRENT by default. If both are
// given, they must mean the same version.
//
// A version without a value is not found, neither by its id nor by its label, as
// seen with AWS: https://github.com/getmoto/moto/issues/8403.
func (m *SecretsManager) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	return m.getSecretValue(ctx, in, exact)
}

func (m *SecretsManager) getSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, as sight) (*secretsmanager.GetSecretValueOutput, error) {
	s, err := m.open(ctx, in.SecretId)
	if err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	s = as(s)
	id, stage := aws.ToString(in.VersionId), aws.ToString(in.VersionStage)
	if id == "" && stage == "" {
		stage = labelCurrent
	}
	what := "staging label: " + stage
	switch {
	case id == "":
		id = s.holder[stage]
	case stage == "":
		what = "VersionId: " + id
	}
	v := s.versions[id]
	if v != nil && stage != "" && s.holder[stage] != id {
		return nil, invalidRequest("You provided a VersionStage that is not associated to the provided VersionId.")
	}
	if v == nil || v.value.empty() {
		return nil, notFound("Secrets Manager can't find the specified secret value for " + what)
	}
	// AWS keeps the day of the last access, not the time.
	v.accessed = m.now().UTC().Truncate(24 * time.Hour)
	s.accessed = v.accessed
	return &secretsmanager.GetSecretValueOutput{
		ARN:           aws.String(s.arn),
		Name:          aws.String(s.name),
		CreatedDate:   date(v.created),
		SecretString:  clone(v.value.text),
		SecretBinary:  bytes.Clone(v.value.binary),
		VersionId:     aws.String(id),
		VersionStages: s.labels(id),
	}, nil
}

// PutSecretValue stores a value as the version ClientRequestToken and gives it
// the labels VersionStages, by default AWSCURRENT. It is also how a rotator fills
// the empty version that RotateSecret registered.
//
// If the version has this value already, nothing happens, whatever the labels; if
// it has another, the answer is ResourceExistsException. A new version that
// takes AWSCURRENT ends a rotation under way: AWSPENDING is gone from every
// version, which CloudTrail reports as RotationAbandoned. Recorded from AWS:
// https://github.com/localstack/localstack/blob/main/tests/aws/services/secretsmanager/test_secretsmanager.snapshot.json
// (test_update_secret_version_stages_current_pending).
func (m *SecretsManager) PutSecretValue(ctx context.Context, in *secretsmanager.PutSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error) {
	s, err := m.open(ctx, in.SecretId)
	if err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	val := valueOf(in.SecretString, in.SecretBinary)
	switch {
	case val.empty():
		return nil, invalidRequest("You must provide either SecretString or SecretBinary.")
	case val.both():
		return nil, invalidRequest("You can't specify both a binary secret value and a string secret value in the same secret.")
	}
	stages := slices.Clone(in.VersionStages)
	if len(stages) == 0 {
		stages = []string{labelCurrent}
	}
	token := m.token(in.ClientRequestToken)
	v := s.versions[token]
	switch {
	case v != nil && v.value.equal(val):
		return s.putOutput(token), nil
	case v != nil && !v.value.empty():
		return nil, &types.ResourceExistsException{Message: aws.String("You can't use ClientRequestToken " + token + " because that value is already in use for a version of secret " + s.arn + ".")}
	case s.tooManyLabels(stages):
		return nil, tooManyLabels()
	case v != nil:
		v.value = val
	default:
		if len(s.versions) == 0 {
			stages = append(stages, labelCurrent)
		}
		s.add(token, val, m.now())
	}
	if slices.Contains(stages, labelCurrent) && s.holder[labelPending] != token {
		delete(s.holder, labelPending)
	}
	for _, stage := range stages {
		s.attach(stage, token)
	}
	s.wrote(m.now())
	return s.putOutput(token), nil
}

func (s *secret) putOutput(token string) *secretsmanager.PutSecretValueOutput {
	return &secretsmanager.PutSecretValueOutput{
		ARN:           aws.String(s.arn),
		Name:          aws.String(s.name),
		VersionId:     aws.String(token),
		VersionStages: s.labels(token),
	}
}

// UpdateSecretVersionStage moves a label, puts it on a version, or, without
// MoveToVersionId, removes it. It compares and swaps: a label that is on another
// version moves only if RemoveFromVersionId is that version. Moving AWSCURRENT
// moves AWSPREVIOUS to the version that held it.
//
// A version without a value may get AWSCURRENT: AWS does not say that it refuses,
// and a rotator that promotes one must not be saved by its test.
//
// The messages are AWS's where they are on record
// (https://github.com/hashicorp/terraform-provider-aws/issues/19943 and
// internal/service/secretsmanager/secret_version.go there).
func (m *SecretsManager) UpdateSecretVersionStage(ctx context.Context, in *secretsmanager.UpdateSecretVersionStageInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretVersionStageOutput, error) {
	s, err := m.open(ctx, in.SecretId)
	if err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	stage, to, from := aws.ToString(in.VersionStage), aws.ToString(in.MoveToVersionId), aws.ToString(in.RemoveFromVersionId)
	holder := s.holder[stage]
	switch {
	case stage == "":
		return nil, invalidParameter("You must provide a VersionStage.")
	case to == "" && from == "":
		return nil, invalidParameter("You must provide MoveToVersionId or RemoveFromVersionId.")
	case to != "" && s.versions[to] == nil:
		return nil, notFound("Secrets Manager can't find the specified secret version: " + to)
	case from != "" && from != holder:
		return nil, invalidParameter("When you move staging label " + stage + ", if you specify RemoveFromVersionId, it must be set to the version that currently has the staging label " + stage + ".")
	case from == "" && holder != "" && holder != to:
		return nil, invalidParameter("The parameter RemoveFromVersionId can't be empty. Staging label " + stage + " is currently attached to version " + holder + ", so you must explicitly reference that version in RemoveFromVersionId.")
	case to == "" && stage == labelCurrent:
		return nil, invalidParameter("You can only move staging label AWSCURRENT to a different secret version. It can’t be completely removed.")
	case to == "":
		delete(s.holder, stage)
	case s.tooManyLabels([]string{stage}):
		return nil, tooManyLabels()
	default:
		s.attach(stage, to)
	}
	s.wrote(m.now())
	return &secretsmanager.UpdateSecretVersionStageOutput{ARN: aws.String(s.arn), Name: aws.String(s.name)}, nil
}

// ListSecretVersionIds lists the versions that have a label and, if asked, those
// that have none, a page of MaxResults (at most 100) at a time. A page may be
// empty and yet not the last. AWS promises no order; here it is the order of the
// ids, so that no one comes to rely on the newest being first.
func (m *SecretsManager) ListSecretVersionIds(ctx context.Context, in *secretsmanager.ListSecretVersionIdsInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.ListSecretVersionIdsOutput, error) {
	return m.listSecretVersionIDs(ctx, in, exact)
}

func (m *SecretsManager) listSecretVersionIDs(ctx context.Context, in *secretsmanager.ListSecretVersionIdsInput, as sight) (*secretsmanager.ListSecretVersionIdsOutput, error) {
	s, err := m.open(ctx, in.SecretId)
	if err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	s = as(s)
	ids := slices.Sorted(maps.Keys(s.versions))
	if in.NextToken != nil {
		after, ok := strings.CutPrefix(*in.NextToken, pageAfter)
		if !ok {
			return nil, &types.InvalidNextTokenException{Message: aws.String("The NextToken value is invalid.")}
		}
		ids = slices.DeleteFunc(ids, func(id string) bool { return id <= after })
	}
	size := 100
	if in.MaxResults != nil {
		size = int(*in.MaxResults)
		if size < 1 || size > 100 {
			return nil, invalidParameter("MaxResults must be between 1 and 100.")
		}
	}
	out := &secretsmanager.ListSecretVersionIdsOutput{ARN: aws.String(s.arn), Name: aws.String(s.name)}
	if len(ids) > size {
		ids = ids[:size]
		out.NextToken = aws.String(pageAfter + ids[size-1])
	}
	for _, id := range ids {
		if s.deprecated(id) && !aws.ToBool(in.IncludeDeprecated) {
			continue
		}
		v := s.versions[id]
		out.Versions = append(out.Versions, types.SecretVersionsListEntry{
			VersionId:        aws.String(id),
			VersionStages:    s.labels(id),
			CreatedDate:      date(v.created),
			LastAccessedDate: date(v.accessed),
		})
	}
	return out, nil
}

// pageAfter begins a NextToken; the last id of the page before follows.
const pageAfter = "after:"

// RotateSecret turns rotation on, stores what the request says of it and registers
// the version ClientRequestToken with the label AWSPENDING and no value. With
// RotateImmediately=false that version is only to be tested: see EmptyTestVersion
// and EndTest.
//
// If AWSPENDING is on another version than AWSCURRENT, the answer is
// InvalidRequestException, and the service takes up that rotation again: see
// InFlight. AWSPENDING on the version that holds AWSCURRENT, or on none, is the
// end of a rotation that succeeded (documented with the API).
//
// The token of the rotation under way is accepted again and changes nothing, so
// that a caller can repeat a request whose answer was lost. That is what the
// token is for, but AWS does not say so of this case.
func (m *SecretsManager) RotateSecret(ctx context.Context, in *secretsmanager.RotateSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.RotateSecretOutput, error) {
	s, err := m.open(ctx, in.SecretId)
	if err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	token := m.token(in.ClientRequestToken)
	out := &secretsmanager.RotateSecretOutput{ARN: aws.String(s.arn), Name: aws.String(s.name), VersionId: aws.String(token)}
	inFlight := s.inFlight()
	switch {
	case in.RotationLambdaARN == nil && s.rotationLambda == nil:
		return nil, invalidRequest("No Lambda rotation function ARN is associated with this secret.")
	case inFlight == token:
		return out, nil
	case inFlight != "":
		return nil, invalidRequest("A previous rotation isn't complete. That rotation will be reattempted.")
	case s.versions[token] != nil:
		return nil, invalidRequest("You can't use ClientRequestToken " + token + " because that value is already in use for a version of secret " + s.arn + ".")
	}
	s.rotationEnabled = aws.Bool(true)
	if in.RotationLambdaARN != nil {
		s.rotationLambda = clone(in.RotationLambdaARN)
	}
	if in.RotationRules != nil {
		s.rotationRules = cloneRules(in.RotationRules)
	}
	var val value
	if current := s.versions[s.holder[labelCurrent]]; current != nil && !*cmp.Or(in.RotateImmediately, aws.Bool(true)) && !m.EmptyTestVersion {
		val = current.value
	}
	s.add(token, val, m.now())
	s.attach(labelPending, token)
	s.wrote(m.now())
	return out, nil
}

// CancelRotateSecret turns rotation off. It leaves every label where it is, so a
// rotation under way stays half done.
func (m *SecretsManager) CancelRotateSecret(ctx context.Context, in *secretsmanager.CancelRotateSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.CancelRotateSecretOutput, error) {
	s, err := m.open(ctx, in.SecretId)
	if err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	s.rotationEnabled = aws.Bool(false)
	s.wrote(m.now())
	out := &secretsmanager.CancelRotateSecretOutput{ARN: aws.String(s.arn), Name: aws.String(s.name)}
	if token := s.inFlight(); token != "" {
		out.VersionId = aws.String(token)
	}
	return out, nil
}

// now is the time on the clock, to the millisecond that the service keeps.
func (m *SecretsManager) now() time.Time {
	if m.Now != nil {
		return m.Now().Truncate(time.Millisecond)
	}
	return time.Now().Truncate(time.Millisecond)
}

// token is the request token, or a new one where the SDK's client would make one.
func (m *SecretsManager) token(given *string) string {
	if given != nil {
		return *given
	}
	m.tokens++
	return fmt.Sprintf("00000000-0000-4000-8000-%012d", m.tokens)
}

// open locks m and finds the secret; with an error, m is not locked.
func (m *SecretsManager) open(ctx context.Context, id *string) (*secret, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	s, err := m.find(aws.ToString(id))
	if err != nil {
		m.mu.Unlock()
	}
	return s, err
}

// find is the secret with this name, ARN, or ARN without the hyphen and the six
// characters at its end. As in AWS, an id that ends in a hyphen and six
// characters is taken for a complete ARN.
func (m *SecretsManager) find(id string) (*secret, error) {
	looksComplete := len(id) > suffixLen && id[len(id)-suffixLen] == '-'
	for _, s := range m.secrets {
		partial := s.arn[:len(s.arn)-suffixLen]
		if id == s.name || id == s.arn || id == partial && !looksComplete {
			s.collect(m.now())
			return s, nil
		}
	}
	return nil, notFound("Secrets Manager can't find the specified secret.")
}

func notFound(message string) error {
	return &types.ResourceNotFoundException{Message: aws.String(message)}
}

func invalidRequest(message string) error {
	return &types.InvalidRequestException{Message: aws.String(message)}
}

func invalidParameter(message string) error {
	return &types.InvalidParameterException{Message: aws.String(message)}
}

func tooManyLabels() error {
	return &types.LimitExceededException{Message: aws.String(fmt.Sprintf("A secret can have at most %d staging labels across all its versions.", maxLabels))}
}

// clone is a pointer of its own to the same value.
func clone[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

func cloneRules(r *types.RotationRulesType) *types.RotationRulesType {
	if r == nil {
		return nil
	}
	return &types.RotationRulesType{
		AutomaticallyAfterDays: clone(r.AutomaticallyAfterDays),
		Duration:               clone(r.Duration),
		ScheduleExpression:     clone(r.ScheduleExpression),
	}
}

// date is nil for the zero time, as the service leaves a date out that is not set.
func date(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
