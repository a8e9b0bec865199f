package githubdeploykey_test

import (
	"context"
	"crypto/ed25519"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/providers/github-deploy-key/common/githubdeploykey"
)

const repository = "shop/web"

func newKey(t *testing.T) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func line(key ssh.Signer) string { return string(ssh.MarshalAuthorizedKey(key.PublicKey())) }

// C6, C7, K7: an SSH server that has one repository lets one key read that; whatever
// else it does is told by its code.
func TestKnock(t *testing.T) {
	host, known := newKey(t), newKey(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go serve(listener, host, known)
	server := githubdeploykey.SSH{Address: listener.Addr().String(), HostKey: line(host)}
	for name, test := range map[string]struct {
		key        ssh.Signer
		repository string
		edit       func(*githubdeploykey.SSH)
		want       rotation.Code
	}{
		"the key":             {key: known, repository: repository},
		"another key":         {key: newKey(t), repository: repository, want: rotation.CodeAuthRejected},
		"another repository":  {key: known, repository: "shop/api", want: rotation.CodePermission},
		"another host":        {key: known, repository: repository, edit: func(s *githubdeploykey.SSH) { s.HostKey = line(newKey(t)) }, want: rotation.CodeTLS},
		"a host without keys": {key: known, repository: repository, edit: func(s *githubdeploykey.SSH) { s.HostKey = "github.com" }, want: rotation.CodeBadConfig},
	} {
		t.Run(name, func(t *testing.T) {
			server := server
			if test.edit != nil {
				test.edit(&server)
			}
			if err := server.Knock(t.Context(), test.key, test.repository); rotation.CodeOf(err) != test.want {
				t.Errorf("got %v, want the code %q", err, test.want)
			}
		})
	}
}

// C7, C8: a server that says nothing is left before the invocation's time is up, and
// one that hangs up or is not there is told apart from one that refuses.
func TestKnockInVain(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := githubdeploykey.SSH{Address: listener.Addr().String(), HostKey: githubdeploykey.HostKey}
	knock := func(want rotation.Code) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if err := server.Knock(ctx, newKey(t), repository); rotation.CodeOf(err) != want {
			t.Errorf("got %v, want the code %q", err, want)
		}
	}
	knock(rotation.CodeDeadline) // no one accepts the connection
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	knock(rotation.CodeDisconnected)
	listener.Close()
	knock(rotation.CodeUnreachable)
}

// serve lets known's owner run git-upload-pack for the repository, as git does with
// protocol version 2, and knows no other key and no other repository.
func serve(listener net.Listener, host, known ssh.Signer) {
	config := &ssh.ServerConfig{PublicKeyCallback: func(conn ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if conn.User() != "git" || string(key.Marshal()) != string(known.PublicKey().Marshal()) {
			return nil, io.EOF
		}
		return &ssh.Permissions{}, nil
	}}
	config.AddHostKey(host)
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
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
				go run(session, requests)
			}
		}()
	}
}

func run(session ssh.Channel, requests <-chan *ssh.Request) {
	defer session.Close()
	for request := range requests {
		_ = request.Reply(true, nil)
		if request.Type != "exec" {
			continue
		}
		status := byte(1)
		if strings.HasSuffix(string(request.Payload), "git-upload-pack '"+repository+".git'") {
			_, _ = io.WriteString(session, "000eversion 2\n0000")
			if wanted, _ := io.ReadAll(session); string(wanted) == "0000" {
				status = 0
			}
		}
		_, _ = session.SendRequest("exit-status", false, []byte{0, 0, 0, status})
		return
	}
}
