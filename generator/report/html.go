package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"sync"
)

//go:embed page.html
var page string

// pageTemplate is parsed when it is needed: most runs of the command need none, and start-up counts.
var pageTemplate = sync.OnceValue(func() *template.Template { return template.Must(template.New("page").Parse(page)) })

// mostPictures keeps the file short: the other runs are rows of the table.
const mostPictures = 12

// HTML returns the rehearsal as one file for people, without scripts, fonts or requests.
// Its tables say what its pictures show.
func HTML(r *Rehearsal) ([]byte, error) {
	if err := Check(r); err != nil {
		return nil, err
	}
	shown := worst(r.Runs)
	view := struct {
		*Rehearsal
		Verdict  string
		Bad      bool
		First    *Run // that broke
		Rows     []row
		Pictures []picture
	}{Rehearsal: r, Verdict: r.verdict(), Bad: r.Count(Broken) > 0}
	for i, run := range r.Runs {
		if view.First == nil && run.Outcome == Broken {
			view.First = &r.Runs[i]
		}
		view.Rows = append(view.Rows, row{run, gapText(run.Gap), slices.Index(shown, i) + 1})
	}
	for i, index := range shown {
		view.Pictures = append(view.Pictures, draw(&r.Runs[index], i+1))
	}
	var b bytes.Buffer
	err := pageTemplate().Execute(&b, view)
	return b.Bytes(), err
}

// row is a run in the table.
type row struct {
	Run
	GapText string
	Picture int // its number, 0 for none
}

// verdict is the first sentence.
func (r *Rehearsal) verdict() string {
	broken, open := r.Count(Broken), r.Count(Inconclusive)
	all := broken + open + r.Count(Held)
	switch {
	case broken > 0:
		return fmt.Sprintf("%d of %d did not hold.", broken, all)
	case open > 0:
		return fmt.Sprintf("%d of %d held, and %d ran out of time, which says nothing about the rotator.", all-open, all, open)
	default:
		return fmt.Sprintf("All %d held.", all)
	}
}

// String is one line on the application.
func (a *App) String() string {
	text := fmt.Sprintf("%d requests, %d failed, longest %.0f ms, %d refused log-ins, %d calls of Secrets Manager, %d rotations",
		a.Requests, a.Failed, a.LongestMS, a.Refused, a.SMCalls, a.Rotations)
	if a.FailedRotation != "" {
		text += "; " + a.FailedRotation
	}
	return text
}

// gapText says for how long AWSCURRENT was refused.
func gapText(gap [2]float64) string {
	switch {
	case gap[1] == 0:
		return "none"
	case gap[0] < 0.5:
		return fmt.Sprintf("under %.0f ms", gap[1]+0.5)
	default:
		return fmt.Sprintf("%.0f to %.0f ms", gap[0], gap[1])
	}
}

// worst returns which runs have a picture: of each phase and end one, what broke and
// what had the longest gap first.
func worst(runs []Run) (shown []int) {
	rank := map[Outcome]int{Broken: 0, Inconclusive: 1, Held: 2}
	order := make([]int, 0, len(runs))
	for i, run := range runs {
		if run.Length > 0 && len(run.Calls) > 0 {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if by := rank[runs[a].Outcome] - rank[runs[b].Outcome]; by != 0 {
			return by
		}
		return int(runs[b].Gap[1] - runs[a].Gap[1])
	})
	seen := make(map[string]bool)
	for _, i := range order {
		phase := string(runs[i].Outcome) + strings.Join(strings.Split(runs[i].Name, ":")[:1], "")
		if runs[i].Phase == "freeze" {
			phase = string(runs[i].Outcome) + runs[i].Name
		}
		if !seen[phase] && len(shown) < mostPictures {
			seen[phase] = true
			shown = append(shown, i)
		}
	}
	return shown
}
