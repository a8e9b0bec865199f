package rotation

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"syscall"
)

// ConnectionCode says why there is no connection to a server, or why it ended
// without an answer: who is to mend it differs for each. It is "" for an err that
// is about something else.
func ConnectionCode(err error) Code {
	_, name := errors.AsType[x509.HostnameError](err)
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	certificate, invalid := errors.AsType[x509.CertificateInvalidError](err)
	switch {
	case name:
		return CodeCertName
	case authority:
		return CodeCertAuthority
	case invalid && certificate.Reason == x509.Expired:
		return CodeCertExpired
	case failedTLS(err):
		return CodeTLS
	case neverDialled(err):
		return CodeUnreachable
	case silent(err):
		return CodeNoAnswer
	case hungUp(err):
		return CodeDisconnected
	default:
		return ""
	}
}

func failedTLS(err error) bool {
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	// An alert from the other side has a type of its own inside a net.OpError.
	operation, network := errors.AsType[*net.OpError](err)
	return certificate || record || alert || network && operation.Op == "remote error"
}

func neverDialled(err error) bool {
	_, unknown := errors.AsType[*net.DNSError](err)
	operation, network := errors.AsType[*net.OpError](err)
	return unknown || network && (operation.Op == "dial" || operation.Op == "proxyconnect") // to the proxy, by net/http
}

func silent(err error) bool {
	network, ok := errors.AsType[net.Error](err)
	return outOfTime(err) || ok && network.Timeout()
}

func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED)
}
