package parity

import "testing"

// TestJoin: a membership is granted unless the user has all of it already, by whatever
// way, and nothing that the active user's own membership lacks is asked for. (T4)
func TestJoin(t *testing.T) {
	for name, test := range map[string]struct {
		has     membership
		reaches reach
		grants  bool
	}{
		"nothing yet":             {membership{admin: "f", inherit: "t", set: "t"}, reach{}, true},
		"all of it":               {membership{admin: "t", inherit: "t", set: "t"}, reach{set: true, usage: true, admin: true}, false},
		"no inheritance needed":   {membership{admin: "f", inherit: "f", set: "t"}, reach{set: true}, false},
		"inheritance lacks":       {membership{admin: "f", inherit: "t", set: "t"}, reach{set: true}, true},
		"no act as needed":        {membership{admin: "f", inherit: "t", set: "f"}, reach{usage: true}, false},
		"act as lacks":            {membership{admin: "f", inherit: "t", set: "t"}, reach{usage: true}, true},
		"no administration asked": {membership{admin: "f", inherit: "f", set: "f"}, reach{}, false},
		"administration lacks":    {membership{admin: "t", inherit: "t", set: "t"}, reach{set: true, usage: true}, true},
	} {
		test.has.role, test.has.grantor = "readers", "postgres"
		active := newUser("a")
		active.members = append(active.members, test.has)
		m := mending{user: newUser("b"), version: 18}
		m.user.reach["readers"] = test.reaches
		if m.join(active, "owner"); (len(m.statements) > 0) != test.grants {
			t.Errorf("%s: got %q", name, m.statements)
		}
	}
}
