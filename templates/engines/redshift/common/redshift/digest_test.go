package redshift

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/postgres/common/postgres/postgresconn"
	"github.com/rotasmith/rotasmith/templates/protocols/postgres/common/postgres/postgrestest"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

// server is a Redshift with one user, as far as AWS's drivers and documentation
// tell: it keeps the SHA-256 digest of a password and its salt, or an MD5 digest.
type server struct {
	t *testing.T
	// digits lets the server hash and send a salt as the hexadecimal digits
	// that stand in statements, and not as the bytes that they stand for.
	digits     bool
	md5        string
	kept, salt []byte
	statements []string
}

// keep stores the password as the server would that was given it in clear text.
func (s *server) keep() {
	s.salt = bytes.Repeat([]byte{0xa5}, 32)
	if s.digits {
		s.salt = hex.AppendEncode(nil, s.salt)
	}
	sum := sha256.Sum256(append([]byte(postgrestest.Password), s.salt...))
	s.kept = sum[:]
}

// digestMessage asks for the proof.
type digestMessage struct {
	algorithm   uint32
	salt, nonce []byte
}

func (digestMessage) Backend()             {}
func (*digestMessage) Decode([]byte) error { return errors.New("only sent") }

func (m *digestMessage) Encode(dst []byte) ([]byte, error) {
	body := binary.BigEndian.AppendUint32(nil, digestRequest)
	body = binary.BigEndian.AppendUint32(body, m.algorithm)
	for _, part := range [][]byte{m.salt, m.nonce} {
		body = append(binary.BigEndian.AppendUint32(body, uint32(len(part))), part...)
	}
	dst = binary.BigEndian.AppendUint32(append(dst, 'R'), uint32(4+len(body)))
	return append(dst, body...), nil
}

// serve is one connection.
func (s *server) serve(backend *pgproto3.Backend) {
	if !s.admits(backend) {
		postgrestest.Send(backend, &pgproto3.ErrorResponse{Severity: "FATAL", Code: "28000", Routine: "auth_failed", Message: postgrestest.Echo})
		return
	}
	postgrestest.Send(backend, &pgproto3.AuthenticationOk{}, &pgproto3.ReadyForQuery{TxStatus: 'I'})
	for {
		message, err := backend.Receive()
		if err != nil {
			return
		}
		query, ok := message.(*pgproto3.Query)
		if !ok {
			return
		}
		for statement := range strings.SplitSeq(query.String, ";\n") {
			s.run(backend, statement)
		}
		postgrestest.Send(backend, &pgproto3.ReadyForQuery{TxStatus: 'I'})
	}
}

// admits asks for the proof in the kind of digest that the user has.
func (s *server) admits(backend *pgproto3.Backend) bool {
	if s.md5 != "" {
		_ = backend.SetAuthType(pgproto3.AuthTypeMD5Password)
		postgrestest.Send(backend, &pgproto3.AuthenticationMD5Password{Salt: [4]byte{1, 2, 3, 4}})
		answer, err := backend.Receive()
		if err != nil {
			return false
		}
		want := postgresconn.MD5Verifier("\x01\x02\x03\x04", rotation.NewSensitive(strings.TrimPrefix(s.md5, "md5")))
		return answer.(*pgproto3.PasswordMessage).Password == want.Reveal()
	}
	nonce := []byte("the server's nonce")
	postgrestest.Send(backend, &digestMessage{digestSHA256, s.salt, nonce})
	answer, err := backend.Receive()
	if err != nil {
		return false
	}
	data, ok := answer.(*pgproto3.CopyData) // the same letter
	if !ok {
		s.t.Errorf("the client answers with a %T", answer)
		return false
	}
	proof, rest, _ := cutBytes(data.Data)
	clientNonce, _, _ := cutBytes(rest)
	want := sha256.Sum256(bytes.Join([][]byte{s.kept, nonce, clientNonce}, nil))
	return len(clientNonce) > 0 && bytes.Equal(proof, want[:])
}

var alterUser = regexp.MustCompile(`^ALTER USER "orders" PASSWORD '(?:sha256\|([0-9a-f]{64})\|([0-9a-f]{64})|(md5[0-9a-f]{32}))'$`)

func (s *server) run(backend *pgproto3.Backend, statement string) {
	s.statements = append(s.statements, statement)
	switch found := alterUser.FindStringSubmatch(statement); {
	case found != nil && s.statements[max(0, len(s.statements)-2)] != "BEGIN":
		s.md5 = found[3]
		s.kept, _ = hex.DecodeString(found[1])
		if s.salt = []byte(found[2]); !s.digits {
			s.salt, _ = hex.DecodeString(found[2])
		}
		backend.Send(&pgproto3.CommandComplete{CommandTag: []byte("ALTER USER")})
	case strings.HasPrefix(statement, "SELECT session_user"):
		backend.Send(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("x"), DataTypeOID: 25}}})
		backend.Send(&pgproto3.DataRow{Values: [][]byte{[]byte("orders")}})
		backend.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")})
	default:
		backend.Send(&pgproto3.CommandComplete{CommandTag: []byte("SET")})
	}
}

// TestDigest: a user keeps the kind of digest that it has, and what is set is
// what logs in. (C9)
func TestDigest(t *testing.T) {
	ours := postgrestest.NewAuthority(t)
	for name, s := range map[string]*server{
		"SHA-256, salt as bytes":  {t: t},
		"SHA-256, salt as digits": {t: t, digits: true},
		"MD5":                     {t: t, md5: postgresconn.MD5Verifier("orders", rotation.NewSensitive(postgrestest.Password)).Reveal()},
	} {
		t.Run(name, func(t *testing.T) {
			s.keep()
			kept := bytes.Clone(s.kept)
			account := postgrestest.Serve(t, postgrestest.OverTLS(ours.Server(t, "db.test", time.Now().Add(time.Hour)), s.serve)).Account()
			target, err := New(ours.Roots(), 32)
			if err != nil {
				t.Fatal(err)
			}
			session, err := target.Login(t.Context(), account)
			if err != nil {
				t.Fatal(err)
			}
			defer session.Close()
			next := account
			next.Password = rotation.NewSensitive("Another4711")
			if err := session.Try(t.Context(), "orders", next.Password); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(s.kept, kept) {
				t.Fatal("Try is a change")
			}
			if err := session.Change(t.Context(), "orders", next.Password); err != nil {
				t.Fatal(err)
			}
			if err := target.Prove(t.Context(), next); err != nil {
				t.Errorf("the new password: %v", err)
			}
			if err := target.Prove(t.Context(), account); rotation.CodeOf(err) != rotation.CodeAuthRejected {
				t.Errorf("the previous password: got %v, want %q", err, rotation.CodeAuthRejected)
			}
			if sha := s.md5 == ""; sha != strings.HasPrefix(name, "SHA") {
				t.Error("the user has another kind of digest now")
			}
			for _, statement := range s.statements {
				if strings.Contains(statement, "Another4711") {
					t.Error("the password stands in a statement")
				}
			}
		})
	}
}

// TestAdminKeepsTheUsersDigest: an administrator whose own digest is of the other
// kind sets what the user's clients can log in with, even if the secret's
// password was refused, and so can put back what was. (C21)
func TestAdminKeepsTheUsersDigest(t *testing.T) {
	ours := postgrestest.NewAuthority(t)
	md5 := postgresconn.MD5Verifier("orders", rotation.NewSensitive(postgrestest.Password)).Reveal()
	for name, test := range map[string]struct{ user, admin server }{
		"the user MD5, the admin SHA-256":           {server{t: t, md5: md5}, server{t: t}},
		"the user SHA-256, the admin MD5":           {server{t: t}, server{t: t, md5: md5}},
		"the user SHA-256 as digits, the admin MD5": {server{t: t, digits: true}, server{t: t, digits: true, md5: md5}},
		"the user SHA-256, and the admin too":       {server{t: t}, server{t: t}},
	} {
		for _, password := range []string{postgrestest.Password, "Refused4711"} {
			t.Run(name+", "+password, func(t *testing.T) {
				at := func(s server) (*server, database.Account) {
					s.keep()
					return &s, postgrestest.Serve(t, postgrestest.OverTLS(ours.Server(t, "db.test", time.Now().Add(time.Hour)), s.serve)).Account()
				}
				user, account := at(test.user)
				other, admin := at(test.admin)
				admin.Admin = true
				account.Password = rotation.NewSensitive(password)
				target, err := New(ours.Roots(), 32)
				if err != nil {
					t.Fatal(err)
				}
				if err := target.Prove(t.Context(), account); (err == nil) != (password == postgrestest.Password) {
					t.Fatal(err)
				}
				session, err := target.Login(t.Context(), admin)
				if err != nil {
					t.Fatal(err)
				}
				defer session.Close()
				next := admin
				next.Password = rotation.NewSensitive("Another4711")
				if err := session.Change(t.Context(), "orders", next.Password); err != nil {
					t.Fatal(err)
				}
				if got, want := other.md5 != "", user.md5 != ""; got != want {
					t.Errorf("the new digest is MD5: %v, the user's is: %v", got, want)
				}
				if err := target.Prove(t.Context(), next); err != nil {
					t.Errorf("the new password: %v", err)
				}
			})
		}
	}
}

// TestLoginFails: a server that is not what it should be learns nothing. (C6, C7)
func TestLoginFails(t *testing.T) {
	ours := postgrestest.NewAuthority(t)
	good := ours.Server(t, "db.test", time.Now().Add(time.Hour))
	asks := func(messages ...pgproto3.BackendMessage) func(*pgproto3.Backend) {
		return func(backend *pgproto3.Backend) {
			postgrestest.Send(backend, messages...)
			answer, err := backend.Receive()
			if _, bye := answer.(*pgproto3.Terminate); err == nil && !bye {
				t.Errorf("the client answers with a %T", answer)
			}
		}
	}
	for name, test := range map[string]struct {
		script    func(net.Conn)
		plaintext bool
		want      rotation.Code
	}{
		"another algorithm":            {script: postgrestest.OverTLS(good, asks(&digestMessage{1, []byte("salt"), []byte("nonce")})), want: rotation.CodeServer},
		"a salt that has no end":       {script: postgrestest.OverTLS(good, asks(&digestMessage{0, make([]byte, maxRequestSize), nil})), want: rotation.CodeServer},
		"a digest without TLS":         {script: postgrestest.Plain(asks(&digestMessage{0, []byte("salt"), []byte("nonce")})), plaintext: true, want: rotation.CodeServer},
		"SCRAM, which is PostgreSQL's": {script: postgrestest.OverTLS(good, asks(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-256"}})), want: rotation.CodeServer},
		"no password asked for":        {script: postgrestest.OverTLS(good, asks(&pgproto3.AuthenticationOk{})), want: rotation.CodeServer},
		"an error at once":             {script: postgrestest.OverTLS(good, postgrestest.Refuse("57P03", "ProcessStartupPacket")), want: rotation.CodeUnreachable},
		"closed":                       {script: postgrestest.OverTLS(good, func(*pgproto3.Backend) {}), want: rotation.CodeDisconnected},
	} {
		t.Run(name, func(t *testing.T) {
			account := postgrestest.Serve(t, test.script).Account()
			account.Plaintext = test.plaintext
			target, err := New(ours.Roots(), 32)
			if err != nil {
				t.Fatal(err)
			}
			err = target.Prove(t.Context(), account)
			if got := rotation.CodeOf(err); got != test.want {
				t.Errorf("got %v (code %q), want code %q", err, got, test.want)
			}
			postgrestest.WantSilent(t, err)
		})
	}
}

// TestUnknownSalt: a server whose digests are of another kind is left alone,
// before anything is changed.
func TestUnknownSalt(t *testing.T) {
	ours := postgrestest.NewAuthority(t)
	s := &server{t: t, salt: []byte("sixteen bytes...")}
	sum := sha256.Sum256(append([]byte(postgrestest.Password), s.salt...))
	s.kept = sum[:]
	account := postgrestest.Serve(t, postgrestest.OverTLS(ours.Server(t, "db.test", time.Now().Add(time.Hour)), s.serve)).Account()
	target, err := New(ours.Roots(), 32)
	if err != nil {
		t.Fatal(err)
	}
	session, err := target.Login(t.Context(), account)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if err := session.Try(t.Context(), "orders", rotation.NewSensitive("x")); rotation.CodeOf(err) != rotation.CodeServer {
		t.Errorf("got %v, want %q", err, rotation.CodeServer)
	}
}

// TestIdentity: a session counts only if it is that of the user who logged in.
// (T3)
func TestIdentity(t *testing.T) {
	ours := postgrestest.NewAuthority(t)
	s := &server{t: t}
	s.keep()
	account := postgrestest.Serve(t, postgrestest.OverTLS(ours.Server(t, "db.test", time.Now().Add(time.Hour)), s.serve)).Account()
	account.User = "somebody"
	target, err := New(ours.Roots(), 32)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := target.Login(t.Context(), account); rotation.CodeOf(err) != rotation.CodeIdentity {
		t.Errorf("got %v, want %q", err, rotation.CodeIdentity)
	}
}

// TestStoodStill: a session that was silent for too long sends nothing more.
// (C19)
func TestStoodStill(t *testing.T) {
	ours := postgrestest.NewAuthority(t)
	s := &server{t: t}
	s.keep()
	account := postgrestest.Serve(t, postgrestest.OverTLS(ours.Server(t, "db.test", time.Now().Add(time.Hour)), s.serve)).Account()
	target, err := New(ours.Roots(), 32)
	if err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func(*Session) error{
		"claim":  func(s *Session) error { return s.Claim(t.Context(), "orders") },
		"try":    func(s *Session) error { return s.Try(t.Context(), "orders", rotation.NewSensitive("x")) },
		"change": func(s *Session) error { return s.Change(t.Context(), "orders", rotation.NewSensitive("x")) },
	} {
		session, err := target.Login(t.Context(), account)
		if err != nil {
			t.Fatal(err)
		}
		session.heard = session.heard.Add(-idleLimit - time.Second)
		if err := do(session); rotation.CodeOf(err) != rotation.CodeBusy {
			t.Errorf("%s: got %v, want %q", name, err, rotation.CodeBusy)
		}
		if err := session.Session.Alter(t.Context(), "send", "ALTER USER"); rotation.CodeOf(err) != rotation.CodeDisconnected {
			t.Errorf("%s: the connection is open still: %v", name, err)
		}
	}
	for _, statement := range s.statements {
		if strings.HasPrefix(statement, "ALTER") {
			t.Error("a statement reached the server")
		}
	}
}

// TestReadsInPieces: the server's first message may come in any pieces, and
// what is none of ours passes as it is.
func TestReadsInPieces(t *testing.T) {
	request, err := (&digestMessage{0, []byte("salt"), []byte("nonce")}).Encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	inClear := []byte{'R', 0, 0, 0, 8, 0, 0, 0, 3}
	for sent, want := range map[string]string{
		string(request) + "more": string(inClear) + "more",
		string(inClear) + "more": string(inClear) + "more",
		"E\x00\x00\x00\x09abc":   "E\x00\x00\x00\x09abc",
		"E":                      "E",
	} {
		ours, theirs := net.Pipe()
		go func() {
			for _, b := range []byte(sent) {
				_, _ = theirs.Write([]byte{b})
			}
			_ = theirs.Close()
		}()
		var got bytes.Buffer
		_, _ = got.ReadFrom(new(Target).attend(ours, database.Account{}))
		if got.String() != want {
			t.Errorf("%q is read as %q, want %q", sent, got.String(), want)
		}
	}
}

func TestPasswordLength(t *testing.T) {
	for length, want := range map[int]rotation.Code{15: rotation.CodeBadConfig, 16: "", 64: "", 65: rotation.CodeBadConfig} {
		if _, err := New(postgrestest.NewAuthority(t).Roots(), length); rotation.CodeOf(err) != want {
			t.Errorf("length %d: got %v, want code %q", length, err, want)
		}
	}
}

// TestSetup: names are found in the server's own catalogue only, and a statement
// has an end. (C8, C24)
func TestSetup(t *testing.T) {
	want := []string{"SELECT session_user", "SET search_path = pg_catalog", "SET statement_timeout = 1500"}
	if got := setup(1500 * time.Millisecond); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
