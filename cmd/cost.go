package cmd

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/project"
)

type costOptions struct {
	dir    string
	assume []string
	json   bool
}

func (a *app) costCommand() *cobra.Command {
	o := &costOptions{dir: "."}
	c := &cobra.Command{
		Use:   "cost [DIR]",
		Short: "Estimate what a project's deployment costs a month",
		Long: "cost lists line by line what AWS asks a month for what the project in DIR, or here, deploys: a price, how many of it, and what\n" +
			"the answers do not tell and is assumed. It says what cannot be known beforehand, and does not count it.",
		Example: "  rotasmith cost\n  rotasmith cost --assume secrets=20 --assume zones=3",
		Args:    atMost(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.dir = args[0]
			}
			return a.runCost(o)
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	c.Flags().StringArrayVar(&o.assume, "assume", nil, "another number than the one that is assumed, as `NAME=NUMBER`; repeatable")
	c.Flags().BoolVar(&o.json, "json", false, "print the result as JSON")
	return c
}

func (a *app) runCost(o *costOptions) error {
	assume, err := parseAssume(o.assume)
	if err != nil {
		return err
	}
	catalog, err := a.open()
	if err != nil {
		return err
	}
	if path.Base(filepath.ToSlash(o.dir)) == "..." {
		return usagef("name the folder of one project", "cost looks at one project, not at %q", o.dir)
	}
	root, err := os.OpenRoot(o.dir)
	if err != nil {
		return &hinted{err, "name the folder of a project", exitUsage}
	}
	defer func() { _ = root.Close() }() // it was only read
	recorded, err := project.Recorded(catalog, root.FS(), o.dir)
	if err != nil {
		return err
	}
	bill, err := recorded.Bill(assume)
	if err != nil {
		return err
	}
	if !o.json {
		return a.show(billText(bill))
	}
	return a.print(billJSON(bill))
}

func parseAssume(words []string) (map[string]float64, error) {
	numbers := make(map[string]float64, len(words))
	for _, word := range words {
		name, text, ok := strings.Cut(word, "=")
		number, err := strconv.ParseFloat(text, 64)
		if !ok || err != nil || number < 0 || math.IsInf(number, 0) || math.IsNaN(number) {
			return nil, usagef("write --assume NAME=NUMBER, such as zones=3", "--assume %q is not NAME=NUMBER", word)
		}
		numbers[name] = number
	}
	return numbers, nil
}

// billText is for people.
func billText(b *generator.Bill) []byte {
	var out bytes.Buffer
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "USD A MONTH\tFOR\tHOW MANY\tEACH")
	line := func(l generator.BillLine) {
		fmt.Fprintf(w, "%11.2f\t%s\t%s\t%s %s\n", l.USD(), l.What, number(l.Count), number(l.Price.USD), l.Price.Unit)
	}
	for _, l := range b.Lines {
		if l.Only == "" {
			line(l)
		}
	}
	fmt.Fprintf(w, "%11.2f\ttogether\n", b.Total())
	for _, l := range b.Lines {
		if l.Only != "" {
			fmt.Fprintf(w, "\nIf %s:\n", l.Only)
			line(l)
		}
	}
	_ = w.Flush() // a bytes.Buffer takes everything
	fmt.Fprint(&out, "\nAssumed (--assume NAME=NUMBER):\n")
	for _, a := range b.Assumed {
		fmt.Fprintf(&out, "  %s=%s%s\n", a.Name, number(a.Number), note(a.Note))
	}
	fmt.Fprint(&out, "\nNot known, and not counted:\n")
	for _, text := range b.Unknown {
		fmt.Fprintf(&out, "  %s\n", text)
	}
	fmt.Fprintf(&out, "\nPrices of %s as of %s, before free tiers, discounts and taxes; rotasmith cost --json names the page of each.\n", b.Region, b.AsOf)
	return trimLines(out.Bytes())
}

func note(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

// number prints four digits that count and no exponent.
func number(n float64) string {
	digits := 0
	if n != 0 {
		digits = max(0, 3-int(math.Floor(math.Log10(math.Abs(n)))))
	}
	text := strconv.FormatFloat(n, 'f', digits, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return cmp.Or(text, "0")
}

// billJSON is for programs: fields are added, never renamed or removed.
func billJSON(b *generator.Bill) ([]byte, error) {
	type line struct {
		What   string  `json:"what"`
		USD    float64 `json:"usd"`
		Count  float64 `json:"count"`
		Each   float64 `json:"each"`
		Unit   string  `json:"unit"`
		Only   string  `json:"only,omitempty"`
		Layer  string  `json:"layer"`
		Source string  `json:"source"`
	}
	doc := struct {
		Total   float64            `json:"total"`
		AsOf    string             `json:"as_of"`
		Region  string             `json:"region"`
		Lines   []line             `json:"lines"`
		Assumed map[string]float64 `json:"assumed"`
		Unknown []string           `json:"unknown"`
	}{b.Total(), b.AsOf, b.Region, []line{}, make(map[string]float64), list(b.Unknown)}
	for _, l := range b.Lines {
		doc.Lines = append(doc.Lines, line{l.What, l.USD(), l.Count, l.Price.USD, l.Price.Unit, l.Only, l.Source, l.Price.Source})
	}
	for _, a := range b.Assumed {
		doc.Assumed[a.Name] = a.Number
	}
	return indented(doc)
}
