package doctor

// State is the one word for where a rotation stands.
type State string

// The states.
const (
	StateDeleted   State = "scheduled-for-deletion"
	StateReplica   State = "replica"       // rotated in another region
	StateManaged   State = "managed"       // rotated by AWS, without a function
	StateNoValue   State = "no-value"      // the secret was never given a value
	StateCancelled State = "cancelled"     // rotation was switched off while one was under way
	StateOff       State = "off"           // rotation is switched off, or never was on
	StateRunning   State = "running"       // a rotation is under way
	StateFailed    State = "failed"        // a rotation was begun and has not come to its end
	StateAbandoned State = "abandoned"     // a value was put while a rotation was under way
	StateNever     State = "never-rotated" // rotation is on, and none has come to its end
	StateComplete  State = "complete"      // the last rotation has come to its end
)

type state struct {
	name State
	when func(*facts) bool
	says string
}

// states are tried in order: the first one that fits is the state, and the last one always does.
var states = []state{
	{StateDeleted, (*facts).deleted, "The secret is scheduled for deletion on {deleted}. Until it is restored, every read of it fails."},
	{StateReplica, (*facts).replica, "This is a replica. The secret is rotated in {primary}."},
	{StateManaged, (*facts).managed, "AWS rotates this secret by itself, without a function of yours."},
	{StateNoValue, (*facts).noValue, "No version holds AWSCURRENT: the secret was never given a value."},
	{StateCancelled, func(f *facts) bool { return f.open() && !f.s.Secret.Enabled }, "Rotation was switched off while a rotation was under way."},
	{StateOff, func(f *facts) bool { return !f.s.Secret.Enabled }, "Rotation is off: the value changes only by hand."},
	{StateRunning, func(f *facts) bool { return f.open() && f.busy() }, "A rotation began {pending-age} and is under way."},
	{StateFailed, (*facts).open, "The rotation that began {pending-age} has not come to its end."},
	{StateAbandoned, (*facts).abandoned, "A rotation was abandoned {abandoned-age}: a value was put while it was under way."},
	{StateFailed, (*facts).gaveUp, "The rotation that failed {failed-age} was given up."},
	{StateNever, func(f *facts) bool { return f.s.Secret.Rotated == nil }, "Rotation is on, and no rotation has come to its end yet."},
	{StateComplete, func(*facts) bool { return true }, "The last rotation came to its end {rotated-age}."},
}

// States are all states, in the order in which they are tried.
func States() (names []State) {
	seen := make(map[State]bool)
	for _, s := range states {
		if !seen[s.name] {
			names = append(names, s.name)
		}
		seen[s.name] = true
	}
	return names
}
