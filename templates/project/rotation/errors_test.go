package rotation_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"syscall"
	"testing"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

// C7: causes for which a server does not answer are told apart, however deep they
// are wrapped.
func TestConnectionCode(t *testing.T) {
	for _, test := range []struct {
		err  error
		want rotation.Code
	}{
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, rotation.CodeUnreachable},
		{&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, rotation.CodeUnreachable},
		{&net.OpError{Op: "dial", Err: &net.DNSError{IsNotFound: true}}, rotation.CodeUnreachable},
		{&net.DNSError{IsTimeout: true}, rotation.CodeUnreachable},
		{&net.OpError{Op: "proxyconnect", Err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}, rotation.CodeUnreachable},
		{context.DeadlineExceeded, rotation.CodeNoAnswer},
		{&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, rotation.CodeNoAnswer},
		{io.EOF, rotation.CodeDisconnected},
		{io.ErrUnexpectedEOF, rotation.CodeDisconnected},
		{net.ErrClosed, rotation.CodeDisconnected},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, rotation.CodeDisconnected},
		{&net.OpError{Op: "write", Err: syscall.EPIPE}, rotation.CodeDisconnected},
		{x509.UnknownAuthorityError{}, rotation.CodeCertAuthority},
		{x509.HostnameError{Certificate: new(x509.Certificate)}, rotation.CodeCertName},
		{x509.CertificateInvalidError{Reason: x509.Expired}, rotation.CodeCertExpired},
		{&tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: new(x509.Certificate)}}, rotation.CodeCertName},
		{&tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.NotAuthorizedToSign}}, rotation.CodeTLS},
		{tls.RecordHeaderError{}, rotation.CodeTLS},
		{tls.AlertError(40), rotation.CodeTLS},
		{&net.OpError{Op: "remote error", Err: tls.AlertError(40)}, rotation.CodeTLS},
		{errors.New("what a server said"), ""},
	} {
		for _, err := range []error{test.err, fmt.Errorf("on the way: %w", &url.Error{Op: "Get", URL: "https://host", Err: test.err})} {
			if got := rotation.ConnectionCode(err); got != test.want {
				t.Errorf("%#v: got %q, want %q", test.err, got, test.want)
			}
		}
	}
}
