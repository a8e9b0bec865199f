package documentdb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/rotasmith/rotasmith/templates/engines/documentdb/common/documentdb/documentdbtest"
	"github.com/rotasmith/rotasmith/templates/features/consumer/go/consumer"
)

// connect returns a client of a server that takes version v1 as password.
func connect(t *testing.T, o consumer.Options) (*documentdbtest.Server, *manager, *Client) {
	t.Helper()
	server := documentdbtest.New(t)
	server.AddUser("orders", "v1"+sentinel)
	at := server.Account("", "")
	m := &manager{current: "v1", place: fmt.Sprintf(`, "host": %q, "port": %d`, at.Host, at.Port)}
	client := New(consumer.New(m, "orders", o), options.Client().SetDirect(true).SetHeartbeatInterval(500*time.Millisecond).
		SetTLSConfig(&tls.Config{RootCAs: server.Roots, ServerName: documentdbtest.Name}))
	t.Cleanup(func() {
		if err := client.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return server, m, client
}

func usersInfo(ctx context.Context, client *mongo.Client) error {
	return client.Database("admin").RunCommand(ctx, bson.D{{Key: "usersInfo", Value: "orders"}}).Err()
}

// (R3, R10) Connections that are open outlive a rotation. When others are needed, one client that logs in takes the place of the one that cannot,
// for all goroutines, and the gap is bridged.
func TestClientIsReplaced(t *testing.T) {
	server, m, client := connect(t, consumer.Options{})
	var mu sync.Mutex
	used := make(map[*mongo.Client]bool)
	request := func() {
		if err := client.Do(t.Context(), func(ctx context.Context, c *mongo.Client) error {
			err := usersInfo(ctx, c)
			mu.Lock()
			defer mu.Unlock()
			used[c] = used[c] || err == nil
			return err
		}); err != nil {
			t.Error(err)
		}
	}
	request()
	server.AddUser("orders", "v2"+sentinel)
	request() // on the connection that was open

	begun, release := make(chan struct{}), make(chan struct{})
	var held atomic.Bool
	server.Answer(func(command bson.D) (bson.D, error) {
		if command[0].Key == "usersInfo" && held.CompareAndSwap(false, true) {
			close(begun)
			<-release
		}
		return nil, nil
	})
	var busy, others sync.WaitGroup
	busy.Go(request) // keeps that connection
	<-begun
	time.AfterFunc(70*time.Millisecond, func() { m.show("v2") })
	for range 10 {
		others.Go(request)
	}
	others.Wait()
	close(release)
	busy.Wait()
	if len(used) != 2 {
		t.Errorf("%d clients", len(used))
	}
	for _, worked := range used {
		if !worked {
			t.Error("a client took no command")
		}
	}
}

// (R5, R9) When waiting is over, the error is the server's and holds no password.
func TestServersErrorComesBack(t *testing.T) {
	server, _, client := connect(t, consumer.Options{Wait: 100 * time.Millisecond})
	server.AddUser("orders", "another")
	err := client.Do(t.Context(), usersInfo)
	if !rejected(err) || !errors.Is(err, consumer.ErrRejected) || strings.Contains(fmt.Sprint(err), sentinel) {
		t.Errorf("got %v", err)
	}
}
