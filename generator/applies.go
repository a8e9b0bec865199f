package generator

import (
	"path"
	"slices"
)

// Only is a condition: the question has one of the answers.
type Only struct {
	Question string
	Answers  []string
}

// Combinations returns the answers to type, target and mode that go together, each with all three keys.
func (c *Catalog) Combinations() []map[string]string {
	var all []map[string]string
	for _, t := range c.Types {
		for _, target := range c.Targets {
			for _, mode := range c.modesOf(t, &target) {
				all = append(all, map[string]string{"type": t.Name, target.Kind: target.Name, modeKey: mode})
			}
		}
	}
	for _, answers := range all {
		if answers[modeKey] == "" {
			delete(answers, modeKey)
		}
	}
	return all
}

// AppliesTo returns the least conditions under which a question is asked; none for a question that every project is asked.
func (c *Catalog) AppliesTo(q Question) []Only {
	all := c.Combinations()
	asked := func(answers map[string]string) bool {
		so := &Resolution{catalog: c, values: answers}
		return so.applies(q, false)
	}
	var conditions []Only
	for _, key := range append(TargetKinds(), modeKey, "type") {
		only := Only{Question: key}
		for _, answers := range all {
			if value := answers[key]; asked(answers) && !slices.Contains(only.Answers, value) {
				only.Answers = append(only.Answers, value)
			}
		}
		conditions = append(conditions, only)
	}
	enough := func(conditions []Only) bool {
		return !slices.ContainsFunc(all, func(answers map[string]string) bool {
			meets := !slices.ContainsFunc(conditions, func(only Only) bool { return !slices.Contains(only.Answers, answers[only.Question]) })
			return meets != asked(answers)
		})
	}
	for i := 0; i < len(conditions); {
		if fewer := slices.Delete(slices.Clone(conditions), i, i+1); enough(fewer) {
			conditions = fewer
		} else {
			i++
		}
	}
	return conditions
}

// TargetsOf returns the targets that know a type.
func (c *Catalog) TargetsOf(t Type) []string {
	var names []string
	for i := range c.Targets {
		if len(c.modesOf(t, &c.Targets[i])) > 0 {
			names = append(names, c.Targets[i].Name)
		}
	}
	return names
}

// TypesOf returns the types that a target knows.
func (c *Catalog) TypesOf(target Target) []string {
	var names []string
	for _, t := range c.Types {
		if len(c.modesOf(t, &target)) > 0 {
			names = append(names, t.Name)
		}
	}
	return names
}

// ModesOf returns the names of the modes of a type that a target knows, none if the type leaves no choice.
func (c *Catalog) ModesOf(t Type, target Target) []string {
	return slices.DeleteFunc(c.modesOf(t, &target), func(name string) bool { return name == "" })
}

// modesOf is ModesOf with the mode that has no name; of no target it returns every mode.
func (c *Catalog) modesOf(t Type, target *Target) []string {
	var names []string
	for _, m := range t.Modes {
		if target == nil || target.Kind == t.Kind && slices.Contains(target.Strategies, m.Strategy) {
			names = append(names, m.Name)
		}
	}
	return names
}

// DefaultOf returns the default of a question for a type, which may have one of its own.
func (c *Catalog) DefaultOf(q Question, t Type) string {
	return c.strategyDefault(q, t.Modes[0].Strategy)
}

func (c *Catalog) strategyDefault(q Question, strategy string) string {
	layers, _ := c.strategyLayers(strategy, nil) // Open has checked it
	for _, layer := range slices.Backward(layers) {
		if def, ok := c.strategies[path.Base(layer)].Defaults[q.Key]; ok {
			return def
		}
	}
	return q.Default
}
