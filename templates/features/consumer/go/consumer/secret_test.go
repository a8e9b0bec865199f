package consumer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
)

const sentinel = "password-sentinel-5e71"

// world is a Secrets Manager and a server with one password for each user. Time is that of a synctest bubble.
type world struct {
	mu      sync.Mutex
	labels  map[string]string // version by label
	users   map[string]string // of each version; all have the password of their id
	inForce map[string]bool   // versions that the server takes
	latency time.Duration     // of each call and each log-in
	fail    error             // of Secrets Manager
	denied  string            // label that may not be read
	reads   int
	logins  int
	refused int
	longest time.Duration // of all requests
}

func newWorld() *world {
	return &world{
		labels: map[string]string{"AWSCURRENT": "v1"}, users: make(map[string]string),
		inForce: map[string]bool{"v1": true}, latency: 5 * time.Millisecond,
	}
}

func (w *world) do(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func (w *world) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	select {
	case <-time.After(w.latency):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reads++
	stage := aws.ToString(in.VersionStage)
	switch id := w.labels[stage]; {
	case w.fail != nil:
		return nil, w.fail
	case stage == w.denied:
		return nil, &smithy.GenericAPIError{Code: "AccessDeniedException"}
	case id == "":
		return nil, &types.ResourceNotFoundException{}
	default:
		return &secretsmanager.GetSecretValueOutput{
			VersionId:    &id,
			SecretString: aws.String(fmt.Sprintf(`{"username": %q, "password": "%s-%s", "port": 5432}`, w.users[id], sentinel, id)),
		}, nil
	}
}

var errPassword = errors.New("password authentication failed")

func isPassword(err error) bool { return errors.Is(err, errPassword) }

// logIn is what an application does: it returns the id of the version that worked.
func (w *world) logIn(s *Secret) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		v, err := s.Get(ctx)
		if err != nil {
			return "", err
		}
		time.Sleep(w.latency)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.logins++
		if !w.inForce[v.ID] {
			w.refused++
			return "", errPassword
		}
		return v.ID, nil
	}
}

func (w *world) request(s *Secret) (string, error) {
	began := time.Now()
	defer func() { w.do(func() { w.longest = max(w.longest, time.Since(began)) }) }()
	return Do(context.Background(), s, isPassword, w.logIn(s))
}

// load sends requests at a rate until the bubble's time has moved on by lasts, and returns how many failed.
func (w *world) load(s *Secret, rate int, lasts time.Duration) (failed int) {
	var all sync.WaitGroup
	var mu sync.Mutex
	for end := time.Now().Add(lasts); time.Now().Before(end); time.Sleep(time.Second / time.Duration(rate)) {
		all.Go(func() {
			if _, err := w.request(s); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed++
			}
		})
	}
	all.Wait()
	return failed
}

// rotate is the rotation of one user with one password: the gap is between the two changes of the world.
func (w *world) rotate(from, to string, gap time.Duration) {
	w.do(func() { w.labels["AWSPENDING"] = to })
	time.Sleep(time.Second)
	w.do(func() { w.inForce = map[string]bool{to: true} })
	time.Sleep(gap)
	w.do(func() {
		w.labels["AWSCURRENT"], w.labels["AWSPREVIOUS"] = to, from
		delete(w.labels, "AWSPENDING")
	})
}

func (w *world) want(t *testing.T, what string, got, most int) {
	t.Helper()
	if got > most {
		t.Errorf("%d %s, want %d at the most", got, what, most)
	}
}

// (R1) While Secrets Manager fails for an hour, no request does, and it is not asked without end.
func TestSecretsManagerIsDownForAnHour(t *testing.T) {
	for name, fail := range map[string]error{
		"down":      errors.New("no route"),
		"throttled": &smithy.GenericAPIError{Code: "ThrottlingException"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				s := New(w, "orders", Options{})
				if _, err := w.request(s); err != nil {
					t.Fatal(err)
				}
				w.do(func() { w.fail = fail })
				w.want(t, "failed requests", w.load(s, 10, time.Hour), 0)
				w.want(t, "reads", w.reads, 130)
			})
		})
	}
}

// (R1) A first value that cannot be read fails the caller at once, with Secrets Manager's reason, and not all of many callers read.
func TestFirstValueCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.fail = &smithy.GenericAPIError{Code: "AccessDeniedException"}
		s := New(w, "orders", Options{})
		began := time.Now()
		_, err := w.request(s)
		if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "AccessDeniedException" || errors.Is(err, ErrRejected) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took != w.latency {
			t.Errorf("it took %v", took)
		}
		w.load(s, 100, time.Minute)
		w.want(t, "reads", w.reads, 12)
		w.do(func() { w.fail = nil })
		time.Sleep(longestPause)
		if _, err := w.request(s); err != nil {
			t.Error(err)
		}
	})
}

// (R1) A value is renewed in the background, between half of the TTL and all of it; the caller that begins it does not wait.
func TestRenewsInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		var changes []string
		s := New(w, "orders", Options{TTL: time.Hour, OnChange: func(from, to string) {
			w.do(func() { changes = append(changes, from+">"+to) })
		}})
		_, _ = w.request(s)
		w.do(func() { w.labels["AWSCURRENT"], w.inForce["v2"] = "v2", true })
		time.Sleep(30*time.Minute - time.Second)
		if got, err := w.request(s); got != "v1" || err != nil {
			t.Errorf("too early: %q, %v", got, err)
		}
		time.Sleep(30*time.Minute + time.Second)
		began := time.Now()
		if v, err := s.Get(t.Context()); v.ID != "v1" || err != nil || time.Since(began) != 0 {
			t.Errorf("got %v, %v after %v", v, err, time.Since(began))
		}
		time.Sleep(w.latency)
		synctest.Wait()
		if got, err := w.request(s); got != "v2" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		synctest.Wait()
		if want := []string{">v1", "v1>v2"}; !reflect.DeepEqual(changes, want) {
			t.Errorf("changes %q, want %q", changes, want)
		}
	})
}

// (R2) One read serves all who wait.
func TestOneReadServesAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := New(w, "orders", Options{})
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if _, err := w.request(s); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		w.want(t, "reads", w.reads, 1)
	})
}

// (R3) A caller that is rejected with a version that is not in use any more tries the one that is, without a read.
func TestNewerVersionCostsNoRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := New(w, "orders", Options{})
		first := true
		got, err := Do(t.Context(), s, isPassword, func(ctx context.Context) (string, error) {
			if first {
				first = false
				_, _ = s.Get(ctx)
				w.do(func() { w.labels["AWSCURRENT"], w.inForce = "v2", map[string]bool{"v2": true} })
				s.Refresh() // another goroutine has it
				time.Sleep(time.Second)
				return "", errPassword
			}
			return w.logIn(s)(ctx)
		})
		if got != "v2" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		w.want(t, "reads", w.reads, 2)
	})
}

// (R3, R4) A password that is wrong for an hour, at 100 requests a second, neither floods Secrets Manager nor locks the user out; and it works
// again by itself.
func TestWrongPasswordForAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := New(w, "orders", Options{})
		_, _ = w.request(s)
		w.do(func() { w.inForce, w.reads, w.logins = map[string]bool{}, 0, 0 })
		rate := 100
		if testing.Short() {
			rate = 5 // the race detector makes a request dear
		}
		if failed := w.load(s, rate, time.Hour); failed == 0 {
			t.Error("no request failed")
		}
		began := time.Now()
		if _, err := w.request(s); !errors.Is(err, ErrRejected) || time.Since(began) > w.latency {
			t.Errorf("a request that no read can help ended after %v with %v", time.Since(began), err)
		}
		w.want(t, "reads", w.reads, 130)
		w.want(t, "log-ins", w.logins, 130)
		w.do(func() { w.inForce["v1"] = true })
		time.Sleep(longestPause)
		if _, err := w.request(s); err != nil {
			t.Error(err)
		}
		w.want(t, "failed requests", w.load(s, 100, time.Minute), 0)
	})
}

// (R4) While a version is rejected all but one caller a read wait, and go on as soon as that one is let in.
func TestOneCallerTriesForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := New(w, "orders", Options{})
		_, _ = w.request(s)
		w.do(func() { w.inForce["v1"] = false })
		go func() {
			time.Sleep(2 * time.Second)
			w.do(func() { w.inForce["v1"] = true })
		}()
		w.want(t, "failed requests", w.load(s, 100, 5*time.Second), 0)
		w.want(t, "rejected log-ins", w.refused, 7)
		if w.longest > 3200*time.Millisecond {
			t.Errorf("one waited %v", w.longest)
		}
	})
}

// (R3, R4) A gap of a rotation of one user fails no request, and costs few log-ins and reads.
func TestGapWithoutPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := New(w, "orders", Options{})
		_, _ = w.request(s)
		go w.rotate("v1", "v2", 150*time.Millisecond)
		w.want(t, "failed requests", w.load(s, 50, 5*time.Second), 0)
		w.want(t, "rejected log-ins", w.refused, 2)
		w.want(t, "reads", w.reads, 1+4)
		w.want(t, "versions remembered as rejected", len(s.rejected), 0)
	})
}

// (R5) Waiting ends with Wait or with the caller's context, and the server's own error comes back.
func TestWaitingEnds(t *testing.T) {
	for name, limit := range map[string]time.Duration{"Wait": 0, "context": 700 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				s := New(w, "orders", Options{Wait: 3 * time.Second})
				_, _ = w.request(s)
				w.do(func() { w.inForce = nil })
				ctx, most := context.Background(), 3*time.Second
				if limit != 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, limit)
					defer cancel()
					most = limit
				}
				began := time.Now()
				_, err := Do(ctx, s, isPassword, w.logIn(s))
				if !errors.Is(err, errPassword) || !errors.Is(err, ErrRejected) {
					t.Errorf("got %v", err)
				}
				if took := time.Since(began); took > most+w.latency {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// (R6) With Pending a rotation of one user has no gap, however long it stands between its two changes: one log-in is rejected.
func TestPendingBridgesTheGap(t *testing.T) {
	for _, gap := range []time.Duration{150 * time.Millisecond, time.Hour} {
		t.Run(gap.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				s := New(w, "orders", Options{Pending: true})
				_, _ = w.request(s)
				go w.rotate("v1", "v2", gap)
				w.want(t, "failed requests", w.load(s, 5, gap+time.Minute), 0)
				w.want(t, "rejected log-ins", w.refused, 1)
				w.want(t, "reads", w.reads, 3+2*int(1+gap/(5*time.Minute)))
			})
		})
	}
}

// (R6) AWSPENDING of another user is not tried: that user may lack rights.
func TestPendingOfAnotherUserIsNotTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.users["v1"], w.users["v2"] = "orders_a", "orders_b"
		s := New(w, "orders", Options{Pending: true})
		_, _ = w.request(s)
		w.do(func() { w.labels["AWSPENDING"], w.inForce = "v2", map[string]bool{"v2": true} })
		if got, err := w.request(s); !errors.Is(err, ErrRejected) {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

// (R6) Where AWSPENDING may not be read it is asked for once.
func TestPendingIsDenied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.denied = "AWSPENDING"
		s := New(w, "orders", Options{Pending: true})
		_, _ = w.request(s)
		w.do(func() { w.inForce, w.reads = nil, 0 })
		_, _ = w.request(s)
		w.want(t, "reads", w.reads, 1+8)
	})
}

// (R6) A pending password that was not in force is tried again once it is current.
func TestPendingIsTriedAgainAsCurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := New(w, "orders", Options{Pending: true})
		_, _ = w.request(s)
		w.do(func() { w.labels["AWSPENDING"], w.inForce = "v2", nil })
		go func() {
			time.Sleep(time.Second)
			w.do(func() { w.inForce, w.labels["AWSCURRENT"] = map[string]bool{"v2": true}, "v2" })
		}()
		if got, err := w.request(s); got != "v2" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

// (R7) With Previous a server that lags behind is served with the value that it still has.
func TestPreviousServesAServerThatLags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.labels = map[string]string{"AWSCURRENT": "v2", "AWSPREVIOUS": "v1"}
		s := New(w, "orders", Options{Previous: true})
		if got, err := w.request(s); got != "v1" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		w.do(func() { w.inForce = map[string]bool{"v2": true} })
		if got, err := w.request(s); got != "v2" || err != nil {
			t.Errorf("after it has caught up: %q, %v", got, err)
		}
	})
}

// (R8) Another error than a rejection is the caller's, at once and as it is.
func TestOtherErrorsAreNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := New(w, "orders", Options{})
		other, tries := errors.New("relation does not exist"), 0
		_, err := Do(t.Context(), s, isPassword, func(ctx context.Context) (int, error) {
			tries++
			_, _ = s.Get(ctx)
			return 0, other
		})
		if err != other || tries != 1 { //nolint:errorlint // the very error
			t.Errorf("got %v after %d tries", err, tries)
		}
	})
}

// (R8) A call that asked for no version is not repeated, whatever its error looks like: a statement ran on a connection that was open.
func TestNothingIsRepeatedWithoutALogin(t *testing.T) {
	s := New(newWorld(), "orders", Options{})
	tries := 0
	_, err := Do(t.Context(), s, isPassword, func(context.Context) (int, error) {
		tries++
		return 0, errPassword
	})
	if !errors.Is(err, errPassword) || tries != 1 {
		t.Errorf("got %v after %d tries", err, tries)
	}
}

// (R9) No verb, struct, logger or error shows a value.
func TestNoValueIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := New(w, "orders", Options{Wait: time.Second})
		v, err := s.Get(t.Context())
		if err != nil || !strings.Contains(v.Value(), sentinel) {
			t.Fatalf("no value to show: %v", err)
		}
		var said bytes.Buffer
		holder := struct {
			V Version
			v Version
		}{v, v}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			for _, shown := range []any{v, &v, holder, &holder, s, *New(w, "orders", Options{}), []Version{v}, map[string]Version{"v": v}} {
				fmt.Fprintf(&said, verb+"\n", shown)
			}
		}
		slog.New(slog.NewJSONHandler(&said, nil)).Info("in use", "version", v, "holder", holder)
		slog.New(slog.NewTextHandler(&said, nil)).Info("in use", "version", v, "holder", holder)
		w.do(func() { w.inForce = nil })
		_, rejected := w.request(s)
		_, missing := v.Field("host")
		_, broken := Version{ID: "v3", value: aws.String(sentinel)}.Field("password")
		fmt.Fprintln(&said, rejected, missing, broken)
		if missing == nil || broken == nil || strings.Contains(said.String(), sentinel) || strings.Contains(said.String(), strconv.Quote(sentinel)) {
			t.Errorf("a value is shown, or an error is missing:\n%s", &said)
		}
	})
}

func TestFields(t *testing.T) {
	v := Version{value: aws.String(`{"username": "orders", "password": "x", "port": 5432, "other": null}`)}
	if port, err := v.Field("port"); port != "5432" || err != nil {
		t.Errorf("port: %q, %v", port, err)
	}
	if user, password, err := v.Login(); user != "orders" || password != "x" || err != nil {
		t.Errorf("log-in: %q, %v", user, err)
	}
	if _, err := v.Field("other"); err == nil {
		t.Error("null is taken")
	}
}

// A copy of the folder works in another project: it imports no package of this one.
func TestNeedsNoOtherPackageOfTheProject(t *testing.T) {
	own := reflect.TypeFor[Secret]().PkgPath()
	elem := strings.Split(own, "/")
	project := strings.Join(elem[:min(2, len(elem)-1)], "/") + "/"
	files := 0
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			name, _ := strconv.Unquote(spec.Path.Value)
			if strings.HasPrefix(name, project) && name != own && !strings.HasPrefix(name, own+"/") {
				t.Errorf("%s imports %s", path, name)
			}
		}
		return nil
	})
	if err != nil || files < 4 {
		t.Errorf("%d files, %v", files, err)
	}
}
