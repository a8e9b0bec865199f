package cmd

import (
	"io"
	"strings"
	"testing"
)

func TestKeyboard(t *testing.T) {
	tests := []struct {
		name, typed string // typed begins with ? when survey has asked for the place
		want        string // keys, with | between
	}{
		{"letters one by one", "ab\r", "a|b|\r"},
		{"Ctrl-D gives up", "a\x04", "a|\x03"},
		{"arrows and Delete whole", "\x1b[A\x1bOB\x1b[3~x", "\x1b[A|\x1bOB|\x1b[3~|x"},
		{"the cursor's place with keys before and after it", "a\x1b[24;80Rb", "a|\x1b[24;80R|b"},
		{"the cursor's place goes first when it was asked for", "?a\x1b[5Db\x1b[24;80Rc", "\x1b[24;80R|a|b|c"},
		{"Escape alone", "a\x1b", "a|\x1b"},
		{"paste marks", "\x1b[200~a\x1b[201~b", "a|b"},
		{"Ctrl-Right, F5, Alt-b and cut sequences", "\x1b[1;5C\x1b[15~\x1bbx\x1b[1", "x"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k := newKeyboard(0, strings.NewReader(strings.TrimPrefix(test.typed, "?")))
			k.asked = strings.HasPrefix(test.typed, "?")
			var got []string
			chunk := make([]byte, 64)
			for {
				n, err := k.Read(chunk)
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, string(chunk[:n]))
			}
			if joined := strings.Join(got, "|"); joined != test.want {
				t.Errorf("keys %q, want %q", joined, test.want)
			}
		})
	}
}
