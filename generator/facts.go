package generator

import (
	"maps"
	"slices"
)

// Fill returns answers with what facts know of the questions that apply and are not answered. A fact that its question would refuse is
// left out: it is what was found somewhere, nobody's answer.
func (c *Catalog) Fill(answers, facts Answers) Answers {
	if len(facts) == 0 {
		return answers
	}
	filled := maps.Clone(answers)
	for _, q := range c.Questions {
		fact, known := facts[q.Key]
		if _, given := answers[q.Key]; given || !known {
			continue
		}
		so := c.Resolve(filled) // what was filled in decides which questions apply
		if so.applies(q, true) && so.Accepts(q, fact.Value) == nil {
			filled[q.Key] = fact
		}
	}
	return filled
}

// FactsOf returns the answers that the keys of a secret give: a choice that names a key in its manifest is the answer for a secret that has
// it.
func (c *Catalog) FactsOf(keys []string) Answers {
	facts := make(Answers)
	for _, q := range c.Questions {
		for _, choice := range q.Choices {
			if choice.Key != "" && slices.Contains(keys, choice.Key) {
				facts[q.Key] = Answer{Value: choice.Value}
			}
		}
	}
	return facts
}
