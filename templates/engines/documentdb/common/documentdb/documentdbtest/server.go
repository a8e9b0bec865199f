// Package documentdbtest is a server that speaks MongoDB's protocol and does as
// it is told: it has users with SCRAM credentials and roles, and a test can
// answer any command in its place. It is the judge of what no free server that
// stands in for DocumentDB knows: roles, who may see whom, and failures.
package documentdbtest

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/md5"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"math/big"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/xdg-go/scram"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

// Name is the name in the server's certificate.
const Name = "db.test"

// Admin is the user that sees all others and may change them.
const (
	Admin         = "admin"
	AdminPassword = "admins-password"
)

// Server is the server.
type Server struct {
	// Roots vouch for the server's certificate.
	Roots *x509.CertPool

	address   *net.TCPAddr
	tls       *tls.Config
	mechanism scram.HashGeneratorFcn
	name      string // the mechanism's

	mu       sync.Mutex
	users    map[string]*user
	commands []string
	dials    int
	open     []net.Conn
	answer   func(command bson.D) (bson.D, error)
}

type user struct {
	password string
	roles    []Role
}

// Role is a role in a database.
type Role struct {
	Role string `bson:"role"`
	DB   string `bson:"db"`
}

// Option changes what a server is like.
type Option func(*Server)

// SHA1 makes a server that knows SCRAM-SHA-1 only, as old ones do.
func SHA1(s *Server) { s.mechanism, s.name = scram.SHA1, "SCRAM-SHA-1" }

// Certificate makes a server whose certificate has another name or date.
func Certificate(name string, notAfter time.Time) Option {
	return func(s *Server) { s.certify(name, notAfter) }
}

// New serves until the test ends.
func New(t testing.TB, options ...Option) *Server {
	t.Helper()
	s := &Server{mechanism: scram.SHA256, name: "SCRAM-SHA-256", users: map[string]*user{}}
	s.certify(Name, time.Now().Add(time.Hour))
	for _, option := range options {
		option(s)
	}
	s.AddUser(Admin, AdminPassword)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = listener.Addr().(*net.TCPAddr)
	var serving sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		s.Cut()
		serving.Wait()
	})
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.dials++
			s.open = append(s.open, conn)
			s.mu.Unlock()
			serving.Go(func() {
				defer func() { _ = conn.Close() }()
				secure := tls.Server(conn, s.tls)
				if secure.HandshakeContext(t.Context()) == nil {
					s.serve(secure)
				}
			})
		}
	})
	return s
}

// certify makes an authority and a certificate of it. Neither can fail but for
// want of random numbers.
func (s *Server) certify(name string, notAfter time.Time) {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: notAfter,
		IsCA: true, BasicConstraintsValid: true,
	}
	der, _ := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	certificate, _ := x509.ParseCertificate(der)
	s.Roots = x509.NewCertPool()
	s.Roots.AddCert(certificate)
	s.tls = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// Account returns a login to the server.
func (s *Server) Account(user, password string) database.Account {
	return database.Account{
		User: user, Password: rotation.NewSensitive(password),
		Host: s.address.IP.String(), Port: s.address.Port, ServerName: Name,
	}
}

// AddUser makes a user, or makes it anew.
func (s *Server) AddUser(name, password string, roles ...Role) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[name] = &user{password, roles}
}

// Roles returns a user's roles, and whether there is such a user.
func (s *Server) Roles(name string) ([]Role, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.users[name]
	if !ok {
		return nil, false
	}
	return slices.Clone(u.roles), true
}

// Answer lets do answer commands in the server's place. With nil and nil the
// server answers itself; an error ends the connection.
func (s *Server) Answer(do func(command bson.D) (bson.D, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = do
}

// Commands returns the names of all commands since the last call, but for
// those by which drivers keep in touch.
func (s *Server) Commands() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	commands := s.commands
	s.commands = nil
	return commands
}

// Dials returns how many connections were made since the last call.
func (s *Server) Dials() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.dials
	s.dials = 0
	return n
}

// Cut closes all connections.
func (s *Server) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.open {
		_ = conn.Close()
	}
	s.open = nil
}

// Fail is the answer of a server that refuses a command.
func Fail(code int32, text string) bson.D {
	return bson.D{{Key: "ok", Value: 0.0}, {Key: "code", Value: code}, {Key: "codeName", Value: text}, {Key: "errmsg", Value: text}}
}

func ok(fields ...bson.E) bson.D { return append(fields, bson.E{Key: "ok", Value: 1.0}) }

// session is what one connection has come to.
type session struct {
	user  string
	login *scram.ServerConversation
}

func (s *Server) serve(conn net.Conn) {
	in := bufio.NewReader(conn)
	var session session
	for {
		request, reply, err := read(in)
		if err != nil {
			return
		}
		answer, err := s.handle(&session, request)
		if err != nil {
			return
		}
		if _, err := conn.Write(reply(answer)); err != nil {
			return
		}
	}
}

const (
	opReply = 1
	opQuery = 2004
	opMsg   = 2013
)

// read reads a request. reply frames its answer.
// https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/
func read(in io.Reader) (request bson.D, reply func(bson.D) []byte, err error) {
	head := make([]byte, 16)
	if _, err := io.ReadFull(in, head); err != nil {
		return nil, nil, err
	}
	length := binary.LittleEndian.Uint32(head)
	if length < 16 || length > 1<<24 {
		return nil, nil, errors.New("not a message of the protocol")
	}
	body := make([]byte, length-16)
	if _, err := io.ReadFull(in, body); err != nil {
		return nil, nil, err
	}
	frame := func(op uint32, prefix []byte) func(bson.D) []byte {
		return func(answer bson.D) []byte {
			document, _ := bson.Marshal(answer) // made of values that can be
			message := make([]byte, 16, 16+len(prefix)+len(document))
			copy(message[8:], head[4:8])
			binary.LittleEndian.PutUint32(message[12:], op)
			message = append(append(message, prefix...), document...)
			binary.LittleEndian.PutUint32(message, uint32(len(message)))
			return message
		}
	}
	switch op := binary.LittleEndian.Uint32(head[12:]); {
	case op == opMsg && len(body) > 5 && body[4] == 0:
		return request, frame(opMsg, make([]byte, 5)), bson.Unmarshal(body[5:], &request)
	case op == opQuery && len(body) > 4:
		name := slices.Index(body[4:], 0)
		if name < 0 || len(body) < 4+name+1+8 {
			return nil, nil, io.ErrUnexpectedEOF
		}
		prefix := make([]byte, 20)
		prefix[16] = 1 // one document
		err := bson.Unmarshal(body[4+name+1+8:], &request)
		return request, frame(opReply, prefix), err
	default:
		return nil, nil, errors.New("a message of another kind")
	}
}

func (s *Server) handle(session *session, request bson.D) (bson.D, error) {
	if len(request) == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	name := request[0].Key
	s.mu.Lock()
	answer := s.answer
	if name != "hello" && name != "isMaster" && name != "ismaster" {
		s.commands = append(s.commands, name)
	}
	s.mu.Unlock()
	if answer != nil {
		if said, err := answer(request); said != nil || err != nil {
			return said, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch name {
	case "hello", "isMaster", "ismaster":
		hello := ok(
			bson.E{Key: "isWritablePrimary", Value: true}, bson.E{Key: "ismaster", Value: true}, bson.E{Key: "helloOk", Value: true},
			bson.E{Key: "minWireVersion", Value: 0}, bson.E{Key: "maxWireVersion", Value: 13},
			bson.E{Key: "maxBsonObjectSize", Value: 1 << 24}, bson.E{Key: "maxMessageSizeBytes", Value: 48000000}, bson.E{Key: "maxWriteBatchSize", Value: 100000})
		if get[string](request, "saslSupportedMechs") != "" {
			hello = append(hello, bson.E{Key: "saslSupportedMechs", Value: bson.A{s.name}})
		}
		return hello, nil
	case "saslStart":
		if get[string](request, "mechanism") != s.name {
			return Fail(18, "AuthenticationFailed"), nil
		}
		server, err := s.mechanism.NewServer(s.credentials)
		if err != nil {
			return nil, err
		}
		session.login = server.NewConversation()
		return s.step(session, request), nil
	case "saslContinue":
		return s.step(session, request), nil
	}
	if session.user == "" {
		return Fail(13, "Unauthorized"), nil
	}
	return s.command(session.user, name, request), nil
}

func (s *Server) credentials(name string) (scram.StoredCredentials, error) {
	u, ok := s.users[name]
	if !ok {
		return scram.StoredCredentials{}, errors.New("no such user")
	}
	password := u.password
	if s.name == "SCRAM-SHA-1" {
		sum := md5.Sum([]byte(name + ":mongo:" + password))
		password = hex.EncodeToString(sum[:])
	}
	client, err := s.mechanism.NewClientUnprepped(name, password, "")
	if err != nil {
		return scram.StoredCredentials{}, err
	}
	return client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: "salt of a test..", Iters: 4096})
}

func (s *Server) step(session *session, request bson.D) bson.D {
	if session.login == nil {
		return Fail(18, "AuthenticationFailed")
	}
	payload := get[bson.Binary](request, "payload")
	said, err := session.login.Step(string(payload.Data))
	if err != nil {
		return Fail(18, "AuthenticationFailed")
	}
	if session.login.Done() && session.login.Valid() {
		session.user = session.login.Username()
	}
	return ok(bson.E{Key: "conversationId", Value: 1}, bson.E{Key: "done", Value: session.login.Done()}, bson.E{Key: "payload", Value: []byte(said)})
}

// command does what user asks for.
func (s *Server) command(by, name string, request bson.D) bson.D {
	target, _ := request[0].Value.(string)
	u := s.users[target]
	mayChange := by == Admin || by == target && name == "updateUser"
	switch name {
	case "ping":
		return ok()
	case "connectionStatus":
		return ok(bson.E{Key: "authInfo", Value: bson.D{
			{Key: "authenticatedUsers", Value: bson.A{bson.D{{Key: "user", Value: by}, {Key: "db", Value: "admin"}}}},
		}})
	case "usersInfo":
		return s.usersInfo(by, request)
	case "createUser", "updateUser", "grantRolesToUser", "revokeRolesFromUser":
		if !mayChange {
			return Fail(13, "Unauthorized")
		}
	default:
		return Fail(59, "CommandNotFound")
	}
	roles := rolesOf(request)
	switch {
	case name == "createUser" && u != nil:
		return Fail(51003, "Location51003")
	case name == "createUser":
		s.users[target] = &user{get[string](request, "pwd"), roles}
	case u == nil:
		return Fail(11, "UserNotFound")
	case name == "grantRolesToUser":
		u.roles = append(u.roles, roles...)
	case name == "revokeRolesFromUser":
		u.roles = slices.DeleteFunc(u.roles, func(role Role) bool { return slices.Contains(roles, role) })
	default:
		if password := get[string](request, "pwd"); password != "" {
			u.password = password
		}
		if has(request, "roles") { // all that the user is to have
			u.roles = roles
		}
	}
	return ok()
}

// usersInfo shows another user to the admin alone.
func (s *Server) usersInfo(by string, request bson.D) bson.D {
	asked, _ := request[0].Value.(bson.A)
	found := bson.A{}
	for _, one := range asked {
		document, _ := one.(bson.D)
		name := get[string](document, "user")
		if by != Admin && by != name {
			return Fail(13, "Unauthorized")
		}
		if u, ok := s.users[name]; ok {
			found = append(found, bson.D{{Key: "user", Value: name}, {Key: "db", Value: "admin"}, {Key: "roles", Value: u.roles}})
		}
	}
	return ok(bson.E{Key: "users", Value: found})
}

func rolesOf(request bson.D) []Role {
	var document struct{ Roles []Role }
	raw, err := bson.Marshal(request)
	if err == nil {
		err = bson.Unmarshal(raw, &document)
	}
	if err != nil {
		return nil
	}
	return document.Roles
}

func has(document bson.D, key string) bool {
	return slices.ContainsFunc(document, func(e bson.E) bool { return e.Key == key })
}

func get[T any](document bson.D, key string) T {
	var none T
	for _, e := range document {
		if e.Key == key {
			if value, ok := e.Value.(T); ok {
				return value
			}
		}
	}
	return none
}
