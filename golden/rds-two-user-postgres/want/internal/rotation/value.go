package rotation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"unique"
)

// Value is what one version of a secret holds: a JSON object. Setting a key
// replaces the bytes of that key's value and no others, so that numbers keep
// their digits, strings their escapes and unknown keys their place.
//
// Like [Sensitive], a Value cannot print itself.
type Value struct {
	text   Sensitive
	fields []field
}

// field is where a key's value stands in the text.
type field struct {
	key        string
	start, end int
}

// ParseValue reads a secret's text. Anything but one JSON object with distinct
// keys is [CodeBadSecret]; the message does not quote the text.
func ParseValue(text Sensitive) (Value, error) {
	bad := func(why string) (Value, error) {
		return Value{}, Errorf(CodeBadSecret, "the value is not a JSON object: %s", why)
	}
	if strings.HasPrefix(text.Reveal(), "\ufeff") {
		return bad("a byte order mark stands before it: store it as UTF-8 without one")
	}
	v := Value{text: text}
	dec := json.NewDecoder(strings.NewReader(text.Reveal()))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return bad("it does not begin with {")
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return bad("broken key")
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return bad("broken value")
		}
		name, _ := key.(string) // inside an object More is followed by a string
		if v.find(name) != nil {
			return bad("a key stands twice")
		}
		end := int(dec.InputOffset())
		v.fields = append(v.fields, field{key: name, start: end - len(raw), end: end})
	}
	if _, err := dec.Token(); err != nil {
		return bad("it has no end")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return bad("something follows it")
	}
	return v, nil
}

// Text returns the whole value for PutSecretValue.
func (v Value) Text() Sensitive { return v.text }

// IsZero reports whether v is no value at all.
func (v Value) IsZero() bool { return v.text.IsZero() }

// Get returns the value of key as text: strings unquoted, numbers and
// booleans as they stand. ok is false if the key is absent, null, an object or
// an array.
func (v Value) Get(key string) (text Sensitive, ok bool) {
	f := v.find(key)
	if f == nil {
		return Sensitive{}, false
	}
	switch raw := v.raw(*f); raw[0] {
	case '"':
		var s string
		if err := json.Unmarshal([]byte(raw), &s); err != nil {
			return Sensitive{}, false
		}
		return NewSensitive(s), true
	case '{', '[', 'n':
		return Sensitive{}, false
	default:
		return NewSensitive(raw), true
	}
}

// With returns v with key set to a JSON string, at its place if it is there
// and else at the end. All other bytes stay.
func (v Value) With(key, text string) Value {
	doc, literal := v.text.Reveal(), quote(text)
	if f := v.find(key); f != nil {
		doc = doc[:f.start] + literal + doc[f.end:]
	} else {
		end := strings.LastIndexByte(doc, '}')
		separator := ""
		if len(v.fields) > 0 {
			separator, end = ",", v.fields[len(v.fields)-1].end
		}
		doc = doc[:end] + separator + quote(key) + ":" + literal + doc[end:]
	}
	next, err := ParseValue(NewSensitive(doc))
	if err != nil {
		panic("rotation: setting a key broke the document") // both halves were valid JSON
	}
	return next
}

// Differences returns the sorted keys, other than those in except, whose
// values are not the same JSON in v and w.
func (v Value) Differences(w Value, except ...string) []string {
	var keys []string
	note := func(key string) {
		if !slices.Contains(except, key) && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	for _, f := range v.fields {
		if g := w.find(f.key); g == nil || !sameJSON(v.raw(f), w.raw(*g)) {
			note(f.key)
		}
	}
	for _, g := range w.fields {
		if v.find(g.key) == nil {
			note(g.key)
		}
	}
	slices.Sort(keys)
	return keys
}

// Format writes "[redacted]" for every verb and flag.
func (v Value) Format(f fmt.State, verb rune) { v.text.Format(f, verb) }

// MarshalText gives "[redacted]" to encoding/json and log/slog.
func (v Value) MarshalText() ([]byte, error) { return v.text.MarshalText() }

func (v Value) find(key string) *field {
	for i := range v.fields {
		if v.fields[i].key == key {
			return &v.fields[i]
		}
	}
	return nil
}

func (v Value) raw(f field) string { return v.text.Reveal()[f.start:f.end] }

// quote is a JSON string that leaves <, > and & as they are.
func quote(s string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes
	return strings.TrimSuffix(b.String(), "\n")
}

func sameJSON(a, b string) bool {
	if a == b {
		return true
	}
	var x, y bytes.Buffer
	return json.Compact(&x, []byte(a)) == nil && json.Compact(&y, []byte(b)) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

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
