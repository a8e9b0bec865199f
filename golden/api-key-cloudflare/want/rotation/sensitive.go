package rotation

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unique"
)

const redacted = "[redacted]"

// Sensitive is text that cannot print itself: every verb of package fmt,
// encoding/json and log/slog write "[redacted]" in its place. The only way to
// the text is [Sensitive.Reveal], which a reader can search for.
//
// Two of the same text are equal. The text stands behind a handle because
// package fmt does not ask the methods of unexported fields: it would print a
// string there, and prints an address now.
type Sensitive struct{ text unique.Handle[string] }

// NewSensitive wraps text.
func NewSensitive(text string) Sensitive {
	if text == "" {
		return Sensitive{}
	}
	return Sensitive{unique.Make(text)}
}

// Reveal returns the text, for the call that needs it and for nothing else.
func (s Sensitive) Reveal() string {
	if s.IsZero() {
		return ""
	}
	return s.text.Value()
}

// IsZero reports whether the text is empty.
func (s Sensitive) IsZero() bool { return s == Sensitive{} }

// Format writes "[redacted]" for every verb and flag.
func (Sensitive) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue gives "[redacted]" to log/slog.
func (Sensitive) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText gives "[redacted]" to encoding/json and its like.
func (Sensitive) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalText takes the text from encoding/json and its like.
func (s *Sensitive) UnmarshalText(text []byte) error {
	*s = NewSensitive(string(text))
	return nil
}

// oneLine keeps foreign text from starting a log line of its own.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' || r == '\u0085' {
			return ' '
		}
		return r
	}, s)
}
