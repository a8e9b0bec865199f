package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/generator/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

// recorded is a rehearsal of four runs and an application, as one went, but for two ends.
func recorded(t *testing.T) *report.Rehearsal {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "rehearsal.json"))
	if err != nil {
		t.Fatal(err)
	}
	r := new(report.Rehearsal)
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestGolden holds all outputs of a recorded rehearsal to what they were.
func TestGolden(t *testing.T) {
	t.Parallel()
	for file, write := range map[string]func(*report.Rehearsal) ([]byte, error){
		"rehearsal.html": report.HTML, "rehearsal.xml": report.JUnit, "rehearsal.json": report.JSON,
	} {
		got, err := write(recorded(t))
		if err != nil {
			t.Fatal(err)
		}
		file = filepath.Join("testdata", file)
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what it was (%v): go test ./generator/report -update, and look at the diff", file, err)
		}
	}
}

// TestHTMLStandsAlone looks for anything that the page would fetch or run.
func TestHTMLStandsAlone(t *testing.T) {
	t.Parallel()
	page, err := report.HTML(recorded(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"<script", "<link", "@import", "src=", "href=\"http", "<a> &", "NaN", "ZgotmplZ"} {
		if strings.Contains(string(page), word) {
			t.Errorf("it holds %q", word)
		}
	}
	for _, word := range []string{"2 of 5 did not hold.", "kill:20", "--only kill:20", "prefers-color-scheme:dark", "@media print", `role="img"`, "one thing was left out"} {
		if !strings.Contains(string(page), word) {
			t.Errorf("it does not say %q", word)
		}
	}
}

// TestHTMLIsBounded draws twelve pictures at most and shows every run in the table.
func TestHTMLIsBounded(t *testing.T) {
	t.Parallel()
	r := recorded(t)
	one := r.Runs[1]
	for i := range 250 {
		one.Name = fmt.Sprintf("fault%d:%d", i%40, i)
		r.Runs = append(r.Runs, one)
	}
	page, err := report.HTML(r)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(page, []byte("<figure")); n != 12 {
		t.Errorf("%d pictures", n)
	}
	if n := bytes.Count(page, []byte("<tr><td>")); n != len(r.Runs) {
		t.Errorf("%d rows of %d", n, len(r.Runs))
	}
	if len(page) > 300<<10 {
		t.Errorf("%d bytes", len(page))
	}
	if !bytes.Contains(page, []byte(`<figure id="run-1"><h2>kill:20`)) {
		t.Error("the first picture is not that of what broke")
	}
}

// TestJUnitParses counts what CI counts.
func TestJUnitParses(t *testing.T) {
	t.Parallel()
	text, err := report.JUnit(recorded(t))
	if err != nil {
		t.Fatal(err)
	}
	type suite struct {
		Name     string `xml:"name,attr"`
		Tests    int    `xml:"tests,attr"`
		Failures int    `xml:"failures,attr"`
		Skipped  int    `xml:"skipped,attr"`
	}
	var doc struct {
		Suites []suite `xml:"testsuite"`
	}
	if err := xml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	want := []suite{{"ask", 1, 0, 0}, {"kill", 2, 1, 0}, {"two", 1, 0, 1}, {"app", 1, 1, 0}}
	if !slices.Equal(doc.Suites, want) {
		t.Errorf("got %v, want %v", doc.Suites, want)
	}
}

// TestEndedEarly lets no output pass for a whole rehearsal.
func TestEndedEarly(t *testing.T) {
	t.Parallel()
	r := recorded(t)
	r.EndedEarly = "the rehearsal took more than 10m0s"
	for name, write := range map[string]func(*report.Rehearsal) ([]byte, error){"HTML": report.HTML, "JUnit": report.JUnit, "JSON": report.JSON} {
		if text, err := write(r); err != nil || !strings.Contains(string(text), r.EndedEarly) {
			t.Errorf("%s does not say so: %v", name, err)
		}
	}
}

// TestNotFinite refuses what no picture can show, wherever it stands.
func TestNotFinite(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*report.Rehearsal){
		"length": func(r *report.Rehearsal) { r.Runs[1].Length = math.NaN() },
		"gap":    func(r *report.Rehearsal) { r.Runs[1].Gap[1] = math.Inf(1) },
		"step":   func(r *report.Rehearsal) { r.Runs[1].Steps[0].To = math.Inf(1) },
		"call":   func(r *report.Rehearsal) { r.Runs[1].Calls[0].From = math.NaN() },
		"label":  func(r *report.Rehearsal) { r.Runs[1].Labels[0].From = math.Inf(-1) },
		"login":  func(r *report.Rehearsal) { r.Runs[1].Logins[0].To = -1 },
		"mark":   func(r *report.Rehearsal) { r.Runs[1].Marks[0].At = math.NaN() },
		"app":    func(r *report.Rehearsal) { r.App.LongestMS = math.NaN() },
		"format": func(r *report.Rehearsal) { r.Format = 2 },
	} {
		r := recorded(t)
		spoil(r)
		if _, err := report.HTML(r); err == nil {
			t.Errorf("%s: a page is made of it", name)
		}
		if _, err := report.JUnit(r); err == nil {
			t.Errorf("%s: JUnit's XML is made of it", name)
		}
	}
}

// TestGap takes the range of a gap from log-ins, and only while AWSCURRENT is on the version.
func TestGap(t *testing.T) {
	t.Parallel()
	current := []report.Label{{Stage: "AWSCURRENT", Version: 1, From: 0, To: 100}, {Stage: "AWSCURRENT", Version: 2, From: 100, To: 200}}
	for name, test := range map[string]struct {
		logins []report.Login
		want   [2]float64
	}{
		"none":               {[]report.Login{{1, true, 5, 95}, {2, true, 105, 195}}, [2]float64{0, 0}},
		"in the middle":      {[]report.Login{{1, true, 5, 20}, {1, false, 30, 60}, {1, true, 65, 95}}, [2]float64{30, 45}},
		"once":               {[]report.Login{{1, true, 5, 20}, {1, false, 30, 30}, {1, true, 40, 95}}, [2]float64{0, 20}},
		"until the move":     {[]report.Login{{1, true, 5, 70}, {1, false, 80, 150}, {2, true, 90, 195}}, [2]float64{20, 30}},
		"not yet AWSCURRENT": {[]report.Login{{1, true, 5, 95}, {2, false, 5, 60}, {2, true, 70, 195}}, [2]float64{0, 0}},
		"the previous one":   {[]report.Login{{1, true, 5, 95}, {1, false, 110, 195}, {2, true, 105, 195}}, [2]float64{0, 0}},
	} {
		run := &report.Run{Length: 200, Labels: current, Logins: test.logins}
		if got := report.Gap(run); !slices.Equal(got[:], test.want[:]) {
			t.Errorf("%s: got %v, want %v", name, got, test.want)
		}
	}
}
