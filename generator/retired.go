package generator

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
)

// retiredFile says what became of questions and choices that an earlier version of the template tree had.
const retiredFile = "retired.yaml"

// retirement is what became of one question that is no longer asked, or of answers that one no longer takes.
type retirement struct {
	Renamed string            // the question that has taken its place
	Removed string            // why none has
	Values  map[string]string // answers by what took their place; of the question in Renamed, if there is one
}

// Carried is one recorded answer that this version reads as another, or passes over.
type Carried struct {
	Key, Value string // as recorded
	To, Now    string // the question that it answers now, and the answer; To is empty where none does
	Reason     string // why none does
	Line       int    // of the answer in its file, from 1; 0 outside files
}

// String says in words what has become of the answer.
func (c Carried) String() string {
	switch {
	case c.To == "":
		return fmt.Sprintf("question %s is no longer asked: %s", c.Key, c.Reason)
	case c.To == c.Key:
		return fmt.Sprintf("answer %s to %s is now %s", c.Value, c.Key, c.Now)
	case c.Now == c.Value:
		return fmt.Sprintf("question %s is now %s", c.Key, c.To)
	}
	return fmt.Sprintf("question %s is now %s, and its answer %s is now %s", c.Key, c.To, c.Value, c.Now)
}

// CarryOver returns the answers that a project has recorded as this version reads them, with retired questions and choices replaced by
// those that took their place, and says which those are, in the order of the file. It is for recorded answers alone: a flag
// or an answers file of [Catalog.Resolve] that names a retired question is refused, with the name of today.
func (c *Catalog) CarryOver(recorded Answers) (Answers, []Carried) {
	now := maps.Clone(recorded)
	var carried []Carried
	for _, key := range sortedKeys(recorded) {
		change := c.carry(key, recorded[key])
		if change == (Carried{}) {
			continue
		}
		carried = append(carried, change)
		delete(now, key)
	}
	slices.SortStableFunc(carried, func(a, b Carried) int { return a.Line - b.Line })
	for _, change := range carried {
		if change.To == "" {
			continue
		}
		answer := recorded[change.Key]
		if other, twice := now[change.To]; twice {
			answer.fault = answer.wrong(answer.key, fmt.Sprintf("%q is now %q, which is answered too", change.Key, change.To), keepOne(answer, other))
		}
		answer.Value = change.Now
		now[change.To] = answer
	}
	return now, carried
}

func keepOne(a, b Answer) string {
	return fmt.Sprintf("keep one of lines %d and %d", min(a.key.line, b.key.line), max(a.key.line, b.key.line))
}

// carry returns what became of one recorded answer, nothing if it stands as it is.
func (c *Catalog) carry(key string, answer Answer) Carried {
	change := Carried{Key: key, Value: answer.Value, To: key, Now: answer.Value, Line: answer.key.line}
	for {
		r, retired := c.retired[change.To]
		if now, ok := r.Values[change.Now]; ok {
			change.Now = now
		}
		switch {
		case retired && r.Removed != "":
			change.To, change.Now, change.Reason = "", "", r.Removed
			return change
		case retired && r.Renamed != "":
			change.To = r.Renamed
		case change.To == key && change.Now == answer.Value:
			return Carried{}
		default:
			return change
		}
	}
}

// renounced says of a question that is no longer asked, or of an answer that one no longer takes, what took its place.
func (c *Catalog) renounced(key string, answer Answer) (msg, hint string, ok bool) {
	change := c.carry(key, answer)
	switch {
	case change == (Carried{}):
		return "", "", false
	case change.To == "":
		return fmt.Sprintf("question %q is no longer asked", key), "leave it out: " + change.Reason, true
	case change.To == key:
		return fmt.Sprintf("unknown %s %q", key, answer.Value), fmt.Sprintf("it is now %q", change.Now), true
	}
	hint = "answer " + change.To + " in its place"
	if change.Now != answer.Value {
		hint += fmt.Sprintf(", with %s for %s", change.Now, answer.Value)
	}
	return fmt.Sprintf("question %q is now %q", key, change.To), hint, true
}

// readRetired reads and verifies what became of retired questions; a tree without the file has retired none.
func (c *Catalog) readRetired() error {
	err := readStrictly(c.fsys, retiredFile, &c.retired)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, key := range sortedKeys(c.retired) {
		if err := c.verifyRetirement(key, c.retired[key]); err != nil {
			return fmt.Errorf("%s: %w", retiredFile, err)
		}
	}
	return nil
}

func (c *Catalog) verifyRetirement(key string, r retirement) error {
	asked := c.question(key).Key != ""
	switch {
	case r.Renamed != "" && r.Removed != "":
		return fmt.Errorf("question %q is both renamed and removed", key)
	case r.Renamed == "" && r.Removed == "" && len(r.Values) == 0:
		return fmt.Errorf("say of question %q what became of it: renamed, removed or values", key)
	case asked && (r.Renamed != "" || r.Removed != ""):
		return fmt.Errorf("question %q is still asked", key)
	case !asked && r.Renamed == "" && r.Removed == "":
		return fmt.Errorf("question %q is not asked: say what it is renamed to", key)
	}
	seen := []string{key}
	for at := key; c.retired[at].Renamed != ""; {
		at = c.retired[at].Renamed
		if slices.Contains(seen, at) {
			return fmt.Errorf("question %q is renamed in a circle", key)
		}
		seen = append(seen, at)
		if _, more := c.retired[at]; c.question(at).Key == "" && !more {
			return fmt.Errorf("question %q is now %q, which no question is", key, at)
		}
	}
	return c.verifyValues(key, asked)
}

// verifyValues holds retired answers to the choices of the question that they end at.
func (c *Catalog) verifyValues(key string, asked bool) error {
	for _, value := range sortedKeys(c.retired[key].Values) {
		q := c.question(key)
		if asked && slices.Contains(q.names(), value) {
			return fmt.Errorf("answer %q to %q is still taken", value, key)
		}
		change := c.carry(key, Answer{Value: value})
		if q = c.question(change.To); change.To == "" || q.Choices == nil {
			continue
		}
		if _, err := q.Validate(change.Now, nil); err != nil {
			return fmt.Errorf("answer %q to %q: %w", value, key, err)
		}
	}
	return nil
}

// RecordedDigest returns the digest that the lock of a project had for the answers in its file, before they were carried over: of those
// alone that the file gives, since questions that came later were not in it.
func (s *Spec) RecordedDigest(given Answers, carried []Carried) (string, error) {
	answers := make(map[string]string, len(given))
	for _, r := range s.Resolved {
		key := r.Question.Key
		isNew := func(c Carried) bool { return c.To == key }
		if _, ok := given[key]; ok && key != "keep" && !slices.ContainsFunc(carried, isNew) {
			answers[key] = r.Value
		}
	}
	for _, c := range carried {
		answers[c.Key] = c.Value
	}
	return digestOf(answers)
}
