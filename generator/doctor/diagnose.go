package doctor

import (
	"slices"
	"strings"
	"sync"

	"github.com/rotasmith/rotasmith/generator"
)

// Severity says how bad a finding is.
type Severity string

// The severities, worst first.
const (
	Broken  Severity = "broken"  // no rotation comes to its end, or applications are cut off
	Warning Severity = "warning" // it will break, or is less safe than it seems
	Note    Severity = "note"    // worth knowing
)

// Severities are all of them, worst first.
func Severities() []Severity { return []Severity{Broken, Warning, Note} }

// A Finding is one thing that is so, what shows it, and what to do.
type Finding struct {
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	Says     string   `json:"says"`
	Because  []string `json:"because,omitempty"`
	Do       []string `json:"do,omitempty"`       // sentences
	Commands []string `json:"commands,omitempty"` // for a POSIX shell, in order
	See      string   `json:"see,omitempty"`      // the entry in the runbook of an emitted project
}

// A Diagnosis is the state of a secret's rotation and the findings that explain it, causes before consequences within
// each severity.
type Diagnosis struct {
	State    State     `json:"state"`
	Says     string    `json:"says"`
	Findings []Finding `json:"findings"`
}

// Severity is the worst one of the findings, a note if there is none.
func (d *Diagnosis) Severity() Severity {
	if len(d.Findings) == 0 {
		return Note
	}
	return d.Findings[0].Severity
}

// Diagnose says what a snapshot shows.
func Diagnose(s *Snapshot) *Diagnosis {
	f := newFacts(s)
	d := &Diagnosis{State: f.state.name, Says: f.text(f.state.says), Findings: []Finding{}}
	for _, r := range rules() {
		if r.when(f) {
			d.Findings = append(d.Findings, f.finding(r))
		}
	}
	slices.SortStableFunc(d.Findings, func(a, b Finding) int {
		return slices.Index(Severities(), a.Severity) - slices.Index(Severities(), b.Severity)
	})
	return d
}

// rules are all rules, causes before consequences.
var rules = sync.OnceValue(func() []rule {
	return slices.Concat(rulesOfLog(), rulesOfFunction, rulesOfKey, rulesOfLabels, rulesOfSchedule, rulesOfSecret)
})

// Codes are the codes of all findings, in the order of their rules.
func Codes() (list []string) {
	for _, r := range rules() {
		if !slices.Contains(list, r.code) {
			list = append(list, r.code)
		}
	}
	return list
}

// A rule is a finding that may be made. Its texts have facts in braces, such as {pending}; of because, do and commands
// those are left out that name a fact which is not known.
type rule struct {
	code     string
	severity Severity
	when     func(*facts) bool
	says     string
	because  []string
	do       []string
	commands []string
	see      string
}

func (f *facts) finding(r rule) Finding {
	see := ""
	if f.ours() {
		see = f.text(r.see)
	}
	return Finding{
		Code: r.code, Severity: r.severity, Says: f.text(r.says),
		Because: f.known(r.because, f.text), Do: f.known(r.do, f.text), Commands: f.known(r.commands, f.command), See: see,
	}
}

// known returns the texts whose facts are all known, with the facts in them.
func (f *facts) known(texts []string, expand func(string) string) (out []string) {
	for _, text := range texts {
		if !slices.ContainsFunc(names(text), func(name string) bool { return f.words[name] == "" }) {
			out = append(out, expand(text))
		}
	}
	return out
}

func (f *facts) text(text string) string {
	return expand(text, func(name string) string { return f.words[name] })
}

// command quotes the facts for a shell, and names the region and the profile.
func (f *facts) command(text string) string {
	line := expand(text, func(name string) string { return generator.ShellQuote(f.words[name]) })
	if strings.HasPrefix(line, "aws ") {
		line += " --region " + generator.ShellQuote(f.words["region"])
	}
	if profile := f.words["profile"]; profile != "" {
		line += " --profile " + generator.ShellQuote(profile)
	}
	return line
}

// names are the names in braces. Braces around anything else are part of the text, as in JSON and JMESPath.
func names(text string) (list []string) {
	expand(text, func(name string) string {
		list = append(list, name)
		return ""
	})
	return list
}

func expand(text string, fact func(name string) string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "{")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed || name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz-") != "" {
			b.WriteByte('{')
			text = rest
			continue
		}
		b.WriteString(fact(name))
		text = after
	}
}
