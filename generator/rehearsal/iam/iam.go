// Package iam decides what a policy allows, as AWS IAM does for one identity with
// one policy: a statement that denies wins, one that allows comes next, and what no
// statement names is denied.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
//
// A call asks for each of its resources by itself, and shows a policy just the
// condition keys that AWS lists for that action and that type of resource
// (reference.json): a condition with another key is never met.
//
// Not here: NotAction, NotResource, principals, policy variables, boundaries and
// service control policies, and the conditions that compare numbers, dates and
// addresses. [Parse] refuses what it does not know, so nothing is passed over.
package iam

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Version is the language that policies are written in. The older one, which a
// document without a version has, knows no variables.
const Version = "2012-10-17"

// Policy is a document, such as a role's.
type Policy struct {
	Version   string
	ID        string `json:"Id"`
	Statement list[Statement]
}

// Statement is one of a policy's.
type Statement struct {
	Sid       string
	Effect    string // Allow or Deny
	Principal any    // only of a resource's policy; not evaluated
	Action    list[string]
	Resource  list[string]
	Condition map[string]map[string]list[string] // operator, key, values
}

// list is written as one element or as many.
type list[T any] []T

func (l *list[T]) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '[' {
		var many []T
		err := strict(data, &many)
		*l = many
		return err
	}
	var one T
	err := strict(data, &one)
	*l = list[T]{one}
	return err
}

func strict(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// Parse reads a document. It fails on what IAM would refuse and on what this
// package does not evaluate.
func Parse(document []byte) (*Policy, error) {
	p := &Policy{}
	if err := strict(document, p); err != nil {
		return nil, err
	}
	if p.Version != Version {
		return nil, fmt.Errorf("version %q is not %s", p.Version, Version)
	}
	if len(p.Statement) == 0 {
		return nil, errors.New("has no statement")
	}
	for i, s := range p.Statement {
		if err := s.check(); err != nil {
			return nil, fmt.Errorf("statement %d %s: %w", i+1, s.Sid, err)
		}
	}
	return p, nil
}

func (s Statement) check() error {
	if s.Effect != "Allow" && s.Effect != "Deny" {
		return fmt.Errorf("effect %q is neither Allow nor Deny", s.Effect)
	}
	if len(s.Action) == 0 {
		return errors.New("names no action")
	}
	for _, action := range s.Action {
		if service, name, ok := strings.Cut(action, ":"); action != "*" && (!ok || service == "" || name == "") {
			return fmt.Errorf("action %q is not service:Name", action)
		}
	}
	if len(s.Resource) == 0 && s.Principal == nil {
		return errors.New("names no resource")
	}
	for _, resource := range s.Resource {
		if resource != "*" && len(strings.SplitN(resource, ":", 6)) < 6 {
			return fmt.Errorf("resource %q is no ARN", resource)
		}
	}
	for operator := range s.Condition {
		if comparisons[base(operator)] == nil {
			return fmt.Errorf("condition operator %q is not known", operator)
		}
	}
	return nil
}

// Request is one thing that the identity wants to do.
type Request struct {
	Action   string
	Resource string              // its ARN, "*" for an action that has none
	Context  map[string][]string // the condition keys and their values
}

func (r Request) String() string { return r.Action + " on " + r.Resource }

// Decision is IAM's answer, with the statements that led to it.
type Decision struct {
	Allowed bool
	Because []Statement
}

// Decide answers a request, as far as AWS would ask it: see [Visible].
func (p *Policy) Decide(r Request) Decision {
	r, ok := Visible(r)
	if !ok {
		return Decision{}
	}
	matching := func(effect string) []Statement {
		return slices.DeleteFunc(slices.Clone(p.Statement), func(s Statement) bool { return s.Effect != effect || !s.matches(r) })
	}
	if denied := matching("Deny"); len(denied) > 0 {
		return Decision{Because: denied}
	}
	allowed := matching("Allow")
	return Decision{Allowed: len(allowed) > 0, Because: allowed}
}

// Actions returns the actions that some statement allows, sorted.
func (p *Policy) Actions() []string {
	actions := make(map[string]bool)
	for _, s := range p.Statement {
		for _, action := range s.Action {
			if s.Effect == "Allow" {
				actions[action] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(actions))
}

// Grant is one action that one statement allows.
type Grant struct {
	Sid, Action string
}

func (g Grant) String() string { return g.Sid + " " + g.Action }

// Grants returns every action of every statement that allows, in order.
func (p *Policy) Grants() []Grant {
	var grants []Grant
	for _, s := range p.Statement {
		for _, action := range s.Action {
			if s.Effect == "Allow" {
				grants = append(grants, Grant{s.Sid, action})
			}
		}
	}
	return grants
}

// Without returns the policy less one grant.
func (p *Policy) Without(g Grant) *Policy {
	less := *p
	less.Statement = slices.Clone(p.Statement)
	for i, s := range less.Statement {
		if s.Effect == "Allow" && s.Sid == g.Sid {
			less.Statement[i].Action = slices.DeleteFunc(slices.Clone(s.Action), func(a string) bool { return a == g.Action })
		}
	}
	return &less
}

func (s Statement) matches(r Request) bool {
	return slices.ContainsFunc(s.Action, func(pattern string) bool { return glob(strings.ToLower(pattern), strings.ToLower(r.Action)) }) &&
		slices.ContainsFunc(s.Resource, func(pattern string) bool { return glob(pattern, r.Resource) }) &&
		s.holds(r.Context)
}

// holds reports whether all conditions are met.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
func (s Statement) holds(context map[string][]string) bool {
	for operator, keys := range s.Condition {
		for key, wanted := range keys {
			if !holds(operator, wanted, lookup(context, key)) {
				return false
			}
		}
	}
	return true
}

func holds(operator string, wanted, values []string) bool {
	name := base(operator)
	compare := comparisons[name]
	if name == "Null" {
		return compare(wanted[0], fmt.Sprint(len(values) == 0))
	}
	negated := strings.Contains(name, "Not")
	if len(values) == 0 {
		return negated || strings.HasSuffix(operator, "IfExists") || strings.HasPrefix(operator, "ForAllValues:")
	}
	meets := func(value string) bool {
		return negated != slices.ContainsFunc(wanted, func(want string) bool { return compare(want, value) })
	}
	if strings.HasPrefix(operator, "ForAnyValue:") {
		return slices.ContainsFunc(values, meets)
	}
	return !slices.ContainsFunc(values, func(value string) bool { return !meets(value) })
}

// base is an operator without what it says about many values and missing ones.
func base(operator string) string {
	_, after, ok := strings.Cut(operator, ":")
	if !ok {
		after = operator
	}
	return strings.TrimSuffix(after, "IfExists")
}

// lookup finds a key, whose case does not count.
func lookup(context map[string][]string, key string) []string {
	for name, values := range context {
		if strings.EqualFold(name, key) {
			return values
		}
	}
	return nil
}

// comparisons are the operators; a negated one stands with the one that it negates.
var comparisons = map[string]func(want, value string) bool{
	"StringEquals":              equal,
	"StringNotEquals":           equal,
	"StringEqualsIgnoreCase":    strings.EqualFold,
	"StringNotEqualsIgnoreCase": strings.EqualFold,
	"StringLike":                glob,
	"StringNotLike":             glob,
	"ArnEquals":                 arnLike,
	"ArnNotEquals":              arnLike,
	"ArnLike":                   arnLike,
	"ArnNotLike":                arnLike,
	"Bool":                      strings.EqualFold,
	"Null":                      strings.EqualFold,
}

func equal(want, value string) bool { return want == value }

// arnLike compares the six parts of an ARN one by one; ArnEquals does the same as ArnLike.
func arnLike(pattern, arn string) bool {
	wants, parts := strings.SplitN(pattern, ":", 6), strings.SplitN(arn, ":", 6)
	if len(wants) != 6 || len(parts) != 6 {
		return false
	}
	for i := range wants {
		if !glob(wants[i], parts[i]) {
			return false
		}
	}
	return true
}

// glob reports whether text is pattern, in which * stands for any text and ? for one character.
func glob(pattern, text string) bool {
	before, after, found := strings.Cut(pattern, "*")
	if len(text) < len(before) || !same(before, text[:len(before)]) {
		return false
	}
	text = text[len(before):]
	if !found {
		return text == ""
	}
	for i := range len(text) + 1 {
		if glob(after, text[i:]) {
			return true
		}
	}
	return false
}

func same(pattern, text string) bool {
	for i := range len(pattern) {
		if pattern[i] != '?' && pattern[i] != text[i] {
			return false
		}
	}
	return true
}
