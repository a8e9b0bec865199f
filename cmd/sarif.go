package cmd

import (
	"bufio"
	"fmt"
	"net/url"
	"path"
	"strings"

	"github.com/rotasmith/rotasmith/generator/project"
)

// sarifWriter writes SARIF 2.1.0, for code scanning, result by result.
type sarifWriter struct {
	w       *bufio.Writer
	printed bool
	notes   []sarifNote
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifRule struct {
	ID    string    `json:"id"`
	Short sarifText `json:"shortDescription"`
}

type sarifNote struct {
	Level   string    `json:"level"`
	Message sarifText `json:"message"`
}

type sarifRegion struct {
	StartLine int `json:"startLine"`
}

type sarifLocation struct {
	Physical struct {
		Artifact struct {
			URI string `json:"uri"`
		} `json:"artifactLocation"`
		Region *sarifRegion `json:"region,omitempty"`
	} `json:"physicalLocation"`
}

type sarifResult struct {
	RuleID    string          `json:"ruleId"`
	RuleIndex int             `json:"ruleIndex"`
	Level     string          `json:"level"`
	Message   sarifText       `json:"message"`
	Locations []sarifLocation `json:"locations"`
}

// at gives the result its place, in a line unless that is 0.
func (r *sarifResult) at(uri string, line int) {
	var l sarifLocation
	l.Physical.Artifact.URI = uri
	if line > 0 {
		l.Physical.Region = &sarifRegion{line}
	}
	r.Locations = []sarifLocation{l}
}

func (s *sarifWriter) begin(rules []sarifRule) {
	var driver struct {
		Name  string      `json:"name"`
		Rules []sarifRule `json:"rules"`
	}
	driver.Name, driver.Rules = "rotasmith", rules
	fmt.Fprint(s.w, `{"$schema":"https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",`+
		`"version":"2.1.0","runs":[{"tool":{"driver":`)
	encode(s.w, driver)
	fmt.Fprint(s.w, "},\n\"results\":[")
}

func (s *sarifWriter) result(r sarifResult) {
	separate(s.w, &s.printed)
	encode(s.w, r)
}

func (s *sarifWriter) failed(err error) {
	for _, e := range tell(err) {
		s.notes = append(s.notes, sarifNote{"error", sarifText{e.Message}})
	}
}

func (s *sarifWriter) end() {
	fmt.Fprint(s.w, "\n],\n\"invocations\":[")
	encode(s.w, struct {
		Successful bool        `json:"executionSuccessful"`
		Notes      []sarifNote `json:"toolExecutionNotifications,omitempty"`
	}{len(s.notes) == 0, s.notes})
	fmt.Fprintln(s.w, "]}]}")
}

// sarifPrinter prints what check has found.
type sarifPrinter struct{ out sarifWriter }

func (p *sarifPrinter) begin() {
	var rules []sarifRule
	for _, kind := range project.Kinds() {
		rules = append(rules, sarifRule{string(kind), sarifText{kind.String()}})
	}
	p.out.begin(rules)
}

func (p *sarifPrinter) project(c *checked) {
	for i := range c.drift.Differences {
		d := &c.drift.Differences[i]
		r := sarifResult{RuleID: string(d.Kind), Level: "error", Message: sarifText{path.Join(c.dir, d.Path) + ": " + what(d)}}
		if d.Kept {
			r.Level = "note"
		}
		for i, kind := range project.Kinds() {
			if kind == d.Kind {
				r.RuleIndex = i
			}
		}
		r.at(fileURI(path.Join(c.dir, d.Path)), d.Line)
		p.out.result(r)
	}
	if c.err != nil {
		p.out.failed(c.err)
	}
}

func (p *sarifPrinter) end(*tally) { p.out.end() }

// fileURI returns a reference relative to the working folder, or a file URI for an absolute path.
func fileURI(file string) string {
	u := url.URL{Path: file}
	switch {
	case strings.HasPrefix(file, "/"):
		u.Scheme = "file"
	case len(file) > 1 && file[1] == ':': // a Windows drive
		u.Scheme, u.Path = "file", "/"+file
	}
	return u.String()
}
