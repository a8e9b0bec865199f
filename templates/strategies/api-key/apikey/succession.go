package apikey

import (
	"slices"
	"strings"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

// KeyRotation is the secret's key with the record of the rotation that made a version:
// the version's own id and the id of the one that was AWSCURRENT when the rotation
// began. A person who writes a version copies the record of another one: the ids do not
// match, and it proves nothing.
const KeyRotation = "rotation"

const replaces = " replaces "

// Recorded returns next with the record of the rotation token, which began when
// current was AWSCURRENT.
func Recorded(next rotation.Value, token string, current rotation.Version) rotation.Value {
	return next.With(KeyRotation, token+replaces+current.ID)
}

// Replaced returns which version the rotation that made v replaced, "" if no rotation
// of this secret made it.
func Replaced(v rotation.Version) string {
	record, _ := v.Value.Get(KeyRotation)
	token, replaced, _ := strings.Cut(record.Reveal(), replaces)
	if token != v.ID {
		return ""
	}
	return replaced
}

// Succession returns those of versions that were AWSCURRENT when a rotation began and
// were replaced by it, back from current, newest first (K8). It ends at a key that a
// person put there.
func Succession(current rotation.Version, versions []rotation.Version) (previous []rotation.Version) {
	for {
		id := replaced(current, versions)
		i := slices.IndexFunc(versions, func(v rotation.Version) bool { return v.ID == id })
		if i < 0 || slices.ContainsFunc(previous, func(v rotation.Version) bool { return v.ID == id }) {
			return previous
		}
		current = versions[i]
		previous = append(previous, current)
	}
}

// replaced is Replaced of the version or, if a person has written it, of the one that
// the same key stands in from a rotation.
func replaced(version rotation.Version, versions []rotation.Version) string {
	key, _ := version.Value.Get(KeyValue)
	for _, v := range append([]rotation.Version{version}, versions...) {
		if same, _ := v.Value.Get(KeyValue); same == key && Replaced(v) != "" {
			return Replaced(v)
		}
	}
	return ""
}
