package redshift

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/postgres/common/postgres/postgresconn"
)

// Redshift asks a user whose password it keeps as a SHA-256 digest for a proof
// that PostgreSQL's protocol does not have. AWS's drivers know it:
// https://github.com/aws/amazon-redshift-jdbc-driver/blob/master/src/main/java/com/amazon/redshift/core/v3/ConnectionFactoryImpl.java
// https://github.com/aws/amazon-redshift-jdbc-driver/blob/master/src/main/java/com/amazon/redshift/util/ExtensibleDigest.java
const (
	md5Request     = 5
	digestRequest  = 13 // an authentication request: algorithm, salt, nonce
	digestAnswer   = 'd'
	digestSHA256   = 0
	maxRequestSize = 1 << 10
)

// attendant stands between the driver and a server that may ask for a digest.
// The driver is asked for the password in clear text instead, and what it
// answers goes no further than here.
type attendant struct {
	net.Conn
	begun   bool   // the server's first message has been read
	unread  []byte // what of it the driver has not read
	request *request
	learn   func(*kept) // is told how the server keeps the user's password
}

// kept is how the server keeps a password: as the SHA-256 digest of it and salt,
// or the MD5 digest if there is no salt. It shows in what the server asks for,
// even if it then refuses the answer.
type kept struct{ salt []byte }

// request is what the server asks the digest to be made of.
type request struct{ salt, nonce []byte }

var errDigest = errors.New("the server asks for a digest in a way that is not known")

// Read gives the driver the server's first message in words that it knows, and
// everything else as it comes.
func (a *attendant) Read(p []byte) (int, error) {
	if !a.begun {
		if err := a.first(); err != nil {
			return 0, err
		}
		a.begun = true
	}
	if len(a.unread) > 0 {
		n := copy(p, a.unread)
		a.unread = a.unread[n:]
		return n, nil
	}
	return a.Conn.Read(p)
}

// first reads the first message if it is a request for a digest, and its
// beginning if it is anything else.
func (a *attendant) first() (err error) {
	head := make([]byte, 9) // kind, length, and what authentication is asked for
	n, err := io.ReadFull(a.Conn, head)
	if err != nil && n == 0 {
		return err
	}
	a.unread = head[:n]
	if n < len(head) || head[0] != 'R' {
		return nil
	}
	switch binary.BigEndian.Uint32(head[5:]) {
	case digestRequest:
	case md5Request:
		a.learn(&kept{})
		return nil
	default:
		return nil
	}
	size := int(binary.BigEndian.Uint32(head[1:])) - 8
	if size < 0 || size > maxRequestSize {
		return errDigest
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(a.Conn, body); err != nil {
		return err
	}
	if a.request, err = parseRequest(body); err != nil {
		return err
	}
	a.learn(&kept{a.request.salt})
	a.unread, err = (&pgproto3.AuthenticationCleartextPassword{}).Encode(nil)
	return err
}

func parseRequest(body []byte) (*request, error) {
	if len(body) < 4 || binary.BigEndian.Uint32(body) != digestSHA256 {
		return nil, errDigest
	}
	salt, body, ok := cutBytes(body[4:])
	nonce, _, alsoOK := cutBytes(body)
	if !ok || !alsoOK {
		return nil, errDigest
	}
	return &request{salt, nonce}, nil
}

// cutBytes reads bytes that have their number before them.
func cutBytes(b []byte) (found, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := binary.BigEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-4) {
		return nil, nil, false
	}
	return b[4 : 4+n], b[4+n:], true
}

// Write answers in the driver's place if it gives the password.
func (a *attendant) Write(p []byte) (int, error) {
	if a.request == nil {
		return a.Conn.Write(p)
	}
	var password pgproto3.PasswordMessage
	if len(p) < 5 || p[0] != 'p' || password.Decode(p[5:]) != nil {
		return 0, errDigest
	}
	if _, err := a.Conn.Write(a.request.answer(password.Password, []byte(rand.Text()))); err != nil {
		return 0, err
	}
	a.request = nil
	return len(p), nil
}

func (r *request) answer(password string, nonce []byte) []byte {
	proof := sha256.Sum256(bytes.Join([][]byte{digest(password, r.salt), r.nonce, nonce}, nil))
	message := []byte{digestAnswer}
	message = binary.BigEndian.AppendUint32(message, uint32(4+4+len(proof)+4+len(nonce)))
	message = append(binary.BigEndian.AppendUint32(message, uint32(len(proof))), proof[:]...)
	return append(binary.BigEndian.AppendUint32(message, uint32(len(nonce))), nonce...)
}

// digest is what the server keeps of a password.
func digest(password string, salt []byte) []byte {
	sum := sha256.Sum256(append([]byte(password), salt...))
	return sum[:]
}

// saltLength is that of the salt that the server takes with a digest.
const saltLength = 32

// Digest returns what takes password's place in a statement, in the kind in
// which the server keeps the password of the session's own user, or of the last
// one that logged in before an administrator. That log-in has shown that the
// server hashes a salt as it sends it: as bytes, or as the hexadecimal digits
// that stand in statements.
func (s *Session) Digest(user string, password rotation.Sensitive) (rotation.Sensitive, error) {
	if s.kept.salt == nil {
		return postgresconn.MD5Verifier(user, password), nil
	}
	salt := make([]byte, saltLength)
	_, _ = rand.Read(salt) // never fails: https://pkg.go.dev/crypto/rand#Read
	digits := hex.AppendEncode(nil, salt)
	switch len(s.kept.salt) {
	case len(salt):
	case len(digits):
		salt = digits
	default:
		return rotation.Sensitive{}, rotation.Errorf(rotation.CodeServer, "the server keeps digests with a salt of %d bytes, which it is not known to take", len(s.kept.salt))
	}
	return rotation.NewSensitive(fmt.Sprintf("sha256|%x|%s", digest(password.Reveal(), salt), digits)), nil
}
