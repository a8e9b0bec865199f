package eventpattern

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// The verdicts in testdata are those of AWS's own matcher; the file says of which version.
func TestVerdicts(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "verdicts.json"))
	if err != nil {
		t.Fatal(err)
	}
	var recorded struct {
		Event json.RawMessage
		Cases []struct {
			Name         string
			Pattern      json.RawMessage
			Valid, Match bool
		}
	}
	if err := json.Unmarshal(text, &recorded); err != nil {
		t.Fatal(err)
	}
	if len(recorded.Cases) != 73 {
		t.Errorf("%d verdicts, want 73", len(recorded.Cases))
	}
	for _, test := range recorded.Cases {
		pattern, err := Parse(test.Pattern)
		if valid := err == nil; valid != test.Valid {
			t.Errorf("%s: valid is %t, AWS says %t: %v", test.Name, valid, test.Valid, err)
			continue
		}
		if !test.Valid {
			continue
		}
		got, err := pattern.Matches(recorded.Event)
		if err != nil || got != test.Match {
			t.Errorf("%s: match is %t, %v, AWS says %t", test.Name, got, err, test.Match)
		}
	}
}

func TestNoJSON(t *testing.T) {
	if _, err := Parse([]byte("{")); err == nil {
		t.Error("half a pattern is taken")
	}
	pattern, err := Parse([]byte(`{"a": [1]}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pattern.Matches([]byte("[]")); err == nil {
		t.Error("a list is taken for an event")
	}
}
