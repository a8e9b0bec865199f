package apikey

import (
	"slices"
	"strings"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

// KeyRotation is the secret's key with the record of the rotation that made a version:
// the version's own id and the id of the one that was AWSCURRENT when the rotation
// began. In a version that a person wrote the record is somebody else's, because its
// own id is another, and proves nothing.
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
// were replaced by it, back from current, newest first (K8). It ends where a person
// wrote a version.
func Succession(current rotation.Version, versions []rotation.Version) (former []rotation.Version) {
	for {
		id := Replaced(current)
		i := slices.IndexFunc(versions, func(v rotation.Version) bool { return v.ID == id })
		if i < 0 || slices.ContainsFunc(former, func(v rotation.Version) bool { return v.ID == id }) {
			return former
		}
		current = versions[i]
		former = append(former, current)
	}
}
