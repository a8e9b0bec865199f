package apikey_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
)

// Labels are short, tell secrets and rotations apart, and begin alike for one
// secret only.
func TestLabel(t *testing.T) {
	const arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:"
	tokens := []string{"00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002", strings.Repeat("a", 64), strings.Repeat("a", 63)}
	seen := make(map[string]bool)
	for _, name := range []string{"a-AbCdEf", "b-AbCdEf", strings.Repeat("n", 512) + "-AbCdEf"} {
		for _, token := range tokens {
			label := apikey.Label(arn+name, token)
			if len(label) > 60 || seen[label] || !strings.HasPrefix(label, apikey.Prefix(arn+name)) {
				t.Errorf("label %q of %d characters", label, len(label))
			}
			seen[label] = true
		}
	}
	if apikey.Prefix(arn+"a-AbCdEf") == apikey.Prefix(arn+"b-AbCdEf") {
		t.Error("two secrets have one prefix")
	}
}

// C7: a key that holds what cannot be seen, such as the line break of a paste, is told
// by its name and that character.
func TestText(t *testing.T) {
	for text, want := range map[string]string{
		`"key"`: "", `"two words"`: "", `"key\n"`: "ends with the character U+000A", `"key\r\n"`: "holds the character U+000D",
		`"\tkey"`: "holds the character U+0009", `"\ufeffkey"`: "U+FEFF", `"key\u200b"`: "U+200B", `""`: "missing or empty",
	} {
		value, err := rotation.ParseValue(rotation.NewSensitive(`{"api_key":` + text + `}`))
		if err != nil {
			t.Fatal(err)
		}
		_, err = apikey.Text(value, apikey.KeyValue)
		if (err == nil) != (want == "") || err != nil && (rotation.CodeOf(err) != rotation.CodeBadSecret || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), apikey.KeyValue)) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

// C4: a copy of the key is found wherever it stands, as it is or escaped.
func TestUncopied(t *testing.T) {
	for rest, name := range map[string]string{
		`"zone":"eu"`: "",
		`"url":"https://u:k%2Fy-sentinel+%3D@h/"`:      "url",
		`"header":"Bearer k/y-sentinel ="`:             "header",
		`"deep":{"list":["x",{"y":"k/y-sentinel ="}]}`: "deep",
		`"key_id":"k/y-sentinel ="`:                    "", // of the credential
	} {
		value, err := rotation.ParseValue(rotation.NewSensitive(`{"api_key":"k/y-sentinel =",` + rest + `}`))
		if err != nil {
			t.Fatal(err)
		}
		err = apikey.Uncopied(value, []string{apikey.KeyID, apikey.KeyValue})
		if (err == nil) != (name == "") || err != nil && !strings.Contains(err.Error(), `"`+name+`"`) || strings.Contains(fmt.Sprint(err), "sentinel") {
			t.Errorf("%s: got %v, want %q", rest, err, name)
		}
	}
}

// K8: the versions that rotations replaced are found back to where a person put a key,
// by the records of this secret's versions and no others.
func TestSuccession(t *testing.T) {
	version := func(id, key, record string) rotation.Version {
		value, err := rotation.ParseValue(rotation.NewSensitive(fmt.Sprintf(`{"api_key":%q,"rotation":%q}`, key, record)))
		if err != nil {
			t.Fatal(err)
		}
		return rotation.Version{ID: id, Value: value}
	}
	for name, test := range map[string]struct {
		current  rotation.Version
		versions []rotation.Version
		want     string
	}{
		"rotations in a row":   {version("3", "c", "3 replaces 2"), []rotation.Version{version("2", "b", "2 replaces 1"), version("1", "a", "")}, "[2 1]"},
		"no rotation yet":      {version("2", "b", ""), []rotation.Version{version("1", "a", "")}, "[]"},
		"another's value":      {version("2", "b", "9 replaces 1"), []rotation.Version{version("1", "a", "")}, "[]"},
		"a mistake before":     {version("3", "c", "3 replaces 2"), []rotation.Version{version("2", "b", ""), version("1", "a", "")}, "[2]"},
		"given up":             {version("3", "c", "3 replaces 1"), []rotation.Version{version("2", "b", "2 replaces 1"), version("1", "a", "")}, "[1]"},
		"put anew by a person": {version("4", "c", ""), []rotation.Version{version("3", "c", "3 replaces 2"), version("2", "b", "")}, "[2]"},
		"in a circle":          {version("1", "a", "1 replaces 2"), []rotation.Version{version("1", "a", "1 replaces 2"), version("2", "b", "2 replaces 1")}, "[2 1]"},
	} {
		var got []string
		for _, v := range apikey.Succession(test.current, test.versions) {
			got = append(got, v.ID)
		}
		if fmt.Sprint(got) != test.want {
			t.Errorf("%s: got %v, want %s", name, got, test.want)
		}
	}
}

// K7: a key has to live on until the next rotation has surely replaced it.
func TestOutlasts(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	due := now.AddDate(0, 1, 0)
	for name, test := range map[string]struct {
		value string
		due   time.Time
		want  rotation.Code
	}{
		"no end":              {`{}`, due, ""},
		"an empty end":        {`{"expires_at":""}`, due, ""},
		"long after":          {`{"expires_at":"2026-03-01T00:00:00Z"}`, due, ""},
		"before":              {`{"expires_at":"2026-01-31T00:00:00Z"}`, due, rotation.CodeExpired},
		"hours after":         {`{"expires_at":"2026-02-01T10:00:00Z"}`, due, rotation.CodeExpired},
		"nobody knows when":   {`{"expires_at":"2026-01-31T00:00:00Z"}`, time.Time{}, ""},
		"today, nobody knows": {`{"expires_at":"2026-01-01T10:00:00Z"}`, time.Time{}, rotation.CodeExpired},
		"past, and so is due": {`{"expires_at":"2025-12-31T00:00:00Z"}`, now.AddDate(0, -1, 0), rotation.CodeExpired},
		"no time":             {`{"expires_at":"in a month"}`, due, rotation.CodeBadSecret},
	} {
		value, err := rotation.ParseValue(rotation.NewSensitive(test.value))
		if err != nil {
			t.Fatal(err)
		}
		if got := rotation.CodeOf(apikey.Outlasts(value, now, test.due)); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}
