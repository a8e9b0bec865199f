// Command pins writes the go.mod.tmpl and go.sum of every engine and provider below the repository named by its first argument, or of
// those alone that the other arguments name, such as engines/postgres.
//
// An emitted project has the versions that this repository is tested with, and of those only what it imports. All
// strategies of an engine get the same two files, so what only one of them imports counts too.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

const module = "github.com/rotasmith/rotasmith"

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: pins REPOSITORY [engines/NAME | providers/NAME ...]")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "pins:", err)
		os.Exit(1)
	}
}

func run(repository string, targets []string) error {
	if len(targets) == 0 {
		var err error
		if targets, err = all(repository); err != nil {
			return err
		}
	}
	for _, target := range targets {
		if err := pin(repository, target); err != nil {
			return fmt.Errorf("%s: %w", target, err)
		}
	}
	return nil
}

// all returns every engine and provider.
func all(repository string) ([]string, error) {
	var targets []string
	for _, kind := range []string{"engine", "provider"} {
		manifests, err := filepath.Glob(filepath.Join(repository, "templates", kind+"s", "*", kind+".yaml"))
		if err != nil {
			return nil, err
		}
		for _, manifest := range manifests {
			targets = append(targets, path.Join(kind+"s", filepath.Base(filepath.Dir(manifest))))
		}
	}
	if targets == nil {
		return nil, errors.New("no engine and no provider below " + repository)
	}
	return targets, nil
}

// pin lets the go command tidy a module that imports what the projects of a target, such as engines/postgres, import.
func pin(repository, target string) error {
	imports, err := external(repository, target)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "pins-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	var source strings.Builder
	source.WriteString("package main\n\n")
	for _, path := range imports {
		fmt.Fprintf(&source, "import _ %q\n", path)
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(source.String()), 0o600); err != nil {
		return err
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(repository, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return err
		}
	}
	if _, err := goCommand(dir, "mod", "tidy"); err != nil {
		return err
	}
	// A module whose version is raised only by others' dependencies need not be named here.
	listed, err := goCommand(dir, "list", "-m", "-f", "{{if not .Main}}{{.Path}}{{end}}", "all")
	if err != nil {
		return err
	}
	own, err := os.ReadFile(filepath.Join(repository, "go.mod"))
	if err != nil {
		return err
	}
	for path := range strings.FieldsSeq(listed) {
		if !strings.Contains(string(own), "\t"+path+" ") {
			if _, err := goCommand(dir, "mod", "edit", "-droprequire="+path); err != nil {
				return err
			}
		}
	}
	if _, err := goCommand(dir, "mod", "tidy"); err != nil {
		return err
	}

	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return err
	}
	mod = []byte(strings.Replace(string(mod), "module "+module+"\n", "module {{.Module}}\n", 1))
	sum, err := os.ReadFile(filepath.Join(dir, "go.sum"))
	if err != nil {
		return err
	}
	common := filepath.Join(repository, "templates", filepath.FromSlash(target), "common")
	return errors.Join(
		os.WriteFile(filepath.Join(common, "go.mod.tmpl"), mod, 0o644),
		os.WriteFile(filepath.Join(common, "go.sum"), sum, 0o644),
	)
}

// external returns the import paths of other modules in the layers of a target's projects, tests included, sorted.
func external(repository, target string) ([]string, error) {
	layers := []string{"./templates/project/...", "./templates/" + target + "/..."}
	// All other packages of the templates that it needs are layers that it includes.
	needed, err := goCommand(repository, "list", "-deps", "-test", "-f", "{{.ImportPath}}", "./templates/"+target+"/...")
	if err != nil {
		return nil, err
	}
	for path := range strings.FieldsSeq(needed) {
		for _, shared := range []string{"strategies", "protocols"} {
			if below, ok := strings.CutPrefix(path, module+"/templates/"+shared+"/"); ok {
				layer, _, _ := strings.Cut(below, "/")
				layers = append(layers, "./templates/"+shared+"/"+layer+"/...")
			}
		}
	}
	slices.Sort(layers)
	layers = slices.Compact(layers)
	out, err := goCommand(repository, append([]string{"list",
		"-f", `{{range .Imports}}{{println .}}{{end}}{{range .TestImports}}{{println .}}{{end}}{{range .XTestImports}}{{println .}}{{end}}`},
		layers...)...)
	if err != nil {
		return nil, err
	}
	var paths []string
	for path := range strings.FieldsSeq(out) {
		domain, _, _ := strings.Cut(path, "/")
		if strings.Contains(domain, ".") && !strings.HasPrefix(path, module+"/") {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths), nil
}

func goCommand(dir string, args ...string) (string, error) {
	command := exec.Command("go", args...)
	command.Dir = dir
	command.Env = append(os.Environ(), "GOWORK=off")
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w", strings.Join(args[:min(2, len(args))], " "), err)
	}
	return string(out), nil
}
