package overlap_test

import (
	"testing"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/overlap/overlap"
)

// C25: without room, the rotation goes through once a key that nobody uses is gone.
func TestAdviceOnQuota(t *testing.T) {
	b := newBench(t, kind{two, labelled}, overlap.Config{})
	unused, ok := b.ledger.Create("made by hand", "")
	if !ok {
		t.Fatal("the provider has no room for a second key")
	}
	token := b.requested()
	wantCode(t, b.Rotate(token, 1), rotation.CodeQuota)
	b.ledger.Lose(unused.ID)
	if err := b.Rotate(token, 1); err != nil {
		t.Fatal(err)
	}
	b.wantAlive("first", apikey.ID(b.current()))
}

// C25: where AWSCURRENT's key was replaced by hand, rotations go on from the one that
// replaced it, once it is in the secret and the rotation under way is given up. No version
// with a label names the first key any more: where there is no room, a person revokes it.
func TestAdviceOnAReplacedKey(t *testing.T) {
	b := newBench(t, kind{two, labelled}, overlap.Config{})
	b.rotate()
	key, _ := b.ledger.Roll(apikey.ID(b.current()))
	token := b.requested()
	wantCode(t, b.Rotate(token, 1), rotation.CodeAuthRejected)
	if err := b.GiveUp(token); err != nil {
		t.Fatal(err)
	}
	b.put(rotation.StageCurrent, func(v rotation.Value) rotation.Value { return v.With(apikey.KeyValue, key.Secret) })
	token = b.requested()
	wantCode(t, b.Rotate(token, 1), rotation.CodeQuota)
	b.ledger.Lose("first")
	if err := b.Rotate(token, 1); err != nil {
		t.Fatal(err)
	}
	if err := b.CurrentWorks(); err != nil {
		t.Error(err)
	}
}

// C25: where AWSCURRENT's key was revoked and there is room, a rotation makes another.
func TestAdviceOnARevokedKey(t *testing.T) {
	b := newBench(t, kind{two, labelled}, overlap.Config{})
	b.rotate()
	b.ledger.Lose(apikey.ID(b.current()))
	b.rotate()
	if err := b.CurrentWorks(); err != nil {
		t.Error(err)
	}
}

func (b *bench) current() rotation.Value {
	b.t.Helper()
	current, err := b.Value(rotation.StageCurrent)
	if err != nil {
		b.t.Fatal(err)
	}
	return current
}
