package generator

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
)

// Fill returns answers with what facts know of the questions that apply and are not answered. A fact that its question would refuse is
// left out: the user has not given it.
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

// Untaken returns, in the order of the questions, why [Catalog.Fill] does not take a fact whose question it knows.
func (c *Catalog) Untaken(answers, facts Answers) iter.Seq2[string, *Fault] {
	return func(yield func(key string, why *Fault) bool) {
		so := c.Resolve(c.Fill(answers, facts))
		for _, q := range c.Questions {
			if fact, known := facts[q.Key]; known {
				if why := so.notTaken(q, fact.Value); why != nil && !yield(q.Key, why) {
					return
				}
			}
		}
	}
}

// notTaken returns why a fact is not the answer to a question, nil if it is, or may be once there are more answers.
func (r *Resolution) notTaken(q Question, fact string) *Fault {
	if !r.applies(q, true) {
		if t := r.chosenType(); t != nil && r.target() != nil {
			return &Fault{Msg: fmt.Sprintf("it says %s, and a project of type %s is not asked", fact, t.Name)}
		}
		return nil
	}
	value, err := r.accept(q, fact)
	switch answer := r.Get(q.Key); {
	case err != nil:
		return &Fault{Msg: err.Error(), Hint: hintOf(err)}
	case value != answer:
		return &Fault{Msg: fmt.Sprintf("it says %s, and the answer is %s", value, cmp.Or(answer, "none"))}
	}
	return nil
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
