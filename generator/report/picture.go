package report

import (
	"fmt"
	"slices"
	"strings"
)

// The measures of a picture, in its own units.
const (
	pictureWidth = 860.0
	margin       = 132.0 // left of the rows, for their names
	rowHeight    = 22.0
	head         = 24.0
)

// picture is a run as drawn: rows of bars over time.
type picture struct {
	*Run
	Number  int
	GapText string
	W, H    float64
	Bands   []bar // when AWSCURRENT was refused
	Bars    []bar
	Names   []text
	Ticks   []text
	MarkAt  []mark
}

// bar is a time in a row.
type bar struct {
	X, Y, W, H   float64
	Class, Title string
	Text         string // inside, if it fits
	TX, TY       float64
}

// text stands at a point.
type text struct {
	X, Y float64
	Text string
}

// mark is a line with a text, which stands left of it where there is no room on the right.
type mark struct {
	text
	Left bool
}

// canvas places bars by time.
type canvas struct {
	picture
	scale float64 // units a millisecond
	y     float64 // of the row
}

func (c *canvas) x(ms float64) float64 { return round(margin + ms*c.scale) }

// round keeps the file short.
func round(x float64) float64 { return float64(int(x*10+0.5)) / 10 }

func (c *canvas) row(name string) {
	c.y += rowHeight
	c.Names = append(c.Names, text{0, c.y + 15, name})
}

func (c *canvas) bar(from, to float64, class, title, inside string) {
	const glyph = 6.6
	width := max(2, round(c.x(to)-c.x(from)))
	if width < float64(len(inside))*glyph+6 {
		inside = ""
	}
	x := c.x(from)
	c.Bars = append(c.Bars, bar{x, c.y + 3, width, rowHeight - 6, class, title, inside, x + 4, c.y + 15})
}

// draw draws a run.
func draw(run *Run, number int) picture {
	c := canvas{picture: picture{Run: run, Number: number, GapText: gapText(run.Gap), W: pictureWidth}, y: head - rowHeight}
	c.scale = (pictureWidth - margin - 10) / run.Length
	c.row("function")
	for _, s := range run.Steps {
		class, title := "ok", fmt.Sprintf("%s, attempt %d, %.0f ms", s.Name, s.Attempt, s.To-s.From)
		if s.Error != "" {
			class, title = "bad", title+": "+s.Error
		}
		c.bar(s.From, s.To, class, title, strings.TrimSuffix(s.Name, "Secret"))
	}
	c.row("its calls")
	for _, call := range run.Calls {
		c.bar(call.From, call.To, call.Kind, fmt.Sprintf("%s, %.1f ms", call.Op, call.To-call.From), "")
	}
	for _, stage := range []string{"AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"} {
		c.row(stage)
		for _, l := range run.Labels {
			if l.Stage == stage {
				name := fmt.Sprintf("version %d", l.Version)
				c.bar(l.From, l.To, fmt.Sprintf("v%d", (l.Version-1)%5+1), fmt.Sprintf("%s on %s", stage, name), name)
			}
		}
	}
	c.logins()
	c.H = c.y + rowHeight + 18
	for _, r := range refusals(run) {
		title := fmt.Sprintf("AWSCURRENT is refused for %.0f to %.0f ms", r.to-r.from, r.atMost-r.atLeast)
		c.Bands = append(c.Bands, bar{X: c.x(r.atLeast), Y: head - 6, W: max(2, round(c.x(r.atMost)-c.x(r.atLeast))), H: c.y + rowHeight + 6 - head, Class: "gap", Title: title})
	}
	for _, m := range run.Marks {
		x := c.x(m.At)
		c.MarkAt = append(c.MarkAt, mark{text{x, c.H, m.Text}, x > pictureWidth-90})
	}
	c.ticks()
	return c.picture
}

// logins draws a row for each version that was logged in with. Where the end changed,
// it is not known when.
func (c *canvas) logins() {
	var versions []int
	for _, l := range c.Logins {
		if !slices.Contains(versions, l.Version) {
			versions = append(versions, l.Version)
		}
	}
	slices.Sort(versions)
	for _, version := range versions {
		c.row(fmt.Sprintf("log-in, version %d", version))
		last := -1
		for i, l := range c.Logins {
			if l.Version != version {
				continue
			}
			if last >= 0 && c.Logins[last].To < l.From {
				c.bar(c.Logins[last].To, l.From, "unknown", "not known", "")
			}
			class, word := "no", "refused"
			if l.OK {
				class, word = "yes", "works"
			}
			c.bar(l.From, l.To, class, fmt.Sprintf("version %d %s from %.0f to %.0f ms", version, word, l.From, l.To), word)
			last = i
		}
	}
}

// ticks are at round times, eight at most.
func (c *canvas) ticks() {
	step := 1.0
	for i := 0; c.Length/step > 8; i++ {
		step *= []float64{2, 2.5, 2}[i%3] // 1, 2, 5, 10
	}
	for at := 0.0; at < c.Length-step/4; at += step {
		label := fmt.Sprintf("%g ms", at)
		if step >= 500 {
			label = fmt.Sprintf("%g s", at/1000)
		}
		c.Ticks = append(c.Ticks, text{c.x(at), 12, label})
	}
}
