package singleuser_test

import (
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

// C4: a copy of the password, which a rotation would leave behind, is refused by its key
// before anything is stored. The user's name may stand anywhere: it stays.
func TestCopies(t *testing.T) {
	for name, test := range map[string]struct {
		keys string
		want rotation.Code
	}{
		"of the password": {`"URL":"postgres://` + user + `:copied-sentinel-9@db/d"`, rotation.CodeBadSecret},
		"of the name":     {`"URL":"postgres://` + user + `@db/d","login":"` + user + `"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, self, "copied-sentinel-9", nil)
			r.must(r.GiveUp(r.token))
			r.put(r.Token(), strings.Replace(r.value("copied-sentinel-9"), "{", "{"+test.keys+",", 1), rotation.StageCurrent)
			r.token = r.Token()
			r.must(r.Request(r.token))
			err := r.deliver(rotation.StepCreate)
			r.wantOutcome(err, test.want, "")
			if err != nil && !strings.Contains(err.Error(), `"URL" holds a copy of the password`) {
				t.Errorf("%v does not name the key", err)
			}
			if _, err := r.Value(rotation.StagePending); (err == nil) != (test.want == "") {
				t.Errorf("the new value: %v", err)
			}
		})
	}
}
