package changelog_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/rotasmith/rotasmith/generator/changelog"
)

const text = `
- {version: v1.10.0, severity: fix, text: alarms wait longer, touches: [terraform/alarms.tf]}
- {version: v1.9.0, severity: feature, text: a new page, touches: [README.md, "docs/"]}
- {version: v1.9.0, severity: security, text: the role loses a right, touches: ["terraform/*.tf"], type: [api-key]}
- {version: v1.8.0, severity: chore, text: everything is new}
`

func read(t *testing.T, text string) (changelog.Log, error) {
	t.Helper()
	return changelog.Read(fstest.MapFS{changelog.File: {Data: []byte(text)}})
}

func TestSince(t *testing.T) {
	log, err := read(t, text)
	if err != nil {
		t.Fatal(err)
	}
	files := []string{"README.md", "main.go", "terraform/iam.tf"}
	for _, test := range []struct {
		version, typ string
		files        []string
		want         string
	}{
		{"v1.9.0", "api-key", files, ""},
		{"v1.8.0", "api-key", files, "the role loses a right, a new page"},
		{"v1.8.0", "rds-two-user", files, "a new page"},
		{"v1.8.0", "rds-two-user", []string{"terraform/alarms.tf", "docs/a/b.md"}, "alarms wait longer, a new page"},
		{"v1.7.9", "rds-two-user", []string{"x"}, "everything is new"},
		{"", "rds-two-user", []string{"x"}, "everything is new"},
		{"v1.9.1-0.20261201120000-0123456789ab", "x", []string{"terraform/alarms.tf"}, "alarms wait longer"},
		{"v1.10.0", "api-key", []string{"terraform/alarms.tf"}, ""},
		{"(devel)", "api-key", files, ""},
	} {
		var texts []string
		for _, e := range log.Since(test.version, test.files, test.typ) {
			texts = append(texts, e.Text)
		}
		if got := strings.Join(texts, ", "); got != test.want {
			t.Errorf("since %s, %s, %q: %q, want %q", test.version, test.typ, test.files, got, test.want)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"- {version: 1.2.0, severity: fix, text: x}":                                                `entry 1: version "1.2.0" is none such as v1.3.0`,
		"- {version: v1.2, severity: fix, text: x}":                                                 `entry 1: version "v1.2" is none`,
		"- {version: v1.2.0, severity: bad, text: x}":                                               `entry 1: unknown severity "bad"`,
		"- {version: v1.2.0, severity: fix, text: X.}":                                              `entry 1: text "X." is no line`,
		"- {version: v1.2.0, severity: fix, text: x, touches: ['[']}":                               `entry 1: touches "["`,
		"- {version: v1.2.0, severity: fix, text: x, touched: []}":                                  `field touched not found`,
		"- {version: v1.2.0, severity: fix, text: x}\n- {version: v1.10.0, severity: fix, text: x}": `entry 2: v1.10.0 stands below v1.2.0`,
	} {
		if _, err := read(t, text); err == nil || !strings.HasPrefix(err.Error(), changelog.File+": ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if log, err := changelog.Read(fstest.MapFS{}); err != nil || log != nil {
		t.Errorf("%v, %v", log, err)
	}
}

func TestMarkdown(t *testing.T) {
	log, err := read(t, text)
	if err != nil {
		t.Fatal(err)
	}
	want := "# What has changed in emitted projects\n\n## v1.10.0\n\n- **fix**: alarms wait longer (`terraform/alarms.tf`)\n\n## v1.9.0\n\n" +
		"- **feature**: a new page (`README.md`, `docs/`)\n- **security**: the role loses a right (type api-key; `terraform/*.tf`)\n\n" +
		"## v1.8.0\n\n- **chore**: everything is new\n"
	if diff := cmp.Diff(want, log.Markdown()); diff != "" {
		t.Errorf("page (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("- **fix**, v1.10.0: alarms wait longer\n", changelog.Markdown(log[:1])); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
}
