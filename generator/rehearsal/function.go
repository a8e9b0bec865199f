package rehearsal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// FunctionARN is the function that is invoked, as Lambda and Secrets Manager name
// it.
const FunctionARN = "arn:aws:lambda:eu-west-1:111122223333:function:rotator"

// Error types of Lambda's own, for what is not the handler's error.
const (
	ErrorExit    = "Runtime.ExitError" // the process ended before it answered
	ErrorTimeout = "Sandbox.Timedout"  // it did not answer in time and was killed
)

// A FunctionError is an invocation that failed: the handler returned an error or
// panicked, or the process ended (ErrorExit) or was killed after its time
// (ErrorTimeout).
type FunctionError struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

func (e *FunctionError) Error() string { return e.Type + ": " + e.Message }

// A Function is one execution environment of Lambda: at most one process of the
// binary, which serves one invocation at a time and is kept for the next. To have
// two at once, as Lambda does when one is busy, use two Functions. Set the fields
// before the first call; its methods may be called from several goroutines.
type Function struct {
	// Path is the binary, what Lambda calls bootstrap. It runs in its own
	// folder.
	Path string

	// Env is the whole environment, as "key=value", except for
	// AWS_LAMBDA_RUNTIME_API: nothing is inherited.
	Env []string

	// Cold ends the process before every invocation, so that each starts a new
	// one.
	Cold bool

	turn sync.Mutex // held by the one invocation under way

	mu     sync.Mutex
	proc   *process // the last one started; may have ended
	starts int
	serial int      // invocations so far
	output *os.File // what the processes write; nil before the first
}

// Invoke runs the handler on one event and returns what it answered. A failed
// invocation is a *FunctionError. A process that has not answered after the
// timeout, which is also the deadline that the handler sees, is killed, and so is
// one whose caller goes away; after that, as after any end of the process, the
// next Invoke starts a new one.
//
// While another invocation is under way, Invoke waits for its turn. The timeout
// begins after that, but before a process is started, unlike Lambda's, which does
// not count the start.
func (f *Function) Invoke(ctx context.Context, event []byte, timeout time.Duration) ([]byte, error) {
	f.turn.Lock()
	defer f.turn.Unlock()
	if f.Cold {
		f.Kill()
	}
	inv := &invocation{event: event, deadline: time.Now().Add(timeout), answer: make(chan answer, 1)}
	f.mu.Lock()
	f.serial++
	inv.id = fmt.Sprintf("00000000-0000-4000-8000-%012x", f.serial)
	f.mu.Unlock()

	timed, cancel := context.WithDeadline(ctx, inv.deadline)
	defer cancel()
	answered, err := f.run(timed, inv)
	if timed.Err() != nil && errors.Is(err, timed.Err()) {
		// The process still works on an invocation that has no caller any more.
		f.Kill()
		if ctx.Err() == nil {
			err = &FunctionError{ErrorTimeout, fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds", inv.id, timeout.Seconds())}
		}
	}
	return answered, err
}

// run hands the invocation to a process, which it starts if there is none, and
// waits for the answer.
func (f *Function) run(ctx context.Context, inv *invocation) ([]byte, error) {
	for {
		p, started, err := f.process()
		if err != nil {
			return nil, err
		}
		select {
		case p.inbox <- inv:
		case failure := <-p.initError:
			p.kill()
			return nil, failure
		case <-p.done:
			if !started {
				continue // it ended while it had nothing to do
			}
			return nil, p.failure(inv)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		select {
		case a := <-inv.answer:
			return a.body, a.err
		case <-p.done:
			// Its last act may have been to answer.
			select {
			case a := <-inv.answer:
				return a.body, a.err
			default:
				return nil, p.failure(inv)
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// process is the process there is, or a new one.
func (f *Function) process() (p *process, started bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.proc != nil {
		select {
		case <-f.proc.done:
		default:
			return f.proc, false, nil
		}
	}
	if f.output == nil {
		if f.output, err = unnamedFile(); err != nil {
			return nil, false, err
		}
	}
	f.proc, err = startProcess(f.Path, f.Env, f.output)
	if err != nil {
		f.proc = nil
		return nil, false, err
	}
	f.starts++
	return f.proc, true, nil
}

// Kill ends the process at once, as SIGKILL does, frozen or not, and returns when
// it is gone. An invocation under way fails with ErrorExit. Without a process it
// does nothing.
func (f *Function) Kill() {
	if p := f.running(); p != nil {
		p.kill()
	}
}

// Close is Kill, under the name that a defer looks for.
func (f *Function) Close() { f.Kill() }

// Freeze stops the process where it is, as Lambda does between invocations, until
// Thaw or Kill. Its connections stay open and its time goes on. On Linux it has
// stopped when Freeze returns; elsewhere it will, in a moment. Where in its work
// is certain only if something it waits for is held back: in a hook of Front,
// say. It is an error if there is no process, or on a system without such
// signals.
func (f *Function) Freeze() error { return f.signal(stopProcess) }

// Thaw lets a frozen process go on.
func (f *Function) Thaw() error { return f.signal(continueProcess) }

func (f *Function) signal(send func(*os.Process) error) error {
	p := f.running()
	if p == nil {
		return errors.New("no process")
	}
	return send(p.cmd.Process)
}

// running is the last process started, or nil.
func (f *Function) running() *process {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.proc
}

// ColdStarts is the number of processes started so far.
func (f *Function) ColdStarts() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.starts
}

// Pid is the process's id, 0 if none is running. The system tells by it what the
// process has cost so far.
func (f *Function) Pid() int {
	p := f.running()
	if p == nil {
		return 0
	}
	select {
	case <-p.done:
		return 0
	default:
		return p.cmd.Process.Pid
	}
}

// Output is all that the processes have written to standard output and standard
// error, in the order written. It has all that a process wrote before it answered
// when Invoke returns.
func (f *Function) Output() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.output == nil {
		return ""
	}
	// The file is this process's own, and is read whole from its start.
	text, err := io.ReadAll(io.NewSectionReader(f.output, 0, math.MaxInt64))
	if err != nil {
		panic(fmt.Sprintf("reading what the function wrote: %v", err))
	}
	return string(text)
}

// unnamedFile opens a file for the output. A pipe would not do: what a process
// wrote into one may not have been read yet when its answer is.
func unnamedFile() (*os.File, error) {
	f, err := os.CreateTemp("", "rotasmith-output-")
	if err != nil {
		return nil, err
	}
	// Where the system lets an open file be removed, its name goes now, and the
	// file with the last process that has it open.
	_ = os.Remove(f.Name())
	return f, nil
}

// An invocation is an event on its way to a process.
type invocation struct {
	id       string
	event    []byte
	deadline time.Time
	answer   chan answer // of one element
}

// An answer is what a process made of an invocation.
type answer struct {
	body []byte
	err  error
}

// A process is the binary, running, with a runtime API to itself.
type process struct {
	cmd       *exec.Cmd
	inbox     chan *invocation
	initError chan *FunctionError // of one element
	done      chan struct{}       // closed when the process has ended
	exit      error               // why; read only after done
}

// startProcess starts the binary with a runtime API of its own, so that nothing a
// process says late can be taken for its successor's words.
func startProcess(path string, env []string, output *os.File) (*process, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &process{
		cmd:       exec.Command(path),
		inbox:     make(chan *invocation),
		initError: make(chan *FunctionError, 1),
		done:      make(chan struct{}),
	}
	server := &http.Server{Handler: newRuntimeAPI(p.inbox, p.initError)}
	p.cmd.Dir = filepath.Dir(path)
	p.cmd.Env = append([]string{"AWS_LAMBDA_RUNTIME_API=" + listener.Addr().String()}, env...)
	p.cmd.Stdout, p.cmd.Stderr = output, output
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	go func() {
		// Serve ends with an error always: the one of being closed.
		_ = server.Serve(listener)
	}()
	go func() {
		p.exit = p.cmd.Wait()
		_ = server.Close()
		close(p.done)
	}()
	return p, nil
}

func (p *process) kill() {
	// It fails only if the process has ended already.
	_ = p.cmd.Process.Kill()
	<-p.done
}

// failure is what Lambda reports of a process that ended in an invocation, or
// while it began.
func (p *process) failure(inv *invocation) error {
	select {
	case failure := <-p.initError:
		return failure
	default:
	}
	why := "exit status 0"
	if p.exit != nil {
		why = p.exit.Error()
	}
	return &FunctionError{ErrorExit, fmt.Sprintf("RequestId: %s Error: Runtime exited with error: %s", inv.id, why)}
}

// functionError reads the error that a process reports: JSON in Lambda's form, or
// else any text.
func functionError(body []byte) *FunctionError {
	var e FunctionError
	if json.Unmarshal(body, &e) != nil {
		e.Message = string(body)
	}
	return &e
}
