package serverstest

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/rotasmith/rotasmith/generator/rehearsal/servers"
)

// RunFerretDB runs commands on the database admin.
func (s Server) RunFerretDB(ctx context.Context, login servers.Login, commands ...bson.D) error {
	return s.onFerretDB(ctx, login, func(admin *mongo.Database) error {
		for _, command := range commands {
			if err := admin.RunCommand(ctx, command).Err(); err != nil {
				return fmt.Errorf("%s: %w", command[0].Key, err)
			}
		}
		return nil
	})
}

func (s Server) onFerretDB(ctx context.Context, login servers.Login, do func(admin *mongo.Database) error) error {
	client, err := mongo.Connect(options.Client().ApplyURI(s.URL(login, "admin")))
	if err != nil {
		return err
	}
	return errors.Join(do(client.Database("admin")), client.Disconnect(context.WithoutCancel(ctx)))
}

func (s Server) resetFerretDB(ctx context.Context) error {
	return s.onFerretDB(ctx, s.Admin, func(admin *mongo.Database) error {
		var all struct {
			Users []struct{ User, DB string }
		}
		if err := admin.RunCommand(ctx, bson.D{{Key: "usersInfo", Value: 1}}).Decode(&all); err != nil {
			return err
		}
		for _, user := range all.Users {
			if user.User == s.Admin.User {
				continue
			}
			if err := admin.RunCommand(ctx, bson.D{{Key: "dropUser", Value: user.User}}).Err(); err != nil {
				return err
			}
		}
		return nil
	})
}
