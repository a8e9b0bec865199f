package merge_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rotasmith/rotasmith/generator/merge"
)

// Each row is one of an update: what was written, what was made of it here, what would be written now.
func TestFile(t *testing.T) {
	tests := map[string]struct {
		path                string
		base, yours, theirs string
		want                merge.Result
		text                string
	}{
		"row 4, the same edit": {
			base: "a\nb\nc\n", yours: "a\nX\nc\n", theirs: "a\nX\nc\n", text: "a\nX\nc\n",
		},
		"row 5, the same line": {
			base: "a\nb\nc\n", yours: "a\nX\nc\n", theirs: "a\nY\nc\n",
			text: "a\n<<<<<<< yours\nX\n||||||| rotasmith before\nb\n=======\nY\n>>>>>>> rotasmith now\nc\n",
			want: merge.Result{Conflicts: []int{2}},
		},
		"row 6, adjacent lines": {
			base: "a\nb\nc\nd\n", yours: "a\nX\nc\nd\n", theirs: "a\nb\nY\nd\n",
			text: "a\n<<<<<<< yours\nX\nc\n||||||| rotasmith before\nb\nc\n=======\nb\nY\n>>>>>>> rotasmith now\nd\n",
			want: merge.Result{Conflicts: []int{2}},
		},
		"row 31, no newline at the end": {
			base: "a\nb\nc\nd\n", yours: "a\nb\nc\nX", theirs: "Y\nb\nc\nd\n", text: "Y\nb\nc\nX",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := tt.path
			if path == "" {
				path = "notes.txt"
			}
			got := merge.File(path, []byte(tt.base), []byte(tt.yours), []byte(tt.theirs))
			if diff := cmp.Diff(strings.Split(tt.text, "\n"), strings.Split(string(got.Text), "\n")); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
			got.Text = nil
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
