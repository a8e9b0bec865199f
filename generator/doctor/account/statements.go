package account

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
)

// statement is one of a resource's policy, as far as it is looked at.
type statement struct {
	Effect    string
	Principal any
	Action    any
	Condition map[string]map[string]any
}

// statementsOf reads a policy. It may have one statement without a list around it, or be empty.
func statementsOf(policy string) ([]statement, error) {
	if policy == "" {
		return nil, nil
	}
	var document struct{ Statement json.RawMessage }
	if err := json.Unmarshal([]byte(policy), &document); err != nil {
		return nil, err
	}
	var list []statement
	if err := json.Unmarshal(document.Statement, &list); err == nil {
		return list, nil
	}
	var one statement
	err := json.Unmarshal(document.Statement, &one)
	return []statement{one}, err
}

// texts is a value that is written as one text or as a list.
func texts(value any) (list []string) {
	switch value := value.(type) {
	case string:
		return []string{value}
	case []any:
		for _, v := range value {
			list = append(list, texts(v)...)
		}
	}
	return list
}

// everyone reports whether the statement is about every principal.
func (s *statement) everyone() bool {
	if named, ok := s.Principal.(map[string]any); ok {
		return slices.Contains(texts(named["AWS"]), "*")
	}
	return slices.Contains(texts(s.Principal), "*")
}

// serves reports whether the statement lets a service invoke a function.
func (s *statement) serves(service string) bool {
	named, _ := s.Principal.(map[string]any)
	return s.Effect == "Allow" && (s.everyone() || slices.Contains(texts(named["Service"]), service)) &&
		slices.ContainsFunc(texts(s.Action), func(action string) bool {
			return action == "*" || action == "lambda:*" || strings.EqualFold(action, "lambda:InvokeFunction")
		})
}

// names are the values of a condition key, whatever its operator compares by, and whether there is one.
func (s *statement) names(key string) (values []string, ok bool) {
	for _, keys := range s.Condition {
		for name, value := range keys {
			if strings.EqualFold(name, key) {
				values, ok = append(values, texts(value)...), true
			}
		}
	}
	return values, ok
}

// fits reports whether one of the patterns, with * and ?, is met.
func fits(patterns []string, text string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		// path.Match knows no * across a slash, which names of secrets may have.
		const slash = "\x00"
		ok, err := path.Match(strings.ReplaceAll(pattern, "/", slash), strings.ReplaceAll(text, "/", slash))
		return ok && err == nil
	})
}
