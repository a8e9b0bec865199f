//go:build linux

package bench

import (
	"fmt"
	"os"
	"testing"
	"time"
	"context"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/rotasmith/rotasmith/generator/rehearsal"
)

func BenchmarkZZ(b *testing.B) {
	for _, strategy := range []string{single, two} {
		b.Run(strategy, func(b *testing.B) {
			p := newPostgres(b, strategy)
			p.superuser(b, "postgres", "ALTER SYSTEM SET log_connections = on")
			p.superuser(b, "postgres", "ALTER SYSTEM SET log_duration = on")
			p.superuser(b, "postgres", "ALTER SYSTEM SET log_line_prefix = '%m %p %u@%d %e '")
			p.superuser(b, "postgres", "SELECT pg_reload_conf()")
			w := newWorld(b)
			secret := p.fresh(b, w, false)
			f := w.function(b, p.dir, p.env...)
			for i := 0; i < 4; i++ {
				w.rotate(b, f, secret, 0)
			}
			for i := 0; i < 5; i++ {
				service := &rehearsal.Service{SecretsManager: w.store, Function: f, Attempts: 1}
				c0 := cpuOf(b, f)
				service.AfterStep = func(s rehearsal.Step) {
					c := cpuOf(b, f)
					fmt.Printf("%s %v cpu %v calls %d\n", s.Name, s.Took, c-c0, w.calls.Swap(0))
					c0 = c
				}
				service.Rotate(b.Context(), secret, w.token())
			}
			old, _ := os.ReadFile(p.LogFile)
			w.rotate(b, f, secret, 0)
			now, _ := os.ReadFile(p.LogFile)
			os.WriteFile("/tmp/bproj/log-"+strategy, now[len(old):], 0o644)
			for _, mode := range []string{"disable", "verify-full"} {
				for range 6 {
					t := time.Now()
					cfg, _ := pgconn.ParseConfig(fmt.Sprintf("postgres://%s:%s@localhost:%d/postgres?sslmode=%s&sslrootcert=%s", p.Admin, p.AdminPassword, p.Port, mode, p.CAFile))
					t1 := time.Now()
					c, err := pgconn.ConnectConfig(context.Background(), cfg)
					if err != nil { b.Fatal(err) }
					t2 := time.Now()
					c.Close(context.Background())
					fmt.Println(mode, "parse", t1.Sub(t), "connect", t2.Sub(t1), "close", time.Since(t2))
				}
			}
		})
	}
}
