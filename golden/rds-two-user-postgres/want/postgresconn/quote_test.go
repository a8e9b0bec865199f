package postgresconn

import (
	"strings"
	"testing"
	"unicode/utf8"
)

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
