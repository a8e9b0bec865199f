// Package eventpattern says whether an event pattern of EventBridge matches an event, as EventBridge would. Tests hold emitted rules to
// recorded events with it.
//
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
package eventpattern

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// Pattern is an event pattern that EventBridge would take.
type Pattern struct{ match matcher }

// A matcher says whether what stands at a place of an event matches; absent if nothing does.
type matcher func(value any) bool

type none struct{}

var absent none

// Parse reads a pattern and refuses what EventBridge refuses.
func Parse(text []byte) (Pattern, error) {
	var pattern map[string]any
	if err := json.Unmarshal(text, &pattern); err != nil {
		return Pattern{}, err
	}
	match, err := object(pattern)
	return Pattern{match}, err
}

// Matches reports whether the pattern matches an event.
func (p Pattern) Matches(event []byte) (bool, error) {
	var fields map[string]any
	if err := json.Unmarshal(event, &fields); err != nil {
		return false, err
	}
	return p.match(fields), nil
}

// object matches if every field does; of a list of objects one of them has to, with all fields.
func object(pattern map[string]any) (matcher, error) {
	if len(pattern) == 0 {
		return nil, errors.New("an object is empty")
	}
	all := make(map[string]matcher)
	for _, name := range slices.Sorted(maps.Keys(pattern)) {
		match, err := field(name, pattern[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all[name] = match
	}
	var match matcher
	match = func(value any) bool {
		if list, ok := value.([]any); ok && len(list) > 0 {
			return slices.ContainsFunc(list, match)
		}
		fields, _ := value.(map[string]any)
		for name, match := range all {
			at, ok := fields[name]
			switch {
			case name == "$or":
				at = value
			case !ok:
				at = absent
			}
			if !match(at) {
				return false
			}
		}
		return true
	}
	return match, nil
}

func field(name string, pattern any) (matcher, error) {
	switch pattern := pattern.(type) {
	case map[string]any:
		return object(pattern)
	case []any:
		if name == "$or" {
			return branches(pattern)
		}
		return values(pattern)
	default:
		return nil, errors.New("neither an object nor a list")
	}
}

// branches is $or: one of several objects has to match at the same place.
func branches(list []any) (matcher, error) {
	if len(list) < 2 {
		return nil, errors.New("fewer than two branches")
	}
	return anyOf(list, func(branch any) (matcher, error) {
		pattern, ok := branch.(map[string]any)
		if !ok {
			return nil, errors.New("a branch is no object")
		}
		return object(pattern)
	})
}

// values matches if one of the conditions holds for one of the values: a list in the event counts as each of its items.
func values(list []any) (matcher, error) {
	if len(list) == 0 {
		return nil, errors.New("a list is empty")
	}
	return anyOf(list, func(condition any) (matcher, error) {
		if exists, ok, err := existence(condition); ok {
			return func(value any) bool { return len(scalars(value)) > 0 == exists }, err
		}
		holds, err := scalar(condition)
		if err != nil {
			return nil, err
		}
		return func(value any) bool { return slices.ContainsFunc(scalars(value), holds) }, nil
	})
}

func anyOf(list []any, parse func(any) (matcher, error)) (matcher, error) {
	var matchers []matcher
	for _, item := range list {
		match, err := parse(item)
		if err != nil {
			return nil, err
		}
		matchers = append(matchers, match)
	}
	return func(value any) bool {
		return slices.ContainsFunc(matchers, func(match matcher) bool { return match(value) })
	}, nil
}

// scalars are the values at a place of an event. An object is none: only what is in it can be asked for.
func scalars(value any) []any {
	switch value := value.(type) {
	case none, map[string]any:
		return nil
	case []any:
		var all []any
		for _, item := range value {
			all = append(all, scalars(item)...)
		}
		return all
	default:
		return []any{value}
	}
}

func existence(condition any) (exists, ok bool, err error) {
	operators, _ := condition.(map[string]any)
	operand, ok := operators["exists"]
	if !ok || len(operators) > 1 {
		return false, false, nil
	}
	exists, isBool := operand.(bool)
	if !isBool {
		err = errors.New("exists is neither true nor false")
	}
	return exists, true, err
}

// scalar is a condition on one value.
func scalar(condition any) (matcher, error) {
	switch condition := condition.(type) {
	case []any:
		return nil, errors.New("a list stands in a list")
	case map[string]any:
		if len(condition) != 1 {
			return nil, errors.New("a condition has not exactly one operator")
		}
		for operator, operand := range condition {
			return operation(operator, operand)
		}
	}
	return func(value any) bool { return value == condition }, nil // numbers are compared as numbers: 5 is 5.0
}

func operation(operator string, operand any) (matcher, error) {
	switch operator {
	case "anything-but":
		return anythingBut(operand)
	case "numeric":
		return numeric(operand)
	case "cidr":
		return cidr(operand)
	case "prefix", "suffix":
		if folded, ok := operand.(map[string]any); ok && len(folded) == 1 {
			word, ok := folded["equals-ignore-case"].(string)
			if !ok {
				return nil, fmt.Errorf("%s takes a text or equals-ignore-case", operator)
			}
			compare, err := text(operator, strings.ToLower(word))
			return func(value any) bool { s, ok := value.(string); return ok && compare(strings.ToLower(s)) }, err
		}
	}
	word, ok := operand.(string)
	if !ok {
		return nil, fmt.Errorf("%s does not take %v", operator, operand)
	}
	return text(operator, word)
}

// text is an operator that compares texts with a word.
func text(operator, word string) (matcher, error) {
	var holds func(string) bool
	switch operator {
	case "prefix":
		holds = func(s string) bool { return strings.HasPrefix(s, word) }
	case "suffix":
		holds = func(s string) bool { return strings.HasSuffix(s, word) }
	case "equals-ignore-case":
		holds = func(s string) bool { return strings.EqualFold(s, word) }
	case "wildcard":
		expr, err := wildcard(word)
		if err != nil {
			return nil, err
		}
		holds = expr.MatchString
	default:
		return nil, fmt.Errorf("unknown operator %q", operator)
	}
	return func(value any) bool { s, ok := value.(string); return ok && holds(s) }, nil
}

// wildcard turns * into anything; \* and \\ stand for themselves.
func wildcard(word string) (*regexp.Regexp, error) {
	var expr strings.Builder
	star, escaped := false, false
	for _, r := range word {
		switch {
		case escaped && r != '*' && r != '\\':
			return nil, fmt.Errorf(`\%c in a wildcard`, r)
		case !escaped && r == '\\':
			escaped, star = true, false
			continue
		case !escaped && r == '*' && star:
			return nil, errors.New("two wildcards in a row")
		case !escaped && r == '*':
			expr.WriteString(".*")
			star = true
			continue
		}
		expr.WriteString(regexp.QuoteMeta(string(r)))
		star, escaped = false, false
	}
	if escaped {
		return nil, errors.New("a wildcard ends with a backslash")
	}
	return regexp.Compile("(?s)^" + expr.String() + "$")
}

// anythingBut is a condition that no word of a list meets. A field that is absent does not meet it either.
func anythingBut(operand any) (matcher, error) {
	var but []matcher
	add := func(match matcher, err error) error { but = append(but, match); return err }
	operator := ""
	if operators, ok := operand.(map[string]any); ok {
		if len(operators) != 1 {
			return nil, errors.New("anything-but has not exactly one operator")
		}
		for key, value := range operators {
			operator, operand = key, value
		}
	}
	list, ok := operand.([]any)
	if !ok {
		list = []any{operand}
	}
	if len(list) == 0 {
		return nil, errors.New("anything-but is empty")
	}
	for _, item := range list {
		word, isText := item.(string)
		_, firstIsText := list[0].(string)
		_, isNumber := item.(float64)
		var err error
		switch {
		case isText != firstIsText, !isText && (operator != "" || !isNumber):
			err = fmt.Errorf("anything-but does not take %v", item)
		case operator != "":
			err = add(text(operator, word))
		default:
			err = add(scalar(item))
		}
		if err != nil {
			return nil, err
		}
	}
	return func(value any) bool {
		return !slices.ContainsFunc(but, func(match matcher) bool { return match(value) })
	}, nil
}

// numeric is one comparison, or a lower bound and then an upper one.
func numeric(operand any) (matcher, error) {
	terms, _ := operand.([]any)
	if len(terms) != 2 && len(terms) != 4 {
		return nil, errors.New("numeric takes one comparison or two")
	}
	var bounds []func(n float64) bool
	for i := 0; i < len(terms); i += 2 {
		operator, _ := terms[i].(string)
		bound, ok := terms[i+1].(float64)
		lower, upper := strings.HasPrefix(operator, ">"), strings.HasPrefix(operator, "<")
		if !ok || len(terms) == 4 && (i == 0 && !lower || i == 2 && !upper) {
			return nil, errors.New("numeric takes a number, or a lower bound and then an upper one")
		}
		compare, ok := map[string]func(n float64) bool{
			"=":  func(n float64) bool { return n == bound },
			"<":  func(n float64) bool { return n < bound },
			"<=": func(n float64) bool { return n <= bound },
			">":  func(n float64) bool { return n > bound },
			">=": func(n float64) bool { return n >= bound },
		}[operator]
		if !ok {
			return nil, fmt.Errorf("unknown comparison %q", operator)
		}
		bounds = append(bounds, compare)
	}
	return func(value any) bool {
		n, ok := value.(float64)
		return ok && !slices.ContainsFunc(bounds, func(holds func(float64) bool) bool { return !holds(n) })
	}, nil
}

func cidr(operand any) (matcher, error) {
	word, _ := operand.(string)
	network, err := netip.ParsePrefix(word)
	if err != nil {
		return nil, err
	}
	return func(value any) bool {
		s, _ := value.(string)
		address, err := netip.ParseAddr(s)
		return err == nil && network.Contains(address)
	}, nil
}
