// Package documentdb logs an application in to DocumentDB or MongoDB with a secret that is rotated. The driver takes a credential when a client is
// made and at no other time, so this holds a client, and makes another one when the server rejects its log-ins.
package documentdb

import (
	"context"
	"errors"
	"net"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/rotasmith/rotasmith/templates/features/consumer/go/consumer"
)

// grace is how long a client lives on for the calls that have it, after another one has taken its place.
const grace = time.Minute

// Client holds a [mongo.Client]. It may be used by any number of goroutines.
type Client struct {
	secret  *consumer.Secret
	options *options.ClientOptions

	held chan *mongo.Client // the one in use, nil at first; the goroutine that has taken it out logs in
}

// New returns a client that is not connected yet. base needs no credential: user name and password are those of the secret, and so are the
// hosts if base has none. Of a credential in base the rest is kept, such as AuthSource.
func New(secret *consumer.Secret, base *options.ClientOptions) *Client {
	c := &Client{secret: secret, options: base, held: make(chan *mongo.Client, 1)}
	c.held <- nil
	return c
}

// Do calls f with a client that has logged in, and calls it again with another one if a command was not sent because the server rejected a
// log-in. f must not keep the client.
func (c *Client) Do(ctx context.Context, f func(context.Context, *mongo.Client) error) error {
	var used *mongo.Client
	var err error
	for range 3 {
		if used, err = c.other(ctx, used); err != nil {
			return err
		}
		if err = f(ctx, used); !rejected(err) && !poolCleared(err) {
			return err
		}
	}
	return err
}

// Close ends the client in use.
func (c *Client) Close(ctx context.Context) error {
	client := <-c.held
	c.held <- nil
	if client == nil {
		return nil
	}
	return client.Disconnect(ctx)
}

// other returns another client than used: the one that another caller has made meanwhile, or a new one.
func (c *Client) other(ctx context.Context, used *mongo.Client) (*mongo.Client, error) {
	var client *mongo.Client
	select {
	case client = <-c.held:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if client != used {
		c.held <- client
		return client, nil
	}
	client, err := consumer.Do(ctx, c.secret, rejected, c.logIn)
	if err != nil {
		c.held <- used
		return nil, err
	}
	c.held <- client
	if used != nil {
		time.AfterFunc(grace, func() { _ = used.Disconnect(context.Background()) })
	}
	return client, nil
}

// logIn makes a client, and proves that it logs in.
func (c *Client) logIn(ctx context.Context) (*mongo.Client, error) {
	v, err := c.secret.Get(ctx)
	if err != nil {
		return nil, err
	}
	with, err := c.with(v)
	if err != nil {
		return nil, err
	}
	client, err := mongo.Connect(with)
	if err != nil {
		return nil, err
	}
	if err := client.Ping(ctx, nil); err != nil {
		_ = client.Disconnect(context.WithoutCancel(ctx))
		return nil, err
	}
	return client, nil
}

// with returns the options with what a version says.
func (c *Client) with(v consumer.Version) (*options.ClientOptions, error) {
	with := *c.options
	credential := options.Credential{PasswordSet: true}
	if with.Auth != nil {
		credential = *with.Auth
	}
	var err error
	if credential.Username, credential.Password, err = v.Login(); err != nil {
		return nil, err
	}
	with.Auth = &credential
	if len(with.Hosts) > 0 {
		return &with, nil
	}
	host, err := v.Field("host")
	if err != nil {
		return nil, err
	}
	port, err := v.Field("port")
	if err != nil {
		port = "27017"
	}
	with.Hosts = []string{net.JoinHostPort(host, port)}
	return &with, nil
}

// rejected reports whether the server rejected the user or the password.
// https://www.mongodb.com/docs/manual/reference/error-codes/
func rejected(err error) bool {
	const authenticationFailed = 18
	answer, ok := errors.AsType[mongo.CommandError](err)
	return ok && answer.Code == authenticationFailed
}

// poolCleared reports whether a command got no connection because a log-in failed on another one: the driver then gives up all that are idle.
// Only these of its errors are Retryable.
// https://pkg.go.dev/go.mongodb.org/mongo-driver/v2/x/mongo/driver#RetryablePoolError
func poolCleared(err error) bool {
	_, ok := errors.AsType[interface {
		error
		Retryable() bool
	}](err)
	return ok
}
