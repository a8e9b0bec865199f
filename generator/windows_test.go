package generator

import (
	"errors"
	"strings"
	"testing"
)

// TestWindowsNames holds the rules of Windows on every system: a project is written on one and checked out on another.
func TestWindowsNames(t *testing.T) {
	tests := []struct {
		name     string
		reserved bool
	}{
		{"con", true}, {"CON", true}, {"Con.txt", true}, {"con.tar.gz", true}, {"con .txt", true}, {"prn", true}, {"aux", true}, {"nul", true},
		{"com1", true}, {"COM9.md", true}, {"lpt1", true}, {"lpt9.x", true}, {"conin$", true}, {"conout$", true},
		{"com¹", true}, {"LPT².log", true}, {"com³", true},
		{"com", false}, {"com0", false}, {"com10", false}, {"lpt", false}, {"console", false}, {"icon", false}, {"con-db", false}, {"nullable", false},
		{".con", false}, {"conin", false}, {"com⁴", false}, {"", false},
	}
	for _, test := range tests {
		if got := reserved(test.name); got != test.reserved {
			t.Errorf("reserved(%q) = %v", test.name, got)
		}
	}
}

// A project's name is a folder's name, so it is refused where it could not be one.
func TestNamesAreLegalFolders(t *testing.T) {
	q := named(t, "name")
	for _, name := range []string{"con", "nul", "com1", "lpt9", "a.", "a ", "a:b", "a/b", `a\b`, "..", "-", "a\x00", "COM1", "é", strings.Repeat("a", 41)} {
		if _, err := q.Validate(name, nil); err == nil {
			t.Errorf("%q is accepted", name)
		}
	}
	for _, name := range []string{"a", "con-db", "com10", "a-", strings.Repeat("a", 40)} {
		if _, err := q.Validate(name, nil); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// Patterns of keep have slashes on every system and stay inside the project.
func TestKeepPatterns(t *testing.T) {
	tests := []struct {
		pattern string
		ok      bool
	}{
		{"README.md", true}, {"docs/*.md", true}, {"a/[bc]", true}, {"it's", true}, {"..", false}, {"../x", false}, {"/etc/passwd", false}, {"a/../../x", false},
		{"[", false}, {"a[", false},
	}
	for _, test := range tests {
		if err := validateKeep(test.pattern, nil); (err == nil) != test.ok {
			t.Errorf("%q: %v", test.pattern, err)
		}
	}
}

// No emitted path differs from another in case alone, in whatever folder: such a project could not be checked out on Windows or macOS.
func TestCaseClashes(t *testing.T) {
	tests := []struct {
		paths []string
		clash bool
	}{
		{[]string{"a", "b"}, false},
		{[]string{"a/x", "a/y"}, false},
		{[]string{"a/x", "b/x"}, false},
		{[]string{"README.md", "readme.md"}, true},
		{[]string{"Docs/a", "docs/b"}, true},
		{[]string{"a/b/C/x", "a/b/c/y"}, true},
		{[]string{"A", "a/x"}, true},
		{[]string{"a", "a/x"}, true},
		{[]string{"É", "é"}, true},
	}
	for _, test := range tests {
		var plan Plan
		for _, path := range test.paths {
			plan = append(plan, Entry{Path: path, Source: "project/" + path})
		}
		err := plan.verify()
		if (err != nil) != test.clash || err != nil && !strings.Contains(err.Error(), "clashes with") {
			t.Errorf("%q: %v", test.paths, err)
		}
	}
}

// A name that a system could not hold is an answer that is refused, with its cure.
func TestReservedNameIsAFault(t *testing.T) {
	_, err := openTree(t, nil).Resolve(pairAnswers("name=lpt1")).Spec()
	if fault, ok := errors.AsType[*Fault](err); !ok || !strings.Contains(fault.Msg, "device on Windows") || fault.Hint == "" {
		t.Errorf("%v", err)
	}
}
