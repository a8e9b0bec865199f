package rotation

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// Event is what Secrets Manager sends for one step of a rotation, what a
// person sends for a preflight, or what a schedule sends to have the age of the
// last rotation measured.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
// (that page writes the steps in snake case; what arrives is camel case).
type Event struct {
	Step               string
	SecretID           string `json:"SecretId"` // the ARN
	ClientRequestToken string
	// RotationToken proves to PutSecretValue that Secrets Manager asked. It
	// must be passed on and never be logged.
	// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
	RotationToken Sensitive
	Preflight     bool
	Age           bool
}

// The steps of a rotation as they stand in the event.
const (
	StepCreate = "createSecret"
	StepSet    = "setSecret"
	StepTest   = "testSecret"
	StepFinish = "finishSecret"

	stepPreflight = "preflight"
	stepAge       = "age"
)

// ReadsLag is how old a read of Secrets Manager may be. AWS calls it eventually
// consistent and gives no number; some seconds have been seen.
const ReadsLag = 10 * time.Second

const (
	// settleMargin is kept of the invocation's time for putting things right
	// and for saying what happened.
	settleMargin = 4 * time.Second
	// lookPause is the time between two looks, and between two tries of a call.
	lookPause = 500 * time.Millisecond
	// finishTries is how often finish starts anew after losing a race for
	// AWSCURRENT. Losing it twice means that someone moves labels by hand.
	finishTries = 3
)

// Handler answers the events of a rotation function. Lambda runs one
// invocation at a time in a process, and a Handler expects no more.
type Handler struct {
	store    Store
	strategy Strategy
	config   Config

	log     *slog.Logger
	metrics io.Writer
	now     func() time.Time
	sleep   func(context.Context, time.Duration) error

	values map[string]Value // by secret and version id
}

// Option changes what a Handler takes from its surroundings. Tests use them.
type Option func(*Handler)

// WithOutput sends logs and metrics to w instead of standard output.
func WithOutput(w io.Writer) Option {
	return func(h *Handler) {
		h.log, h.metrics = slog.New(slog.NewJSONHandler(w, nil)), w
	}
}

// WithClock replaces the clock and the pauses between looks.
func WithClock(now func() time.Time, sleep func(context.Context, time.Duration) error) Option {
	return func(h *Handler) { h.now, h.sleep = now, sleep }
}

// New returns a Handler for a store and a strategy.
func New(store Store, strategy Strategy, config Config, options ...Option) *Handler {
	h := &Handler{
		store:    store,
		strategy: strategy,
		config:   config,
		now:      time.Now,
		sleep:    sleep,
		values:   make(map[string]Value),
	}
	WithOutput(os.Stdout)(h)
	for _, option := range options {
		option(h)
	}
	return h
}

// Handle answers one event, in the form that lambda.Start wants. The answer is
// nil for a step and a [Preflight] for a preflight; the error, if any, is an
// [Error].
func (h *Handler) Handle(ctx context.Context, payload json.RawMessage) (answer any, err error) {
	began := h.now()
	r := &Rotation{Log: h.log, Report: new(Report), h: h}
	defer func() {
		// The text of a panic may hold anything; only where it came from is told.
		if p := recover(); p != nil {
			err = Errorf(CodePanic, "%T in %s", p, caller())
		}
		if err != nil {
			err = printable(err)
		}
		h.tell(ctx, r, h.now().Sub(began), err)
	}()

	if err := json.Unmarshal(payload, &r.event); err != nil || r.event.SecretID == "" {
		return nil, Errorf(CodeBadEvent, "the event is not a rotation event of Secrets Manager")
	}
	switch {
	case r.event.Preflight:
		r.event.Step, r.event.ClientRequestToken = stepPreflight, ""
	case r.event.Age:
		r.event.Step, r.event.ClientRequestToken = stepAge, ""
	}
	if !h.config.allows(r.event.SecretID) {
		return nil, Errorf(CodeSecretNotAllowed, "%s is not in ALLOWED_SECRETS", oneLine(r.event.SecretID))
	}
	r.Log = h.log.With("step", oneLine(r.event.Step), "secret", oneLine(r.event.SecretID), "version", oneLine(r.event.ClientRequestToken))
	ctx, cancel := r.bound(ctx)
	defer cancel()

	switch {
	case r.event.Preflight:
		return h.preflight(ctx, r), nil
	case r.event.Age:
		return nil, r.describe(ctx) // the metrics are the answer
	}
	return nil, h.step(ctx, r)
}

// bound keeps a part of the invocation's time back, so that a server that does
// not answer ends in an error and not in a killed process.
func (r *Rotation) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	r.end = end
	return context.WithDeadline(ctx, end.Add(-min(settleMargin, time.Until(end)/4)))
}

func (h *Handler) step(ctx context.Context, r *Rotation) error {
	if r.event.ClientRequestToken == "" {
		return Errorf(CodeBadEvent, "the event has no ClientRequestToken")
	}
	steps := map[string]func(context.Context, *Rotation, *secretsmanager.DescribeSecretOutput) error{
		StepCreate: h.create,
		StepSet:    h.set,
		StepTest:   h.test,
		StepFinish: h.finish,
	}
	run, ok := steps[r.event.Step]
	if !ok {
		return Errorf(CodeBadEvent, "step %q is not a step of a rotation", oneLine(r.event.Step))
	}
	secret, err := h.guard(ctx, r)
	if err == nil && r.promoted() && r.event.Step != StepFinish {
		err = errPromoted
	}
	if err == nil {
		err = run(ctx, r, secret)
	}
	if Superseded(err) {
		r.Log.InfoContext(ctx, "another delivery has promoted the version: nothing to do")
		return nil
	}
	return err
}

// guard reads the labels and says whether the step may go on (C1). A refusal
// may rest on the labels of some seconds ago (C22).
func (h *Handler) guard(ctx context.Context, r *Rotation) (*secretsmanager.DescribeSecretOutput, error) {
	for began := h.now(); ; {
		secret, err := r.describeSecret(ctx)
		switch {
		case secret == nil || err == nil:
			return secret, err
		case r.replaced(err):
			return nil, errPromoted
		}
		if !h.again(ctx, began, ReadsLag) {
			return nil, err
		}
	}
}

// again pauses before another look or try. It says no once patience has run out since
// began, or ctx has ended.
func (h *Handler) again(ctx context.Context, began time.Time, patience time.Duration) bool {
	return h.now().Sub(began) < patience && h.sleep(ctx, lookPause) == nil
}

// create gives the pending version a value, once.
func (h *Handler) create(ctx context.Context, r *Rotation, secret *secretsmanager.DescribeSecretOutput) error {
	refusal := h.mayBegin(secret)
	patience := time.Duration(0) // a value that was stored already makes storing another fail
	if refusal != nil {
		patience = ReadsLag // but nothing makes giving up fail
	}
	_, err := h.await(ctx, r, patience, r.Pending)
	switch {
	case err == nil:
		r.Log.InfoContext(ctx, "the version has a value already: nothing to do")
		return nil
	case !errors.Is(err, errNoValue):
		return err
	case refusal != nil:
		return r.GiveUp(ctx, refusal)
	}
	current, err := h.await(ctx, r, ReadsLag, r.Current)
	if err != nil {
		return err
	}
	next, err := h.strategy.Next(ctx, r, current.Value)
	if err != nil {
		return err
	}
	input := &secretsmanager.PutSecretValueInput{
		SecretId:           &r.event.SecretID,
		ClientRequestToken: &r.event.ClientRequestToken,
		SecretString:       aws.String(next.Text().Reveal()),
		VersionStages:      []string{StagePending}, // without it AWSCURRENT moves at once
	}
	if !r.event.RotationToken.IsZero() {
		input.RotationToken = aws.String(r.event.RotationToken.Reveal())
	}
	keeper, keeps := h.strategy.(Keeper)
	unclear, err := h.put(ctx, r, input)
	if err == nil {
		r.remember(r.event.SecretID+"#"+r.event.ClientRequestToken, next)
		if keeps {
			return keeper.Stored(ctx, r, next, true)
		}
		return nil
	}
	_, exists := errors.AsType[*types.ResourceExistsException](err)
	var left error
	if keeps {
		left = h.disown(ctx, r, keeper, next, unclear && !exists)
	}
	if exists {
		// Another delivery stored its value first. That one counts.
		_, err := h.await(ctx, r, ReadsLag, r.Pending)
		return cmp.Or(err, left)
	}
	return storeError(ctx, "PutSecretValue", err)
}

// put stores a value, which may be tried again without harm. unclear says that a
// request was left without an answer and may have been carried out.
func (h *Handler) put(ctx context.Context, r *Rotation, input *secretsmanager.PutSecretValueInput) (unclear bool, err error) {
	asking, cancel := r.Settling(ctx) // or the end of ctx leaves open what became of a request
	defer cancel()
	for began := h.now(); ; {
		_, err = h.store.PutSecretValue(asking, input, once)
		unclear = unclear || err != nil && !refused(err)
		if err == nil || !passing(storeError(ctx, "PutSecretValue", err)) || !h.again(ctx, began, ReadsLag) {
			return unclear, err
		}
	}
}

// disown tells the keeper that its value was not stored, if that is certain: after a
// call without an answer, only a version with another value proves it. It returns the
// keeper's error.
func (h *Handler) disown(ctx context.Context, r *Rotation, keeper Keeper, value Value, unclear bool) error {
	ctx, cancel := r.Settling(ctx)
	defer cancel()
	if unclear {
		stored, err := r.version(ctx, r.event.ClientRequestToken, "")
		if err != nil || stored.Value.Text() == value.Text() {
			return nil
		}
	}
	err := keeper.Stored(ctx, r, value, false)
	if err != nil {
		r.Log.WarnContext(ctx, "the credential made for a value that was not stored could not be removed", "code", CodeOf(err), "detail", printable(err).Detail)
	}
	return err
}

// mayBegin is why a rotation must not begin that has not stored a value, nil if it
// may.
func (h *Handler) mayBegin(secret *secretsmanager.DescribeSecretOutput) error {
	if h.config.Disabled {
		return Errorf(CodeDisabled, "ROTATION_DISABLED is set: unset it to rotate")
	}
	if !h.strategy.Overlaps() || h.config.MinRotationAge == 0 || secret.LastRotatedDate == nil {
		return nil
	}
	if age := h.now().Sub(*secret.LastRotatedDate); age < h.config.MinRotationAge {
		return Errorf(CodeTooSoon, "the last rotation is %s old and clients may still use the credential that this one would replace: wait until it is %s old, or set MIN_ROTATION_AGE to 0 for this rotation",
			age.Round(time.Second), h.config.MinRotationAge)
	}
	return nil
}

func (h *Handler) set(ctx context.Context, r *Rotation, _ *secretsmanager.DescribeSecretOutput) error {
	err := h.compare(ctx, r, forever)
	switch CodeOf(err) {
	case "":
		err = h.strategy.Set(ctx, r)
	case CodeSameValue:
		// It can never be promoted, and would block the next rotation.
		err = r.GiveUp(ctx, err)
	default:
	}
	return err
}

// test also serves RotateSecret with RotateImmediately=false, which runs this
// step alone, on a version that is a copy of AWSCURRENT or empty: it then says
// whether AWSCURRENT works.
func (h *Handler) test(ctx context.Context, r *Rotation, _ *secretsmanager.DescribeSecretOutput) error {
	err := h.compare(ctx, r, ReadsLag)
	switch CodeOf(err) {
	case "":
		return h.strategy.Test(ctx, r)
	case CodeNoPendingValue, CodeSameValue:
		return h.works(ctx, r)
	default:
		return err
	}
}

// works proves that AWSCURRENT works.
func (h *Handler) works(ctx context.Context, r *Rotation) error {
	current, err := h.await(ctx, r, ReadsLag, r.Current)
	if err != nil {
		return err
	}
	return h.strategy.Works(ctx, r, current.Value)
}

func (h *Handler) finish(ctx context.Context, r *Rotation, secret *secretsmanager.DescribeSecretOutput) error {
	proven := false
	for try := 1; !r.promoted(); try++ {
		err := h.promote(ctx, r)
		switch {
		case Superseded(err) && r.promoted():
		case err == nil && r.promoted():
			proven = true
		case err == nil:
			return Errorf(CodePanic, "the strategy finished and has promoted nothing")
		case errors.Is(err, errConflict) && try < finishTries:
			// Everything is asked again: the labels, both values, the log-in.
			if err := r.describe(ctx); err != nil {
				return notPending(err)
			}
		default:
			return err
		}
	}
	if !proven {
		if err := h.heal(ctx, r); err != nil {
			return r.GiveUp(ctx, err) // the label only: the rotation is over all the same
		}
	}
	if len(secret.ReplicationStatus) > 0 {
		// The promotion stands, whatever a replica does.
		waiting, cancel := h.patience(ctx)
		r.Report.Replicas = h.awaitReplicas(waiting, r)
		cancel()
	}
	if cleaner, ok := h.strategy.(Cleaner); ok {
		if err := cleaner.CleanUp(ctx, r); err != nil {
			r.Report.Degraded = err
		}
	}
	ctx, cancel := r.Settling(ctx) // cleaning up may have used up the time
	defer cancel()
	return r.abandon(ctx) // the label; the version is AWSCURRENT by now
}

// heal makes sure that the credential works that another delivery promoted (C22): one
// that read outdated labels may have undone it since.
func (h *Handler) heal(ctx context.Context, r *Rotation) error {
	err := h.works(ctx, r)
	if healer, ok := h.strategy.(Healer); ok && CodeOf(err) == CodeAuthRejected {
		return healer.Heal(ctx, r)
	}
	return err
}

// promote lets the strategy prove the pending credential and promote it.
func (h *Handler) promote(ctx context.Context, r *Rotation) error {
	if err := h.compare(ctx, r, forever); err != nil {
		return err
	}
	return h.strategy.Finish(ctx, r)
}

// compare refuses a pending value that was altered, before any host in it is dialled,
// and one that equals AWSCURRENT. For a value that does not show yet it waits as long
// as patience.
func (h *Handler) compare(ctx context.Context, r *Rotation, patience time.Duration) error {
	pending, err := h.await(ctx, r, patience, r.Pending)
	if err != nil {
		return err
	}
	current, err := h.await(ctx, r, ReadsLag, r.Current)
	if err != nil {
		return err
	}
	if keys := pending.Value.Differences(current.Value, h.strategy.Credential()...); len(keys) > 0 {
		return Errorf(CodeTampered, "AWSPENDING differs from AWSCURRENT in %s: only %s may differ",
			oneLine(strings.Join(keys, ", ")), strings.Join(h.strategy.Credential(), ", "))
	}
	if len(pending.Value.Differences(current.Value)) == 0 {
		return Errorf(CodeSameValue, "AWSPENDING is the same as AWSCURRENT")
	}
	return nil
}

// forever waits as long as the invocation allows.
const forever = time.Duration(math.MaxInt64)

// await reads a version until its value shows, for as long as patience, and until its
// label shows, for [ReadsLag]. It ends at once if another delivery has promoted the
// version, or if the labels refuse the step.
func (h *Handler) await(ctx context.Context, r *Rotation, patience time.Duration, read func(context.Context) (Version, error)) (Version, error) {
	known := r.promoted()
	for began := h.now(); ; {
		v, err := read(ctx)
		limit := patience
		switch {
		case errors.Is(err, errNoLabel):
			limit = ReadsLag
			guard := r.describe(ctx)
			if r.promoted() && !known || r.replaced(guard) {
				return Version{}, errPromoted
			}
			if guard != nil {
				return Version{}, guard
			}
		case !errors.Is(err, errNoValue):
			return v, err
		}
		if !h.again(ctx, began, limit) {
			return Version{}, err
		}
	}
}

// sleep pauses for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// caller names the function that panicked.
func caller() string {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		frame, more := frames.Next()
		if !strings.HasPrefix(frame.Function, "runtime.") {
			return fmt.Sprintf("%s, line %d", frame.Function, frame.Line)
		}
		if !more {
			return "an unknown place"
		}
	}
}
