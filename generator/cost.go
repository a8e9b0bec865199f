package generator

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// costFile says what a layer costs. It stands beside the files that cause the cost and is no file of a project.
const costFile = "cost.yaml"

//go:embed prices.yaml
var pricesText []byte

// Price is what one of something costs.
type Price struct {
	USD    float64
	Unit   string
	Source string
}

type priceList struct {
	AsOf        string `yaml:"as_of"`
	Region      string
	Prices      map[string]Price
	Assumptions map[string]float64
}

var prices = sync.OnceValues(func() (*priceList, error) {
	list := new(priceList)
	return list, decodeStrictly(pricesText, list)
})

type costManifest struct {
	Items   []costItem
	Unknown []string
}

// costItem is a price and how many of it a month takes: count times each of per, which are assumptions, rotations, or questions whose
// answers are lists.
type costItem struct {
	What   string
	Price  string
	Count  float64
	Per    []string
	Only   string
	If     string // a question: without an answer to it there is none of this
	Unless string // a layer whose own item it is, where the project has it
}

// Bill is what a project costs a month, as far as its answers tell.
type Bill struct {
	AsOf    string // of the prices
	Region  string // of the prices
	Lines   []BillLine
	Unknown []string     // what is not in it, and why
	Assumed []Assumption // what is in it although no answer says so
}

// BillLine is one item.
type BillLine struct {
	What   string
	Count  float64
	Price  Price
	Only   string // the condition without which it costs nothing; empty for none
	Source string // the layer that causes it
}

// USD is what the item costs a month.
func (l BillLine) USD() float64 { return l.Count * l.Price.USD }

// Assumption is a number that a bill is made with.
type Assumption struct {
	Name   string
	Number float64
	Note   string
}

// Total is what a month costs, but for what costs something only under a condition.
func (b *Bill) Total() float64 {
	total := 0.0
	for _, l := range b.Lines {
		if l.Only == "" {
			total += l.USD()
		}
	}
	return total
}

// CostTable is a bill in words, for a template.
type CostTable struct {
	AsOf, Region string
	Lines        []string // "what | 0.40"
	Total        string
	Conditional  []string // like Lines, and not in Total
	Unknown      []string
}

// Table returns the bill in words.
func (b *Bill) Table() CostTable {
	t := CostTable{AsOf: b.AsOf, Region: b.Region, Total: cents(b.Total()), Unknown: b.Unknown}
	for _, l := range b.Lines {
		switch {
		case l.Count == 0:
		case l.Only == "":
			t.Lines = append(t.Lines, l.What+" | "+cents(l.USD()))
		default:
			t.Conditional = append(t.Conditional, l.What+", if "+l.Only+" | "+cents(l.USD()))
		}
	}
	return t
}

func cents(usd float64) string {
	if usd < 0.005 {
		return "less than 0.01"
	}
	return strconv.FormatFloat(usd, 'f', 2, 64)
}

// bill makes the bill of a project.
func (c *Catalog) bill(s *Spec, assume map[string]float64) (*Bill, error) {
	list, err := prices()
	if err != nil {
		return nil, err
	}
	b := &Bill{AsOf: list.AsOf, Region: list.Region}
	numbers := make(map[string]float64)
	assumed := func(name string, number float64, note string) {
		if other, ok := assume[name]; ok {
			number, note = other, ""
		}
		numbers[name] = number
		b.Assumed = append(b.Assumed, Assumption{name, number, note})
	}
	for _, name := range sortedKeys(list.Assumptions) {
		assumed(name, list.Assumptions[name], "")
	}
	for _, r := range s.Resolved {
		if r.Question.List {
			numbers[r.Question.Key] = float64(len(SplitList(r.Value)))
		}
	}
	a := rotationsPerMonth(s.Schedule)
	assumed("rotations", a.Number, a.Note)
	for _, name := range sortedKeys(assume) {
		if _, ok := numbers[name]; !ok {
			return nil, &Fault{At: "--assume " + name, Msg: "nothing is assumed about it", Hint: "one of " + strings.Join(sortedKeys(numbers), ", ")}
		}
	}
	for _, layer := range s.Layers {
		m, err := c.costOf(layer)
		if err != nil {
			return nil, err
		}
		if err := b.add(m, s.Layers, layer, list.Prices, numbers); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// add adds what one layer costs.
func (b *Bill) add(m costManifest, layers []string, layer string, priceOf map[string]Price, numbers map[string]float64) error {
	file := path.Join(layer, costFile)
	for _, item := range m.Items {
		if slices.Contains(layers, item.Unless) {
			continue
		}
		price, ok := priceOf[item.Price]
		if !ok {
			return fmt.Errorf("%s: %s: unknown price %q", file, item.What, item.Price)
		}
		if item.If != "" {
			number, ok := numbers[item.If]
			switch {
			case !ok:
				return fmt.Errorf("%s: %s: unknown number %q", file, item.What, item.If)
			case number == 0:
				continue
			}
		}
		line := BillLine{What: item.What, Count: item.Count, Price: price, Only: item.Only, Source: layer}
		for _, name := range item.Per {
			number, ok := numbers[name]
			if !ok {
				return fmt.Errorf("%s: %s: unknown number %q", file, item.What, name)
			}
			line.Count *= number
		}
		b.Lines = append(b.Lines, line)
	}
	for _, text := range m.Unknown {
		if !slices.Contains(b.Unknown, text) {
			b.Unknown = append(b.Unknown, text)
		}
	}
	return nil
}

// rotationsPerMonth counts what a schedule comes to.
func rotationsPerMonth(s *Schedule) Assumption {
	const days = 730.0 / 24
	switch {
	case s.everyHours > 0:
		return Assumption{Number: 730 / float64(s.everyHours)}
	case s.everyDays > 0:
		return Assumption{Number: days / float64(s.everyDays)}
	}
	return Assumption{Number: days * float64(len(s.hours)), Note: "at most: as if every day were one of the schedule's"}
}

// costOf reads what a layer costs, when a bill first asks for it.
func (c *Catalog) costOf(layer string) (costManifest, error) {
	return c.costs.get(layer, func() (m costManifest, err error) {
		err = readStrictly(c.fsys, path.Join(layer, costFile), &m)
		if errors.Is(err, fs.ErrNotExist) {
			return m, nil
		}
		return m, err
	})
}
