package cmd

import (
	"io"
	"strings"
	"testing"
)

func TestKeyboard(t *testing.T) {
	tests := []struct {
		name, typed string
		want        string // keys, with | between
	}{
		{"letters one by one", "ab\r", "a|b|\r"},
		{"Ctrl-D gives up", "a\x04", "a|\x03"},
		{"arrows and Delete whole", "\x1b[A\x1bOB\x1b[3~x", "\x1b[A|\x1b[B|\x1b[3~|x"},
		{"the cursor's place, told late", "a\x1b[24;80Rb", "a|b"},
		{"Escape alone", "a\x1b", "a"},
		{"paste marks", "\x1b[200~a\x1b[201~b", "a|b"},
		{"Ctrl-Right, F5, Alt-b and cut sequences", "\x1b[1;5C\x1b[15~\x1bbx\x1b[1", "x"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k := newKeyboard(0, strings.NewReader(test.typed))
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
