// Command manual writes rotasmith's man pages and shell completions below a folder, for the archives of a release.
package main

import (
	"log"
	"os"
	"path/filepath"

	"github.com/spf13/cobra/doc"

	"github.com/rotasmith/rotasmith/cmd"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: manual DIR")
	}
	if err := write(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func write(dir string) error {
	man, completions := filepath.Join(dir, "man"), filepath.Join(dir, "completions")
	for _, folder := range []string{man, completions} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	root := cmd.Root()
	root.DisableAutoGenTag = true // it holds the date
	if err := doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "rotasmith", Manual: "rotasmith"}, man); err != nil {
		return err
	}
	for name, generate := range map[string]func(path string) error{
		"rotasmith.bash": func(path string) error { return root.GenBashCompletionFileV2(path, true) },
		"_rotasmith":     root.GenZshCompletionFile,
		"rotasmith.fish": func(path string) error { return root.GenFishCompletionFile(path, true) },
		"rotasmith.ps1":  root.GenPowerShellCompletionFileWithDesc,
	} {
		if err := generate(filepath.Join(completions, name)); err != nil {
			return err
		}
	}
	return nil
}
