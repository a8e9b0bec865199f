package cmd

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/rotasmith/rotasmith/generator"
)

// emptyFleet makes empty projects.
func emptyFleet(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	for i := range n {
		write(t, mkdir(t, filepath.Join(dir, strconv.Itoa(1000+i)))+"/"+generator.AnswersFile, "")
	}
	return dir
}

func mkdir(t *testing.T, dir string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// I13: however many projects there are, what came of a few is in memory. They come in the order of their folders.
func TestInOrderHoldsFewProjects(t *testing.T) {
	const n = 200
	var held, most atomic.Int64
	work := func(dir string, _ error) string {
		now := held.Add(1)
		for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
		}
		return filepath.Base(dir)
	}
	i := 0
	for name := range inOrder(t.Context(), []string{emptyFleet(t, n) + "/..."}, work) {
		if name != strconv.Itoa(1000+i) {
			t.Fatalf("project %d is %s", i, name)
		}
		runtime.Gosched() // the workers are not to wait for this one
		held.Add(-1)
		i++
	}
	if limit := int64(6 * runtime.GOMAXPROCS(0)); i != n || most.Load() > limit {
		t.Errorf("%d projects, up to %d at once, which should be %d at the most", i, most.Load(), limit)
	}
}

// Once it is interrupted, no project is begun; those that were are told.
func TestInOrderInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var begun, told int64
	for range inOrder(ctx, []string{emptyFleet(t, 200) + "/..."}, func(string, error) int { return int(atomic.AddInt64(&begun, 1)) }) {
		told++
		cancel()
	}
	if told != atomic.LoadInt64(&begun) || told > 100 {
		t.Errorf("%d begun, %d told", begun, told)
	}
}
