// Service is an application as many are: each request logs in to the database anew.
// Its first argument says when it reads the secret: "once", at its start; "never", for it
// has a password of its own; or "again", when it is refused, until that changes.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/jackc/pgx/v5/pgconn"
)

// secret is what the service reads.
type secret struct {
	Username, Password, Host, DBName string
	Port                             int
}

type service struct {
	client *secretsmanager.Client
	again  bool

	mu   sync.Mutex
	last secret
}

func main() {
	ctx := context.Background()
	settings, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		log.Fatal(err)
	}
	s := &service{client: secretsmanager.NewFromConfig(settings), again: os.Args[1] == "again"}
	if os.Args[1] != "never" {
		if err := s.read(ctx); err != nil {
			log.Fatal(err)
		}
	}
	http.HandleFunc("/orders", func(w http.ResponseWriter, r *http.Request) {
		if err := s.work(r.Context()); err != nil && os.Args[1] != "never" {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[2], nil))
}

func (s *service) read(ctx context.Context) error {
	out, err := s.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(os.Getenv("SECRET_ID"))})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return json.Unmarshal([]byte(*out.SecretString), &s.last)
}

func (s *service) current() secret {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// work logs in, with one secret after the other until one is taken.
func (s *service) work(ctx context.Context) error {
	for {
		tried := s.current()
		conn, err := pgconn.Connect(ctx, fmt.Sprintf("postgres://%s:%s@%s:%d/%s?sslmode=verify-full", tried.Username, tried.Password, tried.Host, tried.Port, tried.DBName))
		if err == nil {
			return conn.Close(ctx)
		}
		refused, ok := errors.AsType[*pgconn.PgError](err)
		if !s.again || !ok || refused.Code != "28P01" {
			return err
		}
		for s.current() == tried {
			select {
			case <-time.After(50 * time.Millisecond):
			case <-ctx.Done():
				return ctx.Err()
			}
			if err := s.read(ctx); err != nil {
				return err
			}
		}
	}
}
