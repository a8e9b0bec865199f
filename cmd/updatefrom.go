package cmd

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// commandPackage is what go run makes another version of this program from.
const commandPackage = "github.com/rotasmith/rotasmith/cmd/rotasmith"

// from returns what lets another version of this program write a project. It is the only thing in update that uses the network: the go command may
// download that version.
func (a *app) from(version string) func(ctx context.Context, answers []byte, files []string) (map[string][]byte, error) {
	return func(ctx context.Context, answers []byte, files []string) (texts map[string][]byte, err error) {
		temp, err := os.MkdirTemp("", "rotasmith-")
		if err != nil {
			return nil, err
		}
		defer func() { _ = os.RemoveAll(temp) }() // it is temporary
		const given = "answers.yaml"
		if err := os.WriteFile(filepath.Join(temp, given), answers, 0o600); err != nil {
			return nil, err
		}
		c := exec.CommandContext(ctx, "go", "run", commandPackage+"@"+version, "new", "--no-input", "--answers", given, "--dir", "project")
		c.Dir = temp
		var said bytes.Buffer
		c.Stderr = &said
		if err := c.Run(); err != nil {
			lines := strings.Split(strings.TrimSpace(said.String()), "\n")
			return nil, &hinted{fmt.Errorf("rotasmith %s cannot write the project: %w: %s", version, err, lines[0]),
				"go must be installed, and able to download " + commandPackage + "@" + version, exitFailed}
		}
		texts = make(map[string][]byte)
		for _, file := range files {
			if text, err := os.ReadFile(filepath.Join(temp, "project", filepath.FromSlash(file))); err == nil {
				texts[file] = text
			}
		}
		return texts, nil
	}
}
