package cmd

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/csv"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/rotasmith/rotasmith/generator/doctor"
)

var fleetFormats = []string{"text", "json", "csv", "sarif"}

// write prints the secrets in one of the formats. failed is what could not be read.
func (f *fleet) write(w *bufio.Writer, format string, width int, failed error) error {
	switch format {
	case "json":
		return f.json(w, failed)
	case "csv":
		return f.csv(w)
	case "sarif":
		f.sarif(w, failed)
	default:
		f.text(w, width)
	}
	return nil
}

// first is the first finding in short.
func (p *patient) first() string {
	if len(p.diagnosis.Findings) == 0 {
		return ""
	}
	first := p.diagnosis.Findings[0]
	return fmt.Sprintf("%s: %s", first.Severity, first.Code)
}

// rotator is the function's name.
func (p *patient) rotator() string {
	arn := p.snapshot.Secret.Rotator
	return doctor.Plain(arn[strings.LastIndex(arn, ":")+1:])
}

// A column of the table. Those that can be left out are where the window is too narrow, in the order of their rank.
type column struct {
	title string
	cell  func(*patient) string
	rank  int
}

var fleetColumns = []column{
	{"NAME", func(p *patient) string { return doctor.Plain(p.snapshot.Secret.Name) }, 0},
	{"REGION", func(p *patient) string { return p.snapshot.Region }, 0},
	{"STATE", func(p *patient) string { return string(p.diagnosis.State) }, 0},
	{"FIRST FINDING", (*patient).first, 0},
	{"ROTATED", func(p *patient) string { return p.snapshot.Age(p.snapshot.Secret.Rotated) }, 3},
	{"NEXT", func(p *patient) string { return p.snapshot.Age(p.snapshot.Secret.Next) }, 2},
	{"ROTATOR", (*patient).rotator, 1},
}

// text is the table. In a window of that many columns, 0 for none, it has as many of its own as fit.
func (f *fleet) text(w *bufio.Writer, width int) {
	columns := slices.Clone(fleetColumns)
	if !slices.ContainsFunc(f.patients, func(p *patient) bool { return p.snapshot.Region != f.patients[0].snapshot.Region }) {
		columns = slices.DeleteFunc(columns, func(c column) bool { return c.title == "REGION" })
	}
	table, widest := f.table(columns)
	for rank := 1; rank <= 3 && width > 0 && widest > width; rank++ {
		columns = slices.DeleteFunc(columns, func(c column) bool { return c.rank == rank })
		table, widest = f.table(columns)
	}
	_, _ = w.Write(table) // Flush tells
	fmt.Fprintf(w, "\n%s\n", f)
	if len(f.managed) > 0 {
		fmt.Fprintf(w, "rotated by AWS itself: %s\n", f.byManager())
	}
	if f.worst() != doctor.Note {
		fmt.Fprintln(w, "rotasmith doctor NAME says of each why, and what to do")
	}
}

// table is the table with some columns, and how wide it is.
func (f *fleet) table(columns []column) (table []byte, widest int) {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(cell func(column) string) {
		for _, c := range columns {
			fmt.Fprint(w, cmp.Or(cell(c), "-"), "\t")
		}
		fmt.Fprintln(w)
	}
	row(func(c column) string { return c.title })
	for _, p := range f.patients {
		row(func(c column) string { return c.cell(p) })
	}
	_ = w.Flush() // a bytes.Buffer takes everything
	table = trimLines(b.Bytes())
	for line := range bytes.Lines(table) {
		widest = max(widest, utf8.RuneCount(line)-1)
	}
	return table, widest
}

// byManager counts the managed secrets by what rotates them.
func (f *fleet) byManager() string {
	var list []string
	for _, by := range slices.Sorted(maps.Keys(f.managed)) {
		list = append(list, fmt.Sprintf("%s %d", doctor.Plain(by), f.managed[by]))
	}
	return strings.Join(list, ", ")
}

func date(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// csv has a line for each finding, and one for a secret without any.
func (f *fleet) csv(w *bufio.Writer) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{"name", "arn", "region", "state", "rotated", "next", "rotator", "severity", "code", "finding", "command"}) // Error tells
	for _, p := range f.patients {
		s := p.snapshot
		findings := p.diagnosis.Findings
		if len(findings) == 0 {
			findings = []doctor.Finding{{}}
		}
		for _, finding := range findings {
			command := ""
			if len(finding.Commands) > 0 {
				command = finding.Commands[0]
			}
			_ = out.Write([]string{ // Error tells
				cellOf(s.Secret.Name), s.Secret.ARN, s.Region, string(p.diagnosis.State), date(s.Secret.Rotated), date(s.Secret.Next), s.Secret.Rotator,
				string(finding.Severity), finding.Code, finding.Says, command,
			})
		}
	}
	out.Flush()
	return out.Error()
}

// cellOf keeps a spreadsheet from taking a name for a formula.
// https://owasp.org/www-community/attacks/CSV_Injection
func cellOf(text string) string {
	if text != "" && strings.ContainsAny(text[:1], "=+-@") {
		return "'" + text
	}
	return text
}

// json is for programs: fields are added, never renamed or removed.
func (f *fleet) json(w *bufio.Writer, failed error) error {
	type entry struct {
		Name     string           `json:"name"`
		ARN      string           `json:"arn"`
		Region   string           `json:"region"`
		State    doctor.State     `json:"state"`
		Says     string           `json:"says"`
		Rotated  *time.Time       `json:"rotated"`
		Next     *time.Time       `json:"next"`
		Rotator  string           `json:"rotator"`
		Findings []doctor.Finding `json:"findings"`
	}
	doc := struct {
		Secrets []entry        `json:"secrets"`
		Managed map[string]int `json:"managed"`
		Errors  []told         `json:"errors,omitempty"`
	}{[]entry{}, f.managed, nil}
	if failed != nil {
		doc.Errors = tell(failed)
	}
	for _, p := range f.patients {
		x := &p.snapshot.Secret
		doc.Secrets = append(doc.Secrets, entry{x.Name, x.ARN, p.snapshot.Region, p.diagnosis.State, p.diagnosis.Says, x.Rotated, x.Next, x.Rotator, p.diagnosis.Findings})
	}
	text, err := indented(doc)
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

// sarif names as a place what a secret has instead of a file.
func (f *fleet) sarif(w *bufio.Writer, failed error) {
	levels := map[doctor.Severity]string{doctor.Broken: "error", doctor.Warning: "warning", doctor.Note: "note"}
	var rules []sarifRule
	for _, code := range doctor.Codes() {
		rules = append(rules, sarifRule{code, sarifText{strings.ReplaceAll(code, "-", " ")}})
	}
	out := sarifWriter{w: w}
	out.begin(rules)
	for _, p := range f.patients {
		for _, finding := range p.diagnosis.Findings {
			text := p.snapshot.Secret.Name + ": " + strings.Join(append([]string{finding.Says}, finding.Do...), " ")
			r := sarifResult{RuleID: finding.Code, RuleIndex: slices.Index(doctor.Codes(), finding.Code), Level: levels[finding.Severity], Message: sarifText{text}}
			r.at(fileURI("secretsmanager/"+p.snapshot.Region+"/"+p.snapshot.Secret.Name), 0)
			out.result(r)
		}
	}
	if failed != nil {
		out.failed(failed)
	}
	out.end()
}
