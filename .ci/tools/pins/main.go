// Command pins writes the go.mod.tmpl and go.sum of every engine below the repository named by its only argument.
//
// An emitted project has the versions that this repository is tested with, and of those only what it imports. Both
// strategies of an engine get the same two files, so what only one of them imports counts too.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const module = "github.com/rotasmith/rotasmith"

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: pins REPOSITORY")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "pins:", err)
		os.Exit(1)
	}
}

func run(repository string) error {
	manifests, err := filepath.Glob(filepath.Join(repository, "templates", "engines", "*", "engine.yaml"))
	if err != nil {
		return err
	}
	if len(manifests) == 0 {
		return errors.New("no engine below " + repository)
	}
	for _, manifest := range manifests {
		if err := pin(repository, filepath.Dir(manifest)); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(filepath.Dir(manifest)), err)
		}
	}
	return nil
}

// pin lets the go command tidy a module that imports what the engine's projects import.
func pin(repository, engine string) error {
	imports, err := external(repository, filepath.Base(engine))
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
	// What only other engines' dependencies have raised to its version need not be named here.
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
	return errors.Join(
		os.WriteFile(filepath.Join(engine, "common", "go.mod.tmpl"), mod, 0o644),
		os.WriteFile(filepath.Join(engine, "common", "go.sum"), sum, 0o644),
	)
}

// external returns the import paths of other modules in the layers of an engine's projects, tests included, sorted.
func external(repository, engine string) ([]string, error) {
	layers := []string{"./templates/project/...", "./templates/strategies/...", "./templates/engines/" + engine + "/..."}
	// Whatever else the engine needs of the templates is a layer that it includes.
	needed, err := goCommand(repository, "list", "-deps", "-f", "{{.ImportPath}}", "./templates/engines/"+engine+"/...")
	if err != nil {
		return nil, err
	}
	for path := range strings.FieldsSeq(needed) {
		if protocol, ok := strings.CutPrefix(path, module+"/templates/protocols/"); ok {
			layer, _, _ := strings.Cut(protocol, "/")
			layers = append(layers, "./templates/protocols/"+layer+"/...")
		}
	}
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
