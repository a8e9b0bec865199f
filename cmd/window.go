package cmd

import (
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/term"
)

// isWindow reports whether a person reads what is written to w.
func isWindow(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// show writes a result for people, in a window broken where that ends.
func (a *app) show(text []byte) error {
	if isWindow(a.Out) {
		text = []byte(hang(string(text), columns(a.Out)))
	}
	return a.print(text, nil)
}

// print writes a result for programs, unless making it has failed.
func (a *app) print(text []byte, err error) error {
	if err == nil {
		_, err = a.Out.Write(text)
	}
	return err
}

// columns returns the columns of the window that a writer shows its text in, 80 where there is none.
func columns(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return n
		}
	}
	return 80
}

// wrap breaks text into lines that a window of that many columns holds.
func wrap(text string, width int) string {
	return fill(0, 0, text, width)
}

// fill is wrap for text that begins in a column, whose other lines begin in another.
func fill(column, indent int, text string, width int) string {
	var b strings.Builder
	first := true // of its line
	for word := range strings.FieldsSeq(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case first:
		case column+1+n >= width:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			column = indent
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += n
		first = false
	}
	b.WriteByte('\n')
	return b.String()
}

// reflow wraps each paragraph anew, but for lines that are indented.
func reflow(text string, width int) string {
	var b strings.Builder
	for i, paragraph := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		if strings.TrimLeft(paragraph, " \t") == paragraph {
			paragraph = strings.TrimSuffix(wrap(paragraph, width), "\n")
		}
		b.WriteString(paragraph + "\n")
	}
	return b.String()
}

// gap is what stands between the columns of a table. Most runs need none, and start-up counts.
var gap = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(` {2,}`) })

// hang breaks the lines of a table. The text behind the first column stays a column where the window has room for that, with commas
// between its own columns; commands that the user may paste stay in one piece.
func hang(table string, width int) string {
	var b strings.Builder
	for line := range strings.Lines(table) {
		text := strings.TrimLeft(line, " ")
		lead := len(line) - len(text)
		if utf8.RuneCountInString(line) <= width || strings.HasPrefix(text, "rotasmith ") || strings.HasPrefix(line, "\t") {
			b.WriteString(line)
			continue
		}
		start := lead
		if at := gap().FindStringIndex(text); at != nil {
			start += at[1]
		}
		indent := start
		if indent > width/2 {
			indent = min(lead+2, width/2)
		}
		b.WriteString(line[:start] + fill(start, indent, gap().ReplaceAllString(line[start:], ", "), width))
	}
	return b.String()
}
