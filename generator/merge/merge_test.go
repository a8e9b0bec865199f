package merge_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/rotasmith/rotasmith/generator/merge"
)

// said is the result but for its text, a line each.
func said(r merge.Result) string {
	var b strings.Builder
	for _, line := range r.Conflicts {
		fmt.Fprintln(&b, "conflict in line", line)
	}
	if r.Reason != "" {
		fmt.Fprintln(&b, r.Reason)
	}
	for _, note := range r.Notes {
		fmt.Fprintln(&b, note)
	}
	return b.String()
}

// Each file of testdata is a merge: the name of the file in its first line, why it is here, what goes in and what comes out.
func TestFile(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases:", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			part := make(map[string][]byte)
			for _, f := range archive.Files {
				part[f.Name] = f.Data
			}
			name, why, _ := strings.Cut(string(archive.Comment), "\n")
			got := merge.File(name, part["base"], part["yours"], part["theirs"])
			if diff := cmp.Diff(string(part["want"]), string(got.Text)); diff != "" {
				t.Errorf("%s\n(-want +got):\n%s", why, diff)
			}
			if diff := cmp.Diff(string(part["result"]), said(got)); diff != "" {
				t.Errorf("%s\n(-want +got):\n%s", why, diff)
			}
		})
	}
}

// Texts that a file of testdata cannot hold.
func TestFileOddTexts(t *testing.T) {
	const conflict = "<<<<<<< yours\nX\n||||||| rotasmith before\n=======\nY\n>>>>>>> rotasmith now\n"
	none := []byte(nil)
	tests := map[string]struct {
		path                      string
		base, yours, theirs, want []byte
		said                      string
	}{
		"row 11, both add a file":             {"a.txt", none, []byte("X\n"), []byte("Y\n"), []byte(conflict), "conflict in line 1\n"},
		"row 11, both add the same":           {"a.txt", none, []byte("X\n"), []byte("X\n"), []byte("X\n"), ""},
		"row 11, both add a go.sum":           {"go.sum", none, []byte("a v1 h1:x\n"), []byte("b v1 h1:x\n"), []byte("a v1 h1:x\nb v1 h1:x\n"), ""},
		"row 12, CRLF":                        {"a.txt", []byte("a\nb\nc\nd\n"), []byte("a\r\nX\r\nc\r\nd\r\n"), []byte("a\nb\nc\nd\nY\n"), []byte("a\r\nX\r\nc\r\nd\r\nY\r\n"), ""},
		"row 12, CRLF and nothing else yours": {"a.txt", []byte("a\nb\n"), []byte("a\r\nb\r\n"), []byte("a\nY\n"), []byte("a\r\nY\r\n"), ""},
		"row 12, a line of yours without":     {"a.txt", []byte("a\nb\nc\nd\n"), []byte("a\r\nX\nc\r\nd\r\n"), []byte("a\nb\nc\nY\n"), []byte("a\r\nX\nc\r\nY\r\n"), ""},
		"row 12, CRLF in a conflict": {
			"a.txt", []byte("a\nb\n"), []byte("a\r\nX\r\n"), []byte("a\nY\n"),
			[]byte("a\r\n<<<<<<< yours\r\nX\r\n||||||| rotasmith before\r\nb\r\n=======\r\nY\r\n>>>>>>> rotasmith now\r\n"), "conflict in line 2\n",
		},
		"row 12, CRLF in Go that is aligned anew": {
			"a.go", []byte("package x\n\ntype t struct {\n\ta int\n\tb int\n}\n"),
			[]byte("package x\r\n\r\ntype t struct {\r\n\tlong int\r\n\ta    int\r\n\tb    int\r\n}\r\n"), []byte("package x\n\ntype t struct {\n\ta int\n\tb bool\n}\n"),
			[]byte("package x\r\n\r\ntype t struct {\r\n\tlong int\r\n\ta    int\r\n\tb    bool\r\n}\r\n"), "",
		},
		"row 12, CRLF in a go.mod": {
			"go.mod", []byte("module a\n\ngo 1.25\n"), []byte("module a\r\n\r\ngo 1.25\r\n"), []byte("module a\n\ngo 1.26\n"), []byte("module a\r\n\r\ngo 1.26\r\n"), "go 1.25 -> 1.26\n",
		},
		"row 12, rotasmith writes CRLF itself": {"a.bat", []byte("a\r\nb\r\n"), []byte("X\r\nb\r\n"), []byte("a\r\nb\r\nY\r\n"), []byte("X\r\nb\r\nY\r\n"), ""},
		"row 17, binary":                       {"a.png", []byte("a\x00"), []byte("b\x00"), []byte("c\x00"), none, "not text in UTF-8\n"},
		"row 17, binary, not edited":           {"a.png", []byte("a\x00"), []byte("a\x00"), []byte("c\x00"), []byte("c\x00"), ""},
		"row 18, not UTF-8":                    {"a.txt", []byte("a\nb\nc\n"), []byte("\xff\nb\nc\n"), []byte("a\nb\nY\n"), none, "not text in UTF-8\n"},
		"the template empties it":              {"a.txt", []byte("a\n"), []byte("a\n"), nil, []byte{}, ""},
		"row 18, template unchanged":           {"a.txt", []byte("a\n"), []byte("\xff\n"), []byte("a\n"), []byte("\xff\n"), ""},
		"row 31, no newline at your end":       {"a.txt", []byte("a\nb\nc\n"), []byte("X\nb\nc"), []byte("a\nb\nc\nY\n"), []byte("X\nb\nc\nY"), ""},
		"row 31, no newline at their end":      {"a.txt", []byte("a\nb\nc\n"), []byte("X\nb\nc\n"), []byte("a\nb\nc"), []byte("X\nb\nc"), ""},
		"row 31, newline added here":           {"a.txt", []byte("a\nb\nc"), []byte("a\nb\nc\n"), []byte("Y\nb\nc"), []byte("Y\nb\nc\n"), ""},
		"row 31, no newline after a marker":    {"a.txt", []byte{}, []byte("X"), []byte("Y"), []byte(conflict), "conflict in line 1\n"},
		"row 31, no newline in Terraform":      {"a.tf", []byte("a = 1\nb = 1\nc = 1\n"), []byte("a = 2\nb = 1\nc = 1"), []byte("a = 1\nb = 1\nc = 3\n"), []byte("a = 2\nb = 1\nc = 3"), ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := merge.File(tt.path, tt.base, tt.yours, tt.theirs)
			if string(got.Text) != string(tt.want) || (got.Text == nil) != (tt.want == nil) || said(got) != tt.said {
				t.Errorf("%q, %q\nwant %q, %q", got.Text, said(got), tt.want, tt.said)
			}
			if got.Clean() != (len(got.Conflicts) == 0 && got.Reason == "") {
				t.Error("clean:", got.Clean())
			}
		})
	}
}

func TestHasMarkers(t *testing.T) {
	for text, want := range map[string]bool{
		"a\n<<<<<<< yours\nb\n":       true,
		"<<<<<<< HEAD\n":              true,
		"a\r\n>>>>>>> main\r\n":       true,
		"||||||| rotasmith before\n":  true,
		"Title\n=======\n":            false,
		"a <<<<<<< yours\n":           false,
		"<<<<<<<\n<<<<<<<< x\n":       false,
		"cat <<<<<<EOF\n>>>>>>>x\n\n": false,
	} {
		if got := merge.HasMarkers([]byte(text)); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
}

func texts(files map[string]string) map[string][]byte {
	all := make(map[string][]byte)
	for name, text := range files {
		all[name] = []byte(text)
	}
	return all
}

// A block that a merge makes stand twice is told; what stood twice before, overrides and what has no address are not.
func TestDoubledAddresses(t *testing.T) {
	before := texts(map[string]string{
		"terraform/a.tf": "resource \"x\" \"old\" {}\nresource \"x\" \"old\" {}\nlocals {\n a = 1\n}\nprovider \"aws\" {}\nterraform {}\nmoved {}\n",
		"terraform/b.tf": "variable \"v\" {}\n",
	})
	after := texts(map[string]string{
		"terraform/a.tf":             "resource \"x\" \"old\" {}\nresource \"x\" \"old\" {}\nlocals {\n a = 1\n}\nprovider \"aws\" {}\nterraform {}\nmoved {}\n",
		"terraform/b.tf":             "variable \"v\" {}\nresource \"x\" \"y\" {}\ndata \"x\" \"y\" {}\nlocals {\n a = 2\n}\nprovider \"aws\" {\n alias = \"us\"\n}\n",
		"terraform/c.tf":             "resource \"x\" \"y\" {}\noutput \"y\" {}\nmodule \"y\" {}\nprovider \"aws\" {\n alias = \"us\"\n}\nterraform {}\nmoved {}\n",
		"terraform/d_override.tf":    "output \"y\" {}\n",
		"terraform/override.tf":      "output \"y\" {}\n",
		"terraform/terraform.tfvars": "y = 1\n",
		"terraform/broken.tf":        "variable \"v\" {}\nresource {{\n",
	})
	want := []string{"local.a", "provider.aws.us", "var.v", "x.y"}
	if got := merge.DoubledAddresses(before, after); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got := merge.DoubledAddresses(after, after); len(got) > 0 {
		t.Errorf("nothing was changed: %q", got)
	}
}

// A dropped file goes with the added one of its extension that is most like it, at least half; without its text it goes with none.
func TestRenames(t *testing.T) {
	tests := map[string]struct{ dropped, added, want map[string]string }{
		"most alike":        {map[string]string{"a.tf": "1\n2\n3\n4\n"}, map[string]string{"b.tf": "1\n2\n5\n6\n", "c.tf": "1\n2\n3\n5\n"}, map[string]string{"a.tf": "c.tf"}},
		"half":              {map[string]string{"a.tf": "1\n2\n3\n4\n"}, map[string]string{"b.tf": "1\n2\n5\n6\n"}, map[string]string{"a.tf": "b.tf"}},
		"less than half":    {map[string]string{"a.tf": "1\n2\n3\n4\n5\n"}, map[string]string{"b.tf": "1\n2\n6\n7\n8\n"}, nil},
		"a part of more":    {map[string]string{"a.tf": "1\n2\n"}, map[string]string{"b.tf": "1\n2\n3\n4\n5\n"}, nil},
		"another extension": {map[string]string{"a.tf": "1\n2\n"}, map[string]string{"a.md": "1\n2\n"}, nil},
		"blank lines":       {map[string]string{"a.tf": "1\n\n\n\n\n"}, map[string]string{"b.tf": "2\n\n\n\n\n"}, nil},
		"no two with one":   {map[string]string{"a.tf": "1\n2\n3\n", "b.tf": "1\n2\n4\n"}, map[string]string{"c.tf": "1\n2\n4\n"}, map[string]string{"b.tf": "c.tf"}},
		"the same name":     {map[string]string{"old/b.go": "1\n2\n"}, map[string]string{"new/a.go": "1\n2\n", "new/b.go": "1\n2\n"}, map[string]string{"old/b.go": "new/b.go"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := merge.Renames(texts(tt.dropped), texts(tt.added))
			if diff := cmp.Diff(tt.want, got); diff != "" && len(tt.want)+len(got) > 0 {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	unknown := map[string][]byte{"a.tf": nil, "b.tf": []byte("1\n")}
	if got := merge.Renames(unknown, texts(map[string]string{"c.tf": "\n", "d.tf": "1\n"})); len(got) != 1 || got["b.tf"] != "d.tf" {
		t.Errorf("without a base: %v", got)
	}
}
