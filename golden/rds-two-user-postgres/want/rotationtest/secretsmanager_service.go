package rotationtest

import (
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// The methods here are not part of the API: they are what the service does or
// knows by itself, for whoever plays it.

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
// LastRotatedDate is set here and not by the move of the label, because whoever
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
