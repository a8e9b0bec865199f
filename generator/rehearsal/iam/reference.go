package iam

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// reference is what AWS's service authorization reference says of the actions that
// emitted policies name: which resources each asks for, and which condition keys it
// shows for each. A type's keys are those of its row in the table of actions and,
// where that leaves them out as for all services but EC2, those of the type itself.
type reference struct {
	Source  string            // the pages, list_SERVICE.html below it
	Read    string            // the day of the copy
	Global  []string          // keys of every request that has them
	Actions map[string]action // by service:Name
}

type action struct {
	Keys      []string // for all its resources
	Resources []resourceType
}

type resourceType struct {
	ARN      string // a pattern
	Required bool
	Keys     []string
}

//go:embed reference.json
var referenceJSON []byte

var reading = sync.OnceValue(func() (r reference) {
	if err := json.Unmarshal(referenceJSON, &r); err != nil {
		panic(err) // of this package's own file
	}
	return r
})

// Visible returns the request as a policy sees it, without the condition keys that AWS
// does not list for its action and resource. ok is false for a resource that the
// action does not ask for. An action that is not in the reference is left as it is.
func Visible(r Request) (visible Request, ok bool) {
	a, known := reading().Actions[r.Action]
	if !known {
		return r, true
	}
	keys, ok := a.keys(r.Resource)
	if !ok {
		return r, false
	}
	r.Context = maps.Clone(r.Context)
	maps.DeleteFunc(r.Context, func(key string, _ []string) bool { return !lists(keys, key) })
	return r, true
}

// keys returns the condition keys that an action shows for a resource; ok is false if
// it asks for no such resource.
func (a action) keys(resource string) (keys []string, ok bool) {
	if len(a.Resources) == 0 {
		return a.Keys, resource == "*"
	}
	// Of two types that fit, such as S3's, the more exact one is meant.
	length := -1
	for _, t := range a.Resources {
		if glob(t.ARN, resource) && len(t.ARN) > length {
			length, keys = len(t.ARN), append(slices.Clone(a.Keys), t.Keys...)
		}
	}
	return keys, length >= 0
}

// lists reports whether a key is global or among those that are listed, some of which
// end in a ${Name} of the caller's.
func lists(keys []string, key string) bool {
	return slices.ContainsFunc(append(slices.Clone(keys), reading().Global...), func(listed string) bool {
		prefix, _, open := strings.Cut(listed, "${")
		return strings.EqualFold(listed, key) || open && len(key) > len(prefix) && strings.EqualFold(prefix, key[:len(prefix)])
	})
}

// Faults returns what keeps the policy's statements from ever meaning what they say:
// an action that the reference does not know, and a condition key that AWS does not
// show for a resource that the statement reaches.
func (p *Policy) Faults() (faults []string) {
	for _, s := range p.Statement {
		for _, pattern := range s.Action {
			names := slices.DeleteFunc(slices.Sorted(maps.Keys(reading().Actions)), func(name string) bool {
				return !glob(strings.ToLower(pattern), strings.ToLower(name))
			})
			if len(names) == 0 {
				faults = append(faults, fmt.Sprintf("statement %s: %s is not in the reference", s.Sid, pattern))
			}
			for _, name := range names {
				faults = append(faults, s.faults(name)...)
			}
		}
	}
	return slices.Compact(faults)
}

func (s Statement) faults(name string) (faults []string) {
	a := reading().Actions[name]
	types := a.Resources
	if len(types) == 0 {
		types = []resourceType{{ARN: "*"}}
	}
	for _, t := range types {
		if !slices.ContainsFunc(s.Resource, func(resource string) bool { return overlap(resource, t.ARN) }) {
			continue
		}
		for _, keys := range s.Condition {
			for key := range keys {
				if !lists(append(slices.Clone(a.Keys), t.Keys...), key) {
					faults = append(faults, fmt.Sprintf("statement %s: AWS shows no %s to %s on %s", s.Sid, key, name, t.ARN))
				}
			}
		}
	}
	slices.Sort(faults)
	return faults
}

// overlap reports whether two patterns of ARNs may mean the same resource.
func overlap(a, b string) bool {
	example := func(pattern string) string { return strings.NewReplacer("*", "x", "?", "x").Replace(pattern) }
	return glob(a, example(b)) || glob(b, example(a))
}
