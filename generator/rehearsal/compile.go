package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
)

// CompileFlags are those of the package that an emitted project makes.
var CompileFlags = []string{"build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags", "-s -w -buildid="}

// Compile builds the program in dir as an emitted project does its function, but for
// this machine.
func Compile(ctx context.Context, dir, output string) error {
	cmd := exec.CommandContext(ctx, "go", append(slices.Clone(CompileFlags), "-o", output, ".")...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return errors.New("the function is built with Go, and there is no go command")
	case err != nil:
		return fmt.Errorf("building the function: %w\n%s", err, out)
	}
	return nil
}
