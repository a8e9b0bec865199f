// Command measure writes the sample project and prints its size beside what is aimed at. It fails if a figure is above its aim.
//
//	measure REPOSITORY
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"text/tabwriter"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: measure REPOSITORY")
	}
	above, err := measure(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	if above > 0 {
		log.Fatalf("%d figures are above their aim", above)
	}
}

// figure is one that is measured.
type figure struct {
	name      string
	got, most float64
}

func measure(repository string) (above int, err error) {
	dir, err := os.MkdirTemp("", "measure-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	cmd := exec.Command("go", "run", "./cmd/rotasmith", "new", "orders-db", "--type", "rds-two-user", "--engine", "postgres", "--no-input", "--json", "--dir", dir)
	cmd.Dir, cmd.Stderr = repository, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, err
	}
	var report struct {
		Cost float64 `json:"usd_a_month"`
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return 0, err
	}
	figures, err := count(os.DirFS(dir))
	if err != nil {
		return 0, err
	}
	figures = append(figures, figure{"US dollars a month", report.Cost, 2})
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	defer w.Flush()
	fmt.Fprintln(w, "rds-two-user postgres\tnow\tat most")
	for _, f := range figures {
		mark := ""
		if f.got > f.most {
			above, mark = above+1, "\tabove"
		}
		fmt.Fprintf(w, "%s\t%.4g\t%.4g%s\n", f.name, f.got, f.most, mark)
	}
	return above, nil
}

// count counts a project's files and lines.
func count(project fs.FS) ([]figure, error) {
	var files, rootFiles, lambda, readme float64
	folders := make(map[string]bool)
	err := fs.WalkDir(project, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		if top, _, nested := strings.Cut(name, "/"); nested {
			folders[top] = true
		} else {
			rootFiles++
		}
		text, err := fs.ReadFile(project, name)
		lines := float64(bytes.Count(text, []byte("\n")))
		switch {
		case name == "README.md":
			readme = lines
		case runsInLambda(name):
			lambda += lines
		}
		return err
	})
	return []figure{
		{"files", files, 95},
		{"files at the root", rootFiles, 12},
		{"folders at the root", float64(len(folders)), 5},
		{"lines of Go that run in Lambda, with comments", lambda, 3600},
		{"lines of README.md", readme, 150},
	}, err
}

// runsInLambda reports whether a file is part of the function: no test, no double (a package named after the one around it and "test"), no
// command for make.
func runsInLambda(name string) bool {
	folder := path.Dir(name)
	double := path.Base(folder) == path.Base(path.Dir(folder))+"test"
	return filepath.Ext(name) == ".go" && !strings.HasSuffix(name, "_test.go") && !double && !strings.HasPrefix(name, "tools/")
}
