package cmd

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/generator/rehearsal/servers"
	"github.com/rotasmith/rotasmith/generator/rehearsal/servers/serverstest"
	results "github.com/rotasmith/rotasmith/generator/report"
)

// service builds the program in testdata and returns the flags that rehearse it.
func service(t *testing.T, mode string) []string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "service")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./testdata/service").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return []string{"--app", fmt.Sprintf("%s %s %d", program, mode, port), "--check", fmt.Sprintf("http://127.0.0.1:%d/orders", port)}
}

// TestRehearse rehearses applications that do, and do not, read their secret anew, on one
// user and on two. The outputs say the same, and hold no password.
func TestRehearse(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a server and a minute")
	}
	serverstest.Start(t, servers.Postgres) // skips the test where none can be started
	for _, kind := range []string{"rds-single-user", "rds-two-user"} {
		for mode, want := range map[string]int{"again": exitDone, "once": exitDifferent, "never": exitFailed} {
			if kind == "rds-two-user" && mode == "never" {
				continue // the same
			}
			t.Run(kind+", "+mode, func(t *testing.T) {
				dir, out := filepath.Join(t.TempDir(), "orders-db"), t.TempDir()
				if code, _, errOut := rotate(t, "new", "orders-db", "--type", kind, "--engine", "postgres", "--no-input", "--dir", dir); code != exitDone {
					t.Fatal(errOut)
				}
				files := map[string]string{"json": filepath.Join(out, "r.json"), "junit": filepath.Join(out, "r.xml"), "report": filepath.Join(out, "r.html")}
				args := append([]string{"rehearse", dir, "--faults", "none", "--rotations", "1"}, service(t, mode)...)
				for flag, file := range files {
					args = append(args, "--"+flag, file)
				}
				code, said, errOut := rotate(t, args...)
				if code != want {
					t.Fatalf("exit code %d, want %d\n%s%s", code, want, said, errOut)
				}
				if mode == "never" {
					if !strings.Contains(errOut, "your program never asked") {
						t.Errorf("it says %q", errOut)
					}
					return
				}
				var r results.Rehearsal
				text, err := os.ReadFile(files["json"])
				if err == nil {
					err = json.Unmarshal(text, &r)
				}
				if err != nil || r.App == nil || r.App.Requests < 50 || r.App.Rotations != 5 || (r.App.Failed > 0) != (mode == "once") || r.App.SMCalls == 0 {
					t.Errorf("%v: %+v", err, r.App)
				}
				t.Log(said)
				for _, file := range files {
					text, err := os.ReadFile(file)
					if err != nil || strings.Contains(string(text), "SCRAM-SHA-256$") || strings.Contains(string(text), `"password"`) {
						t.Errorf("%s: %v", file, err)
					}
				}
			})
		}
	}
}

// TestRehearseUsage refuses what does not fit together, before anything is built.
func TestRehearseUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	newProject(t, ".")
	for _, args := range [][]string{
		{"--faults", "kil"}, {"--faults", "quick,kill"}, {"--rotations", "0"}, {"--app", "./server"}, {"--check", "http://x"},
		{"--app", "x", "--check", "localhost:80"}, {"--rate", "0"}, {"--allow-failed", "-1"}, {"--time", "0s"}, {"missing"},
		{"--target", "http://x"}, {"--target", "postgres://admin@prod-1.example.com/postgres"}, {"--target", "model", "--only", "kill:1"},
	} {
		code, out, errOut := rotate(t, append([]string{"rehearse"}, args...)...)
		if code != exitUsage || strings.Count(errOut, "rotasmith: error: ") != 1 || !strings.Contains(errOut, "rotasmith: hint: ") {
			t.Errorf("%q: exit code %d\n%s%s", args, code, out, errOut)
		}
	}
}
