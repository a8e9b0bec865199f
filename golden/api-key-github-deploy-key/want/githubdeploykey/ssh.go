package githubdeploykey

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"example.com/keys/rotation"
)

// GitHub's SSH server, and its key.
// https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/githubs-ssh-key-fingerprints
const (
	Address = "github.com:22"
	HostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
)

const (
	dialTimeout  = 3 * time.Second
	visitTimeout = 10 * time.Second
)

// SSH is an SSH server with repositories behind it.
type SSH struct {
	Address string // host and port
	HostKey string // in the form of authorized_keys; no other is trusted
}

// Knock asks for a repository as "git ls-remote" does, and wants nothing of it.
// https://git-scm.com/docs/gitprotocol-pack#_ssh_transport
func (s SSH) Knock(ctx context.Context, key ssh.Signer, repository string) error {
	host, _, _, _, err := ssh.ParseAuthorizedKey([]byte(s.HostKey))
	if err != nil {
		return rotation.Errorf(rotation.CodeBadConfig, "the SSH server's key is no line such as %q", HostKey)
	}
	conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", s.Address)
	if err != nil {
		return s.failed(ctx, err)
	}
	hangUp := func() { _ = conn.Close() }
	defer hangUp()
	defer context.AfterFunc(ctx, hangUp)()
	if err := conn.SetDeadline(time.Now().Add(visitTimeout)); err != nil {
		return s.failed(ctx, err)
	}
	client, channels, requests, err := ssh.NewClientConn(conn, s.Address, &ssh.ClientConfig{
		User:              "git",
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(key)},
		HostKeyAlgorithms: algorithms(host),
		HostKeyCallback: func(_ string, _ net.Addr, presented ssh.PublicKey) error {
			if string(presented.Marshal()) != string(host.Marshal()) {
				return errHostKey
			}
			return nil
		},
	})
	if err != nil {
		return s.failed(ctx, err)
	}
	session, err := ssh.NewClient(client, channels, requests).NewSession()
	if err != nil {
		return s.failed(ctx, err)
	}
	_ = session.Setenv("GIT_PROTOCOL", "version=2") // a short answer, from servers that know it
	session.Stdin = strings.NewReader("0000")       // nothing more
	session.Stdout = io.Discard
	err = session.Run("git-upload-pack '" + repository + ".git'")
	if _, exited := errors.AsType[*ssh.ExitError](err); exited {
		return rotation.Errorf(rotation.CodePermission, "SSH %s: the key is known, and may not read %s", s.Address, repository)
	}
	if err != nil {
		return s.failed(ctx, err)
	}
	return nil
}

var errHostKey = errors.New("another host key")

// algorithms are the ways in which a host key signs, so that the server presents that
// one of its keys.
func algorithms(host ssh.PublicKey) []string {
	if host.Type() == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{host.Type()}
}

// failed classifies what went wrong. That no key of ours is accepted has no type in
// package ssh, only words.
func (s SSH) failed(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, errHostKey):
		return rotation.Errorf(rotation.CodeTLS, "SSH %s: the server has another key than it should", s.Address).Because(err)
	case strings.Contains(err.Error(), "unable to authenticate"):
		return rotation.Errorf(rotation.CodeAuthRejected, "SSH %s: the key is refused", s.Address).Because(err)
	case ctx.Err() != nil:
		return rotation.Errorf(rotation.CodeDeadline, "SSH %s: time ran out", s.Address).Because(err)
	default:
		code := cmp.Or(rotation.ConnectionCode(err), rotation.CodeDisconnected)
		return rotation.Errorf(code, "SSH %s: no answer, or a broken one", s.Address).Because(err)
	}
}
