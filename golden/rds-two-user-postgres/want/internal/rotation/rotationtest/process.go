package rotationtest

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"example.com/orders-db/internal/rotation"
)

// Fault is what befalls a process at one of its calls to the outside.
type Fault int

const (
	// None lets the call through.
	None Fault = iota
	// KillBefore ends the process before the call is made.
	KillBefore
	// KillAfter ends the process after the call was carried out and before
	// its answer arrives.
	KillAfter
	// Fail breaks the connection before the call arrives.
	Fail
	// Lose breaks the connection after the call was carried out.
	Lose
	// Freeze stops the process before the call until it is thawed, as Lambda
	// does between invocations.
	Freeze
	// Late ends the process while the call waits at the server, which carries
	// it out when something else needs what it holds, or at last. A call
	// that cannot wait is KillAfter.
	Late
	// Cancelled is Late at a server that gives the call up instead.
	Cancelled
	// Repeat is Lose for a caller that the SDK sends the request again for: what
	// it hears is the answer to the second one. A call that the SDK does not
	// repeat is a lost one.
	Repeat
	// Outage breaks this connection and every later one to the same side before
	// anything arrives, for [OutageTime].
	Outage
	// Throttle is an Outage in which Secrets Manager asks to slow down.
	Throttle
	// Ill is an Outage in which Secrets Manager answers that it is ill.
	Ill
)

// OutageTime is how long an outage lasts, which is a small part of an
// invocation's time.
const OutageTime = 8 * time.Second

func (f Fault) String() string {
	return [...]string{"none", "killed before", "killed after", "failed", "answer lost", "frozen before", "killed, and late", "killed, and cancelled",
		"answer lost and request repeated", "outage", "throttled for a while", "ill for a while"}[f]
}

// kills reports whether the fault ends the process.
func (f Fault) kills() bool {
	return f == KillBefore || f == KillAfter || f == Late || f == Cancelled
}

// Outside is everything beyond the rotator: all calls of all its processes
// cross it, in an order that it counts, and one of them may meet a fault.
type Outside struct {
	// Now is the clock by which outages end; nil means time.Now.
	Now func() time.Time

	mu    sync.Mutex
	calls []string
	at    int // the call that meets fault, from 1; 0 for none
	fault Fault

	late    []func()
	cancels bool // the server cancels what is late

	outage outage // the last one
}

// outage is a fault that lasts.
type outage struct {
	fault Fault
	side  string
	ends  time.Time
}

// Plan makes the n-th call from now, counted from 1, meet a fault.
func (o *Outside) Plan(n int, fault Fault) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls, o.at, o.fault, o.outage = nil, n, fault, outage{}
	if fault != None {
		o.cancels = fault == Cancelled
	}
}

// Calls returns the names of the calls since the last plan.
func (o *Outside) Calls() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.calls)
}

// Overdue ends the waiting of calls whose callers are dead: a server that
// wants what they hold carries them out, or cancels them.
func (o *Outside) Overdue() {
	o.mu.Lock()
	late, cancel := o.late, o.cancels
	o.late = nil
	o.mu.Unlock()
	for _, do := range late {
		if !cancel {
			do()
		}
	}
}

// Waiting reports whether a call of a dead caller is still waiting at a server.
func (o *Outside) Waiting() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.late) > 0
}

// next counts a call to a side and returns what befalls it.
func (o *Outside) next(side, op string) Fault {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls = append(o.calls, op)
	now := time.Now
	if o.Now != nil {
		now = o.Now
	}
	if o.outage.side == side && now().Before(o.outage.ends) {
		return o.outage.fault
	}
	if len(o.calls) != o.at {
		return None
	}
	if o.fault >= Outage {
		o.outage = outage{o.fault, side, now().Add(OutageTime)}
	}
	return o.fault
}

// Process is one running rotator. A dead one has no effect on anything any
// more, whatever its deferred functions still try.
type Process struct {
	outside *Outside

	mu     sync.Mutex
	dead   bool
	frozen chan struct{} // closed when it thaws; nil while it runs
	froze  chan struct{} // closed when it freezes
}

// Process starts a process.
func (o *Outside) Process() *Process {
	return &Process{outside: o, froze: make(chan struct{})}
}

// Dead reports whether the process was killed.
func (p *Process) Dead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

// Frozen reports whether the process stands still.
func (p *Process) Frozen() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.frozen != nil
}

// Thaw lets a frozen process go on.
func (p *Process) Thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.frozen)
	p.frozen = nil
}

// Kill ends the process: the next call that it makes does not return.
func (p *Process) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
}

// Call takes one call across the boundary. broken is the error that the
// rotator's side sees if the connection breaks. If the process dies in the
// call, Call does not return: it ends the goroutine, as [runtime.Goexit] does.
func (p *Process) Call(op string, broken error, do func() error) error {
	return p.call(call{side: target, op: op, broken: broken}, do)
}

// Send is Call for a call that may wait at the server while its caller dies.
func (p *Process) Send(op string, broken error, do func() error) error {
	return p.call(call{side: target, op: op, broken: broken, mayWait: true}, do)
}

// The sides that calls go to.
const (
	target         = "target"
	secretsManager = "Secrets Manager"
)

// call is one call to the outside.
type call struct {
	side, op string
	broken   error // of a connection that breaks
	mayWait  bool  // at the server, while its caller dies
	repeats  bool  // the SDK sends it again
}

func (p *Process) call(c call, do func() error) error {
	if p.Dead() {
		runtime.Goexit()
	}
	switch fault := p.outside.next(c.side, c.op); {
	case fault == KillBefore:
		p.die()
	case (fault == Late || fault == Cancelled) && c.mayWait:
		p.outside.mu.Lock()
		p.outside.late = append(p.outside.late, func() { _ = do() })
		p.outside.mu.Unlock()
		p.die()
	case fault.kills():
		_ = do()
		p.die()
	case fault == Repeat && c.repeats:
		_ = do()
	case fault == Lose, fault == Repeat:
		_ = do()
		return c.broken
	case fault == Throttle && c.side == secretsManager:
		return &smithy.GenericAPIError{Code: "ThrottlingException", Fault: smithy.FaultClient}
	case fault == Ill && c.side == secretsManager:
		return &types.InternalServiceError{}
	case fault == Fail, fault >= Outage:
		return c.broken
	case fault == Freeze:
		p.freeze()
	}
	return do()
}

func (p *Process) die() {
	p.Kill()
	runtime.Goexit()
}

func (p *Process) freeze() {
	p.mu.Lock()
	thawed := make(chan struct{})
	p.frozen = thawed
	close(p.froze)
	p.mu.Unlock()
	<-thawed
	if p.Dead() {
		runtime.Goexit()
	}
}

// errKilled is what the service sees of a process that died.
var errKilled = errors.New("the process was killed")

// run runs do in the process and returns do's error, or errKilled. If the
// process comes to stand still, run returns a function that waits for its end.
func (p *Process) run(do func() error) (wait func() error, err error) {
	done := make(chan error, 1)
	go func() {
		result := errKilled
		defer func() { done <- result }()
		result = do()
	}()
	select {
	case err := <-done:
		return nil, err
	case <-p.froze:
		return func() error { return <-done }, nil
	}
}

// Store returns Secrets Manager as the process sees it.
func (p *Process) Store(store rotation.Store) rotation.Store { return processStore{p, store} }

type processStore struct {
	p     *Process
	store rotation.Store
}

var errBroken = errors.New("the connection broke")

func through[I, O any](ctx context.Context, p *Process, op string, in *I, do func(context.Context, *I, ...func(*secretsmanager.Options)) (*O, error), options []func(*secretsmanager.Options)) (out *O, err error) {
	err = p.call(call{side: secretsManager, op: op, broken: errBroken, repeats: repeats(options)}, func() (err error) {
		out, err = do(ctx, in)
		return err
	})
	return out, err
}

// repeats reports whether the SDK would send a request with these options more
// than once.
func repeats(options []func(*secretsmanager.Options)) bool {
	var o secretsmanager.Options
	for _, set := range options {
		set(&o)
	}
	return o.Retryer == nil || o.Retryer.MaxAttempts() != 1
}

func (s processStore) DescribeSecret(ctx context.Context, in *secretsmanager.DescribeSecretInput, options ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error) {
	return through(ctx, s.p, "DescribeSecret", in, s.store.DescribeSecret, options)
}

func (s processStore) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, options ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	return through(ctx, s.p, "GetSecretValue", in, s.store.GetSecretValue, options)
}

func (s processStore) PutSecretValue(ctx context.Context, in *secretsmanager.PutSecretValueInput, options ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error) {
	return through(ctx, s.p, "PutSecretValue", in, s.store.PutSecretValue, options)
}

func (s processStore) UpdateSecretVersionStage(ctx context.Context, in *secretsmanager.UpdateSecretVersionStageInput, options ...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretVersionStageOutput, error) {
	return through(ctx, s.p, "UpdateSecretVersionStage", in, s.store.UpdateSecretVersionStage, options)
}

func (s processStore) ListSecretVersionIds(ctx context.Context, in *secretsmanager.ListSecretVersionIdsInput, options ...func(*secretsmanager.Options)) (*secretsmanager.ListSecretVersionIdsOutput, error) {
	return through(ctx, s.p, "ListSecretVersionIds", in, s.store.ListSecretVersionIds, options)
}
