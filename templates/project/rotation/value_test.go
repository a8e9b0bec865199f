package rotation_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

func parse(t testing.TB, text string) rotation.Value {
	t.Helper()
	v, err := rotation.ParseValue(rotation.NewSensitive(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// C4: setting a key changes that key and nothing else, whatever the document.
func FuzzValueWith(f *testing.F) {
	for _, doc := range []string{
		`{}`, ` { } `, `{"password":"a"}`, `{"password":null,"b":1}`, "{\n\t\"a\" : 1 ,\n\t\"password\" : {\"x\": [1, \"}\"]} }\n",
		`{"port":3306,"big":12345678901234567890,"e":1.0E+2,"html":"<>&","esc":"\u003c\/\ud83d\ude00","":false}`,
		`{"p\u0061ssword":"escaped key"}`, `{"a":"\"}{"}`, `{"a":[{"password":1}]}`, "{\"a\":\"\xff\"}", `{"a":"\ud800"}`,
	} {
		for _, text := range []string{"", "secret", `"\<&>` + "\n\u2028\x00é😀"} {
			f.Add(doc, "password", text)
		}
	}
	f.Fuzz(func(t *testing.T, doc, key, text string) {
		v, err := rotation.ParseValue(rotation.NewSensitive(doc))
		if err != nil || !utf8.ValidString(key) || !utf8.ValidString(text) {
			return
		}
		w := v.With(key, text)
		if got, ok := w.Get(key); !ok || got.Reveal() != text {
			t.Errorf("got %q, %t, want %q", got.Reveal(), ok, text)
		}
		before, after := fields(t, v), fields(t, w)
		delete(before, key)
		delete(after, key)
		if !maps.Equal(before, after) {
			t.Errorf("the rest went from %q to %q", before, after)
		}
		for _, changed := range v.Differences(w) {
			if changed != key {
				t.Errorf("%q is told to differ", changed)
			}
		}
		// The bytes around it stay too.
		if raw, ok := fields(t, v)[key]; ok {
			literal := fields(t, w)[key]
			if !strings.Contains(strings.ReplaceAll(doc, raw, literal), literal) || len(w.Text().Reveal()) != len(doc)-len(raw)+len(literal) {
				t.Errorf("%q became %q", doc, w.Text().Reveal())
			}
		}
	})
}

// fields are the raw values of a document, as encoding/json finds them.
func fields(t *testing.T, v rotation.Value) map[string]string {
	t.Helper()
	var raw map[string]json.RawMessage
	if err := json.Unmarshal([]byte(v.Text().Reveal()), &raw); err != nil {
		t.Fatalf("not JSON: %v", err)
	}
	texts := make(map[string]string)
	for key, value := range raw {
		texts[key] = string(value)
	}
	return texts
}

// C4: a text that is not one JSON object with distinct keys is refused, and the
// refusal does not quote it.
func TestParseValueRefuses(t *testing.T) {
	for _, text := range []string{
		"", " ", "sentinel", `"sentinel"`, `["sentinel"]`, "1", "null", "{", `{"a"`, `{"a":`, `{"a":1`, `{"a":1,}`, `{"a":1}}`, `{"a":1} {}`,
		`{a:1}`, `{'a':1}`, `{"a":01}`, `{"a":NaN}`, `{"a":"sentinel`, `{"a" 1}`, `{1:2}`, `{"a":1 "b":2}`, "\ufeff{}",
		`{"a":1,"a":1}`, `{"a":1,"\u0061":2}`, // readers differ in which of the two they take
	} {
		v, err := rotation.ParseValue(rotation.NewSensitive(text))
		if rotation.CodeOf(err) != rotation.CodeBadSecret {
			t.Errorf("%q: got error %v, want %s", text, err, rotation.CodeBadSecret)
		} else if strings.Contains(err.Error(), "sentinel") {
			t.Errorf("%q stands in %q", text, err)
		}
		if !v.IsZero() {
			t.Errorf("%q: a value beside the error", text)
		}
	}
}

// C4: a byte order mark is invisible where the value is looked at, and is named.
func TestParseValueNamesTheMark(t *testing.T) {
	_, err := rotation.ParseValue(rotation.NewSensitive("\ufeff{}"))
	if err == nil || !strings.Contains(err.Error(), "byte order mark") {
		t.Errorf("got %v", err)
	}
}

// C4: numbers keep their digits, strings lose their quotes, and nothing that is
// no text passes for one.
func TestValueGet(t *testing.T) {
	v := parse(t, `{"s": "a\u0026b", "n": 5432, "big": 12345678901234567890, "f": 1.50, "t": true, "nil": null, "o": {}, "a": [], "e": ""}`)
	for key, want := range map[string]string{"s": "a&b", "n": "5432", "big": "12345678901234567890", "f": "1.50", "t": "true", "e": ""} {
		if got, ok := v.Get(key); !ok || got.Reveal() != want {
			t.Errorf("%s: got %q, %t, want %q", key, got.Reveal(), ok, want)
		}
	}
	for _, key := range []string{"nil", "o", "a", "absent", "S"} {
		if got, ok := v.Get(key); ok {
			t.Errorf("%s: got %q, want nothing", key, got.Reveal())
		}
	}
}

// C4: a text is written as it was set, as far as JSON allows; JSON and text encoders
// do not see a value's content.
func TestValueText(t *testing.T) {
	v := parse(t, `{"password":"old"}`).With("password", `<>&"\é`)
	if got, want := v.Text().Reveal(), `{"password":"<>&\"\\é"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, err := json.Marshal(v); err != nil || string(got) != `"[redacted]"` {
		t.Errorf("as JSON: %s, %v", got, err)
	}
}

// C4, C5: values are the same if their JSON is, whitespace aside.
func TestValueDifferences(t *testing.T) {
	const doc = `{"a": 1, "b": [1, {"c": "x"}], "d": "y"}`
	for text, want := range map[string][]string{
		doc:                                 nil,
		`{"d":"y","b":[1,{"c":"x"}],"a":1}`: nil,
		`{"a": 1.0, "b": [1, {"c": "x"}], "d": "y"}`: {"a"},
		`{"a": "1", "b": [1, {"c": "x"}], "d": "y"}`: {"a"},
		`{"a": 1, "b": [{"c": "x"}, 1], "d": "y"}`:   {"b"},
		`{"b": [1, {"c": "x"}], "z": 0}`:             {"a", "z"},
		`{}`:                                         {"a", "b"},
	} {
		if got := parse(t, doc).Differences(parse(t, text), "d"); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
		if got := parse(t, text).Differences(parse(t, doc), "d"); !slices.Equal(got, want) {
			t.Errorf("%s, the other way: got %q, want %q", text, got, want)
		}
	}
}

// A function that serves many secrets keeps the values that it reads, and forgets them
// before they are too many.
func TestForgetsValues(t *testing.T) {
	b := newBench(t, seed)
	handler := b.handler()
	reads := func(secret string) (n int) {
		b.calls = nil
		_, err := handler.Handle(b.Invocation(t.Context()), json.RawMessage(`{"Preflight": true, "SecretId": "`+secret+`"}`))
		b.must(err)
		for _, call := range b.calls {
			if strings.HasPrefix(call, "GetSecretValue") {
				n++
			}
		}
		return n
	}
	if first, second := reads(b.Secret), reads(b.Secret); first != 1 || second != 0 {
		t.Errorf("read %d times, and then %d, want once", first, second)
	}
	for i := range 100 {
		reads(b.Seed(fmt.Sprint("secret-", i), seed))
	}
	if again := reads(b.Secret); again != 1 {
		t.Errorf("after 100 other secrets the first is read %d times, want once", again)
	}
}
