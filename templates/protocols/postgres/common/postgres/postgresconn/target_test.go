package postgresconn

import (
	"crypto/x509"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

// TestEnvironmentIsNotRead sets what the driver reads and looks at what is left
// of it. (C6)
func TestEnvironmentIsNotRead(t *testing.T) {
	for name, value := range map[string]string{
		"PGHOST": "elsewhere.invalid", "PGPORT": "1", "PGDATABASE": "elsewhere", "PGUSER": "somebody", "PGPASSWORD": "wrong",
		"PGAPPNAME": "other", "PGCONNECT_TIMEOUT": "x", "PGSSLMODE": "prefer", "PGSSLKEY": "/absent", "PGSSLCERT": "/absent",
		"PGSSLROOTCERT": "/absent", "PGSSLNEGOTIATION": "direct", "PGTARGETSESSIONATTRS": "standby", "PGTZ": "Mars/Phobos",
		"PGOPTIONS": "-c statement_timeout=1", "PGMINPROTOCOLVERSION": "3.2", "PGMAXPROTOCOLVERSION": "9",
		"PGCHANNELBINDING": "maybe", "PGREQUIREAUTH": "none",
	} {
		t.Setenv(name, value)
	}
	config, err := driverConfig()
	if err != nil {
		t.Fatal(err)
	}
	if len(config.Fallbacks) > 0 || len(config.RuntimeParams) > 0 || config.ValidateConnect != nil || config.TLSConfig != nil ||
		config.Password != "unused" || config.ConnectTimeout != 0 || config.SSLNegotiation != "" ||
		config.MinProtocolVersion != "3.0" || config.MaxProtocolVersion != "3.0" || config.ChannelBinding != "prefer" {
		t.Error("the environment has set something")
	}

	t.Setenv("PGSERVICE", "absent")
	_, err = New(Kind{}, x509.NewCertPool(), database.Alphanumeric(32, 64))
	if got := rotation.CodeOf(err); got != rotation.CodeBadConfig {
		t.Errorf("with PGSERVICE: got %v, want %q", err, rotation.CodeBadConfig)
	}
}

func TestCheckName(t *testing.T) {
	kind := Kind{Name: "PostgreSQL", NameLimit: 63}
	if err := kind.CheckName(strings.Repeat("ü", 31) + "x"); err != nil {
		t.Error(err)
	}
	if err := kind.CheckName(strings.Repeat("ü", 32)); rotation.CodeOf(err) != rotation.CodeBadUsers {
		t.Errorf("got %v, want %q", err, rotation.CodeBadUsers)
	}
}

// FuzzQuote reads quoted text back as the server's lexer does, and nothing may
// be left over. (T6)
func FuzzQuote(f *testing.F) {
	for _, text := range []string{"", "orders", `a"b`, `a'b`, `a\b`, `\`, `\'`, `'; DROP ROLE x; --`, `"; DROP ROLE x; --`, "ü\n\t", "$$", `E'`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			t.Skip("no name or text of a secret or a catalogue")
		}
		if got, rest := readIdentifier(Identifier(text)); got != text || rest != "" {
			t.Errorf("%q is read as %q with %q after it", text, got, rest)
		}
		if got, rest := readLiteral(Literal(text)); got != text || rest != "" {
			t.Errorf("%q is read as %q with %q after it", text, got, rest)
		}
	})
}

func readIdentifier(s string) (text, rest string) {
	s = s[1:]
	for {
		before, after, _ := strings.Cut(s, `"`)
		text += before
		if !strings.HasPrefix(after, `"`) {
			return text, after
		}
		text, s = text+`"`, after[1:]
	}
}

func readLiteral(s string) (text, rest string) {
	if !strings.HasPrefix(s, "E'") {
		return "", s
	}
	var read strings.Builder
	for i := 2; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
		case s[i] == '\'' && i+1 < len(s) && s[i+1] == '\'':
			i++
		case s[i] == '\'':
			return read.String(), s[i+1:]
		}
		read.WriteByte(s[i])
	}
	return read.String(), "the end is missing"
}

func TestMD5Verifier(t *testing.T) {
	// The result of select 'md5' || md5('postgres' || 'postgres').
	if got := MD5Verifier("postgres", rotation.NewSensitive("postgres")).Reveal(); got != "md53175bce1d3201d16594cebf9d7eb3f9d" {
		t.Error("the verifier is another than the server's")
	}
}
