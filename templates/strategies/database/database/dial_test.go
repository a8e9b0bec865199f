package database

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

// echo is in every error from outside. Such texts can hold a server's own
// words, which none of ours may repeat.
const echo = "words-of-the-server"

func TestAddress(t *testing.T) {
	for account, want := range map[Account]string{
		{Host: "db.test", Port: 7}: "db.test:7",
		{Host: "db.test"}:          "db.test:4711",
		{Host: "::1"}:              "[::1]:4711",
	} {
		if got := Address(account, 4711); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestLogin: a log-in has ten seconds and leaves two thirds of what the caller
// has; which of the two ran out has a code of its own. (C8)
func TestLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := func(ctx context.Context) (string, error) {
			<-ctx.Done()
			return "", rotation.Errorf(rotation.CodeDeadline, "no answer")
		}
		for left, want := range map[time.Duration]time.Duration{0: 10 * time.Second, time.Minute: 10 * time.Second, 9 * time.Second: 3 * time.Second} {
			ctx := t.Context()
			if left > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, left)
				defer cancel()
			}
			began := time.Now()
			if _, err := Login(ctx, hang); rotation.CodeOf(err) != rotation.CodeNoAnswer || time.Since(began) != want {
				t.Errorf("with %s left: got %v after %s, want %s after %s", left, err, time.Since(began), rotation.CodeNoAnswer, want)
			}
		}
		over, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := Login(over, func(context.Context) (string, error) {
			t.Error("a log-in begins after the end")
			return "", nil
		})
		if rotation.CodeOf(err) != rotation.CodeDeadline {
			t.Errorf("got %v, want %s", err, rotation.CodeDeadline)
		}
	})
}

// TestLoginCancelled: a server that ends the first statement of a session itself has
// answered, and in time. (C7)
func TestLoginCancelled(t *testing.T) {
	_, err := Login(t.Context(), func(context.Context) (string, error) {
		return "", rotation.Errorf(rotation.CodeDeadline, "cancelled by a limit").Because(errors.New(echo))
	})
	wantCode(t, err, rotation.CodeServer)
	if !strings.Contains(err.Error(), "cancelled by a limit") {
		t.Errorf("%v does not say why", err)
	}
}

// TestDialErrors: a connection that cannot be made says nothing about the
// credential, and only a server that refuses it is said to refuse. (C7)
func TestDialErrors(t *testing.T) {
	for want, err := range map[string]error{
		"cannot be resolved":     &net.OpError{Op: "dial", Err: &net.DNSError{Err: echo, Name: echo, IsNotFound: true}},
		"does not answer":        &net.OpError{Op: "dial", Err: context.DeadlineExceeded},
		"refuses the connection": &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)},
		"no route":               &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)},
		"cannot be connected to": errors.New(echo),
	} {
		err := dialError(err, "db.test:5432")
		wantCode(t, err, rotation.CodeUnreachable)
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestTLSErrors tells a server that hung up from one that was refused. (C6, C7)
func TestTLSErrors(t *testing.T) {
	for _, test := range []struct {
		err  error
		want rotation.Code
	}{
		{context.DeadlineExceeded, rotation.CodeNoAnswer},
		{fmt.Errorf("%s: %w", echo, io.ErrUnexpectedEOF), rotation.CodeDisconnected},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, rotation.CodeDisconnected},
		{ErrNoTLS, rotation.CodeTLS},
		{x509.HostnameError{Certificate: &x509.Certificate{DNSNames: []string{echo}}, Host: echo}, rotation.CodeCertName},
		{x509.UnknownAuthorityError{}, rotation.CodeCertAuthority},
		{x509.CertificateInvalidError{Reason: x509.Expired, Detail: echo}, rotation.CodeCertExpired},
		{errors.New(echo), rotation.CodeTLS},
	} {
		wantCode(t, TLSError(test.err, "db.test:5432", "db.test"), test.want)
	}
}

// TestLoginErrors tells a server that says nothing from one that hung up, and both
// from one that answered. (C7)
func TestLoginErrors(t *testing.T) {
	wantCode(t, LoginError(context.DeadlineExceeded, "db.test:5432"), rotation.CodeNoAnswer)
	wantCode(t, LoginError(fmt.Errorf("%s: %w", echo, io.EOF), "db.test:5432"), rotation.CodeDisconnected)
	if err := LoginError(errors.New(echo), "db.test:5432"); err != nil {
		t.Errorf("got %v for an answer", err)
	}
}

func wantCode(t *testing.T, err error, want rotation.Code) {
	t.Helper()
	if got := rotation.CodeOf(err); got != want {
		t.Errorf("got %v, want %q", err, want)
	}
	if strings.Contains(err.Error(), echo) {
		t.Errorf("the error says too much: %v", err)
	}
}
