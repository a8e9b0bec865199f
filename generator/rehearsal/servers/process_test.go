//go:build unix

package servers

import (
	"context"
	"strings"
	"testing"
	"time"
)

// A server that dies before it is ready is an error that says what it printed, although its script waits for orders.
func TestServerDiesAtItsStart(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	script := "sh -c 'echo the port is taken' & exec >/dev/null; read -r order"
	_, err := start(ctx, MySQL, []string{"sh", "-c", script}, "ready for connections", nil)
	if err == nil || !strings.Contains(err.Error(), "did not start: the port is taken") {
		t.Errorf("got %v", err)
	}
}

// No client's connection is given a port of a server that is starting or halted.
func TestFreePortIsNoClients(t *testing.T) {
	for range 100 {
		port, err := freePort()
		if err != nil || port < lowestPort || port > highestPort {
			t.Fatalf("port %d, %v", port, err)
		}
	}
}
