// Package doctor says in which state the rotation of a secret is, why, and what to do.
//
// It is a function of a [Snapshot]: no clock, no network, no values of secrets. [Diagnose] gives one [State] and the
// [Finding] list that explains it, causes before consequences. The knowledge stands in tables: the states in
// states.go, a rule for each finding in the files rules_*.go, the codes of emitted rotators in codes.go, and what
// other rotators and Lambda write into logs in logs.go.
//
// No command that it gives reads a value or deletes anything. Taking AWSPENDING off a version is never given but
// behind the advice to see first whether AWSCURRENT logs in.
package doctor

import "time"

// Format is the version of the form in which a snapshot is saved. Fields are added, never renamed or removed.
const Format = 1

// A Snapshot is what was read of a secret and its rotation at one time. A section that could not be read is nil, and Unread
// says why. By its construction there is no value in it, and no text that was found in a description, a tag, an environment
// or a stranger's log.
type Snapshot struct {
	Format  int       `json:"format"`
	Taken   time.Time `json:"taken"`
	Region  string    `json:"region"`
	Profile string    `json:"profile,omitempty"` // of the AWS CLI, if one was named

	// ID is the name or ARN by which the secret was asked for. Commands name it.
	ID       string    `json:"id"`
	Secret   Secret    `json:"secret"`
	Versions []Version `json:"versions"`

	Function *Function `json:"function,omitempty"`
	Key      *Key      `json:"key,omitempty"` // a customer's; nil for the one that AWS manages
	Policy   *Policy   `json:"policy,omitempty"`
	Log      *Log      `json:"log,omitempty"`
	Events   *Events   `json:"events,omitempty"`
	Unread   []Unread  `json:"unread,omitempty"`
}

// Unread is a section that could not be read.
type Unread struct {
	Section string `json:"section"`
	Action  string `json:"action"` // that the call takes, such as kms:DescribeKey
	Why     string `json:"why"`
}

// Secret is what Secrets Manager says of a secret.
type Secret struct {
	ARN           string     `json:"arn"`
	Name          string     `json:"name"`
	Type          string     `json:"type,omitempty"` // of a managed external secret
	OwningService string     `json:"owning_service,omitempty"`
	PrimaryRegion string     `json:"primary_region,omitempty"`
	Enabled       bool       `json:"rotation_enabled"`
	Rotator       string     `json:"rotator,omitempty"` // the function's ARN
	Days          int64      `json:"days,omitempty"`
	Schedule      string     `json:"schedule,omitempty"`
	Window        string     `json:"window,omitempty"`
	KeyID         string     `json:"key_id,omitempty"`
	Created       *time.Time `json:"created,omitempty"`
	Changed       *time.Time `json:"changed,omitempty"` // in any way
	Rotated       *time.Time `json:"rotated,omitempty"` // nil while rotation is off
	Accessed      *time.Time `json:"accessed,omitempty"`
	Next          *time.Time `json:"next,omitempty"`
	Deleted       *time.Time `json:"deleted,omitempty"`
	Replicas      []Replica  `json:"replicas,omitempty"`
}

// Replica is a secret's copy in another region. Status is InSync, Failed or InProgress.
type Replica struct {
	Region  string `json:"region"`
	Status  string `json:"status"`
	Message string `json:"message,omitempty"`
	KeyID   string `json:"key_id,omitempty"`
}

// Version is one version of a secret. Created is nil where only the labels were read.
type Version struct {
	ID      string     `json:"id"`
	Labels  []string   `json:"labels,omitempty"`
	Created *time.Time `json:"created,omitempty"`
}

// Function is the rotation function.
type Function struct {
	Missing       bool       `json:"missing,omitempty"`
	State         string     `json:"state,omitempty"` // Active, Pending, Inactive or Failed
	Reason        string     `json:"reason,omitempty"`
	Update        string     `json:"update,omitempty"` // Successful, InProgress or Failed
	Runtime       string     `json:"runtime,omitempty"`
	Timeout       int        `json:"timeout,omitempty"` // seconds
	LogGroup      string     `json:"log_group,omitempty"`
	Reserved      *int       `json:"reserved,omitempty"` // concurrency
	VPC           string     `json:"vpc,omitempty"`
	Subnets       []string   `json:"subnets,omitempty"`
	Disabled      bool       `json:"disabled,omitempty"` // ROTATION_DISABLED is set
	Ours          bool       `json:"ours,omitempty"`     // it has the environment of an emitted function
	Invocation    Invocation `json:"invocation,omitempty"`
	InvocationFor string     `json:"invocation_for,omitempty"` // the ARN that the policy names instead
}

// Invocation is what a function's policy says to Secrets Manager.
type Invocation string

// The answers of a function's policy; the empty text says that it was not read.
const (
	Allowed          Invocation = "allowed"
	AllowedToAnyone  Invocation = "allowed-to-any-account" // no condition names an account or a secret
	AllowedElsewhere Invocation = "allowed-for-another-secret"
	NotAllowed       Invocation = "not-allowed"
)

// Key is the secret's encryption key. State is KMS's: Enabled, Disabled, PendingDeletion, PendingImport or another.
type Key struct {
	ID      string `json:"id"`
	Missing bool   `json:"missing,omitempty"`
	State   string `json:"state,omitempty"`
}

// Policy is what the secret's own policy says.
type Policy struct {
	Public bool `json:"public,omitempty"` // it allows everyone without a condition
	Denies bool `json:"denies,omitempty"` // it denies something, perhaps under conditions
}

// Log is what the function's log says of this secret since a time.
type Log struct {
	Group   string    `json:"group"`
	Missing bool      `json:"missing,omitempty"`
	Since   time.Time `json:"since"`
	Partial bool      `json:"partial,omitempty"` // there is more than was read
	Steps   []Step    `json:"steps,omitempty"`   // of an emitted function, oldest first
	Marks   []Mark    `json:"marks,omitempty"`   // of any other, oldest first
}

// Step is what an emitted function said of a step. Code and Detail are empty if it was done.
type Step struct {
	At      time.Time `json:"at"`
	Name    string    `json:"step"`
	Version string    `json:"version"`
	Code    string    `json:"code,omitempty"`
	Detail  string    `json:"detail,omitempty"`
}

// Mark is the name of a known form of log line: the line itself may hold a password and is not kept.
type Mark struct {
	At   time.Time `json:"at"`
	Name string    `json:"name"`
}

// Events is what CloudTrail has of the secret. It may be a quarter of an hour late.
type Events struct {
	Abandoned *time.Time `json:"abandoned,omitempty"` // the last RotationAbandoned
}
