package postgres

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

// TestSCRAMVerifier checks the verifier as a server does, against the exchange
// that RFC 7677 gives as its example. (C10)
func TestSCRAMVerifier(t *testing.T) {
	const (
		message = "n=user,r=rOprNGfwEbeRWgbNEkqO," +
			"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096," +
			"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
		proof     = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
		signature = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
	)
	verifier, err := scramVerifier(rotation.NewSensitive("pencil"), decode(t, "W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)
	if err != nil {
		t.Fatal(err)
	}
	parts := regexp.MustCompile(`^SCRAM-SHA-256\$4096:W22ZaJ0SNY7soEsUEjb6gQ==\$([^:]+):(.+)$`).FindStringSubmatch(verifier.Reveal())
	if parts == nil {
		t.Fatal("the verifier is not of the form that servers store")
	}
	storedKey, serverKey := decode(t, parts[1]), decode(t, parts[2])

	clientKey := keyed(storedKey, message)
	for i, b := range decode(t, proof) {
		clientKey[i] ^= b
	}
	if sum := sha256.Sum256(clientKey); !bytes.Equal(sum[:], storedKey) {
		t.Error("the client's proof does not fit the verifier")
	}
	if !bytes.Equal(keyed(serverKey, message), decode(t, signature)) {
		t.Error("the server's signature does not fit the verifier")
	}
}

func TestSaltsDiffer(t *testing.T) {
	session := &Session{passwordEncryption: "scram-sha-256", scramIterations: 1, asked: &asked{}}
	first, err := session.Verifier("orders", rotation.NewSensitive("password"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := session.Verifier("orders", rotation.NewSensitive("password"))
	if err != nil {
		t.Fatal(err)
	}
	if first == second {
		t.Error("two verifiers of one password are equal")
	}
}

// TestNormalise: passwords are prepared as clients prepare them. (C10)
func TestNormalise(t *testing.T) {
	for in, want := range map[string]string{
		"Letters0nly":            "Letters0nly",
		"a b":                    "a b",
		"a\u00a0b":               "a b", // a space of another kind
		"u\u0308":                "ü",
		"control\x01":            "control\x01", // what the rules forbid is taken as it is
		"":                       "",
		strings.Repeat("x", 200): strings.Repeat("x", 200),
	} {
		if got := normalise(in); got != want {
			t.Errorf("normalise(%q) = %q, want %q", in, got, want)
		}
	}
}

func decode(t testing.TB, text string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestForm: the form of a password is that of the log-in that worked. (C21)
func TestForm(t *testing.T) {
	const md5, scram = "md5", "scram-sha-256"
	previous, next := rotation.NewSensitive("previous"), rotation.NewSensitive("next")
	for _, test := range []struct {
		request       uint32
		setting       string
		previous, new bool // in SCRAM
	}{
		{askedSASL, md5, true, true},
		{askedSASL, scram, true, true},
		{askedMD5, md5, false, false},
		{askedMD5, scram, false, true},
		{0, md5, false, false}, // in clear text, or no user has logged in
		{0, scram, true, true},
	} {
		s := &Session{passwordEncryption: test.setting, asked: &asked{test.request, previous}}
		if s.usesSCRAM(previous) != test.previous || s.usesSCRAM(next) != test.new {
			t.Errorf("asked for %d with the setting %s: got %t and %t", test.request, test.setting, s.usesSCRAM(previous), s.usesSCRAM(next))
		}
	}
}

// TestAttendant reads what the server asks for, however it arrives, and changes
// nothing of it. (C21)
func TestAttendant(t *testing.T) {
	const message = "R\x00\x00\x00\x17\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00 and more"
	for _, size := range []int{1, 4, 9, 100} {
		server, client := net.Pipe()
		go func() {
			for part := range slices.Chunk([]byte(message), size) {
				_, _ = server.Write(part)
			}
			_ = server.Close()
		}()
		var got []uint32
		read, err := io.ReadAll(&attendant{Conn: client, learn: func(request uint32) { got = append(got, request) }})
		if err != nil || string(read) != message || !slices.Equal(got, []uint32{askedSASL}) {
			t.Errorf("in parts of %d: %q, %v, learnt %v", size, read, err, got)
		}
	}
}

// TestAttendedByNoAdmin: the form that an administrator is asked for says nothing of the
// users whose passwords it sets. (C21)
func TestAttendedByNoAdmin(t *testing.T) {
	conn, _ := net.Pipe()
	for _, admin := range []bool{false, true} {
		if attended := new(Target).attend(conn, database.Account{Admin: admin}) != conn; attended == admin {
			t.Errorf("admin %t: attended %t", admin, attended)
		}
	}
}
