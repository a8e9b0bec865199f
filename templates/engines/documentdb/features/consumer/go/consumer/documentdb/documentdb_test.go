package documentdb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/rotasmith/rotasmith/templates/features/consumer/go/consumer"
)

const sentinel = "-sentinel-2b6e"

// manager is a Secrets Manager with one password. A version is the password.
type manager struct {
	mu      sync.Mutex
	current string
	place   string // in the secret
}

func (m *manager) GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	value := fmt.Sprintf(`{"username": "orders", "password": "%s%s"%s}`, m.current, sentinel, m.place)
	return &secretsmanager.GetSecretValueOutput{VersionId: aws.String(m.current), SecretString: &value}, nil
}

func (m *manager) show(version string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.current = version
}

// What the caller's options say stays, and the secret supplies what they lack.
func TestOptions(t *testing.T) {
	m := &manager{current: "v1", place: `, "host": "db.example.com", "port": 27018`}
	secret := consumer.New(m, "orders", consumer.Options{})
	v, err := secret.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	base := options.Client().SetAuth(options.Credential{AuthSource: "shop"})
	with, err := New(secret, base).with(v)
	if err != nil {
		t.Fatal(err)
	}
	if a := with.Auth; a.Username != "orders" || a.Password != "v1"+sentinel || a.AuthSource != "shop" || with.Hosts[0] != "db.example.com:27018" {
		t.Errorf("user %q, source %q, hosts %q", a.Username, a.AuthSource, with.Hosts)
	}
	if base.Auth.Username != "" || base.Hosts != nil {
		t.Error("the caller's options are changed")
	}
	with, err = New(secret, options.Client().SetHosts([]string{"other:1"})).with(v)
	if err != nil || with.Hosts[0] != "other:1" {
		t.Errorf("hosts %q, %v", with.Hosts, err)
	}
}

// (R8) Only a rejected log-in is repeated.
func TestRejected(t *testing.T) {
	for err, want := range map[error]bool{
		nil:                           false,
		errors.New("no connection"):   false,
		&mongo.CommandError{Code: 13}: false,
		fmt.Errorf("ping: %w", error(mongo.CommandError{Code: 18})): true,
	} {
		if got := rejected(err); got != want {
			t.Errorf("%v: %t", err, got)
		}
	}
}

// (R9) An error of a server that cannot be reached holds no password.
func TestErrorsHoldNoPassword(t *testing.T) {
	m := &manager{current: "v1", place: `, "host": "127.0.0.1", "port": 1`}
	client := New(consumer.New(m, "orders", consumer.Options{}), options.Client().SetServerSelectionTimeout(100*time.Millisecond))
	err := client.Do(t.Context(), func(context.Context, *mongo.Client) error {
		t.Error("there is a client")
		return nil
	})
	if err == nil || strings.Contains(fmt.Sprintf("%+v", err), sentinel) {
		t.Errorf("got %v", err)
	}
	if err := client.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
