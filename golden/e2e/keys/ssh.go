package keys

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// openDoor serves SSH for a provider whose keys open a repository there, and returns
// the environment in which a function knocks at it. Whom it lets in the provider's
// scripted server says, which is asked over HTTP and counted like every other call.
func (p *provider) openDoor(t *testing.T, initial string) []string {
	t.Helper()
	var secret struct{ Repository string }
	if err := json.Unmarshal([]byte(initial), &secret); err != nil {
		t.Fatal(err)
	}
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	host, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		return &ssh.Permissions{}, p.knock(secret.Repository, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))))
	}}
	config.AddHostKey(host)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go letIn(conn, config)
		}
	}()
	return []string{
		"SSH_ADDRESS=" + listener.Addr().String(),
		"SSH_HOST_KEY=" + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(host.PublicKey()))),
	}
}

// knock returns nil if the provider lets a public key in.
func (p *provider) knock(repository, key string) error {
	const op = "SSH github.com"
	if err := p.around(op, false); err != nil {
		return err
	}
	answer := httptest.NewRecorder()
	p.server.ServeHTTP(answer, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "https://github.com/"+repository+"?key="+url.QueryEscape(key), nil))
	if err := p.around(op, true); err != nil {
		return err
	}
	if answer.Code != http.StatusOK {
		return errors.New("this key opens nothing")
	}
	return nil
}

// letIn plays git-upload-pack with protocol version 2 to each client that has a key.
func letIn(conn net.Conn, config *ssh.ServerConfig) {
	defer func() { _ = conn.Close() }()
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for channel := range channels {
		session, requests, err := channel.Accept()
		if err != nil {
			return
		}
		for request := range requests {
			_ = request.Reply(true, nil)
			if request.Type != "exec" {
				continue
			}
			_, _ = io.WriteString(session, "000eversion 2\n0000")
			_, _ = io.ReadAll(session)
			_, _ = session.SendRequest("exit-status", false, []byte{0, 0, 0, 0})
			break
		}
		_ = session.Close()
	}
}
