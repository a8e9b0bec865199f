package cmd

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/rotasmith/rotasmith/generator/doctor"
)

// margin is where the text of a finding begins, behind its severity.
const margin = 9

// diagnosisText is for a person at night: what is so, why, and what to paste.
func diagnosisText(s *doctor.Snapshot, d *doctor.Diagnosis, width int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s in %s: %s (%s)\n", doctor.Plain(s.Secret.Name), doctor.Plain(s.Region), d.State, s.Taken.Format("2006-01-02 15:04 MST"))
	b.WriteString(wrap(d.Says, width))
	b.WriteString(labelsText(s))
	for _, f := range d.Findings {
		fmt.Fprintf(&b, "\n%-*s%s", margin, f.Severity, fill(margin, margin, f.Says, width))
		for _, text := range f.Because {
			b.WriteString(strings.Repeat(" ", margin) + fill(margin, margin, "("+text+")", width))
		}
		do := f.Do
		if f.See != "" {
			do = append(slices.Clone(do), "See "+f.See+".")
		}
		if len(do) > 0 {
			b.WriteString(strings.Repeat(" ", margin) + fill(margin, margin, strings.Join(do, " "), width))
		}
		for _, command := range f.Commands {
			b.WriteString(commandText(command, width))
		}
	}
	if len(d.Findings) == 0 {
		b.WriteString("\nNothing is to be done.\n")
	}
	return b.Bytes()
}

// labelsText lists the versions that have a label.
func labelsText(s *doctor.Snapshot) string {
	versions := slices.Clone(s.Versions)
	slices.SortFunc(versions, func(a, b doctor.Version) int {
		return cmp.Compare(strings.Join(a.Labels, ""), strings.Join(b.Labels, ""))
	})
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, v := range versions {
		if len(v.Labels) > 0 {
			fmt.Fprintf(w, "  %s\t%s\t%s\n", doctor.Plain(strings.Join(v.Labels, ", ")), doctor.Plain(v.ID), s.Age(v.Created))
		}
	}
	_ = w.Flush() // a bytes.Buffer takes everything
	if b.Len() == 0 {
		return ""
	}
	return "\n" + string(trimLines(b.Bytes()))
}

// commandText is a command to paste, indented, broken before its flags where the window ends.
func commandText(command string, width int) string {
	const indent, further = "  ", "      "
	var b strings.Builder
	line := indent
	for i, part := range flagsOf(command) {
		switch {
		case i == 0:
			line += part
		case len(line)+1+len(part)+2 > width:
			b.WriteString(line + " \\\n")
			line = further + part
		default:
			line += " " + part
		}
	}
	return b.String() + line + "\n"
}

// flagsOf takes a command apart before its flags, and not inside of quotes.
func flagsOf(command string) (parts []string) {
	start, quote := 0, rune(0)
	for i, r := range command {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '\'' || r == '"':
			quote = r
		case strings.HasPrefix(command[i:], " --"):
			parts = append(parts, command[start:i])
			start = i + 1
		}
	}
	return append(parts, command[start:])
}

// diagnosisJSON is for programs: fields are added, never renamed or removed.
func diagnosisJSON(s *doctor.Snapshot, d *doctor.Diagnosis) ([]byte, error) {
	return indented(struct {
		Name     string           `json:"name"`
		ARN      string           `json:"arn"`
		Region   string           `json:"region"`
		Taken    time.Time        `json:"taken"`
		State    doctor.State     `json:"state"`
		Says     string           `json:"says"`
		Severity doctor.Severity  `json:"severity"`
		Findings []doctor.Finding `json:"findings"`
		Unread   []doctor.Unread  `json:"unread"`
	}{s.Secret.Name, s.Secret.ARN, s.Region, s.Taken, d.State, d.Says, d.Severity(), d.Findings, append([]doctor.Unread{}, s.Unread...)})
}
