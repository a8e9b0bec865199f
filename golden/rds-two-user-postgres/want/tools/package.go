package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// executable is what the runtime provided.al2023 starts.
const executable = "bootstrap"

// buildPackage builds the function for Lambda and puts it into dist/function.zip, with the same bytes on every machine that
// has the same version of Go: Terraform deploys anew whenever the bytes differ.
func buildPackage(ctx context.Context, _ []string) error {
	bootstrap, function := filepath.Join("dist", executable), filepath.Join("dist", "function.zip")
	if err := build(ctx, bootstrap); err != nil {
		return err
	}
	binary, err := os.ReadFile(bootstrap)
	if err != nil {
		return err
	}
	archive, err := pack(binary)
	if err != nil {
		return err
	}
	if err := os.WriteFile(function, archive, 0o644); err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "%s: %.2f MB, unpacked %.2f MB\n", function, megabytes(archive), megabytes(binary))
	return nil
}

// build compiles the program of the working directory for Lambda on arm64. Settings of the machine, a workspace around the
// project among them, change nothing in the result.
func build(ctx context.Context, output string) error {
	modules := "-mod=readonly"
	if _, err := os.Stat("vendor/modules.txt"); err == nil {
		modules = "-mod=vendor"
	}
	compiler := exec.CommandContext(ctx, "go", "build",
		"-trimpath", "-buildvcs=false",
		"-tags", "lambda.norpc", // leaves out the interface of Lambda's previous Go runtime
		"-ldflags", "-s -w -buildid=",
		"-o", output, ".")
	compiler.Env = append(os.Environ(),
		"CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm64", "GOARM64=v8.0",
		"GOFLAGS="+modules, "GOEXPERIMENT=", "GOFIPS140=off", "GOWORK=off")
	compiler.Stdout, compiler.Stderr = os.Stdout, os.Stderr
	if err := compiler.Run(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}
	return nil
}

// pack returns a zip file that holds the executable and depends on nothing but its bytes.
func pack(binary []byte) ([]byte, error) {
	header := &zip.FileHeader{
		Name:     executable,
		Method:   zip.Deflate,
		Modified: time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC), // the earliest that the format knows
	}
	header.SetMode(0o755)
	var archive bytes.Buffer
	writer := zip.NewWriter(&archive)
	writer.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(w, flate.BestCompression)
	})
	file, err := writer.CreateHeader(header)
	if err != nil {
		return nil, err
	}
	if _, err := file.Write(binary); err != nil {
		return nil, err
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return archive.Bytes(), nil
}

func megabytes(b []byte) float64 { return float64(len(b)) / 1e6 }
