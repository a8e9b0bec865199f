package report

import (
	"encoding/xml"
	"fmt"
)

// The elements that CI systems read.
// https://github.com/testmoapp/junitxml
type (
	testSuites struct {
		XMLName xml.Name    `xml:"testsuites"`
		Name    string      `xml:"name,attr"`
		Suites  []testSuite `xml:"testsuite"`
	}
	testSuite struct {
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Skipped  int        `xml:"skipped,attr"`
		Time     string     `xml:"time,attr"`
		Cases    []testCase `xml:"testcase"`

		seconds float64
	}
	testCase struct {
		Class   string   `xml:"classname,attr"`
		Name    string   `xml:"name,attr"`
		Time    string   `xml:"time,attr"`
		Failure *problem `xml:"failure,omitempty"`
		Skipped *problem `xml:"skipped,omitempty"`
	}
	problem struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// JUnit returns the rehearsal for CI: a suite for each phase and a case for each run.
// An inconclusive run is skipped, with the reason.
func JUnit(r *Rehearsal) ([]byte, error) {
	if err := Check(r); err != nil {
		return nil, err
	}
	all := testSuites{Name: "rehearsal of " + r.Project + " on " + r.Target.Kind}
	suite := func(phase string) *testSuite {
		for i := range all.Suites {
			if all.Suites[i].Name == phase {
				return &all.Suites[i]
			}
		}
		all.Suites = append(all.Suites, testSuite{Name: phase})
		return &all.Suites[len(all.Suites)-1]
	}
	for _, run := range r.Runs {
		c := testCase{Class: r.Project + "." + run.Phase, Name: run.Name + ": " + run.Fault}
		suite(run.Phase).add(c, run.Length/1000, run.Outcome, run.Invariant, run.Replay)
	}
	if r.EndedEarly != "" {
		suite("rehearsal").add(testCase{Class: r.Project + ".rehearsal", Name: "all was tried"}, 0, Broken, r.EndedEarly, "")
	}
	if r.App != nil {
		c := testCase{Class: r.Project + ".app", Name: "application"}
		suite("app").add(c, 0, r.App.Outcome(), r.App.String(), r.App.FirstFailure)
	}
	out, err := xml.MarshalIndent(all, "", "  ")
	return append([]byte(xml.Header), append(out, '\n')...), err
}

func (s *testSuite) add(c testCase, seconds float64, outcome Outcome, why, more string) {
	s.Tests++
	s.seconds += seconds
	c.Time, s.Time = fmt.Sprintf("%.3f", seconds), fmt.Sprintf("%.3f", s.seconds)
	switch outcome {
	case Held:
	case Broken:
		s.Failures++
		c.Failure = &problem{why, why + "\n" + more}
	case Inconclusive:
		s.Skipped++
		c.Skipped = &problem{Message: "inconclusive: " + why}
	}
	s.Cases = append(s.Cases, c)
}
