package merge

import (
	"strings"
	"testing"
)

// Of lines that stand once in both texts, the most that keep their order are landmarks.
func TestCommonLandmarks(t *testing.T) {
	for _, tt := range []struct{ base, side, want string }{
		{"a b c d e f", "a b c d e f", "a b c d e f"},
		{"a b c d e f", "d a b c e f", "a b c e f"},
		{"a b c d e f", "d e f a", "d e f"},
		{"a b c d e f", "f e d c b a", "f"},
		{"a b c d e f g h", "g h a b c d f e", "a b c d f"},
		{"a x b x c", "a x b c c", "a b"},
		{"a b", "c d", ""},
		{"", "a", ""},
	} {
		base, side := strings.Fields(tt.base), strings.Fields(tt.side)
		var got []string
		for _, l := range commonLandmarks(base, side) {
			if base[l.base] != side[l.side] {
				t.Errorf("%q is no %q", base[l.base], side[l.side])
			}
			got = append(got, base[l.base])
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s and %s: %s, want %s", tt.base, tt.side, strings.Join(got, " "), tt.want)
		}
	}
}
