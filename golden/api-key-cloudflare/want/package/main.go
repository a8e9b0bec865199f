// Command package builds the function for Lambda and puts it into dist/function.zip, with the same bytes on every
// machine that has the same version of Go: Terraform deploys anew whenever the bytes differ.
//
//	go run ./package
package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// The runtime provided.al2023 starts the executable of this name.
const executable = "bootstrap"

func main() {
	if err := run("dist"); err != nil {
		fmt.Fprintln(os.Stderr, "package:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	bootstrap := filepath.Join(dir, executable)
	if err := build(bootstrap); err != nil {
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
	function := filepath.Join(dir, "function.zip")
	if err := os.WriteFile(function, archive, 0o644); err != nil {
		return err
	}
	_, err = fmt.Fprintf(os.Stdout, "%s: %.2f MB, unpacked %.2f MB\n", function, megabytes(archive), megabytes(binary))
	return err
}

// build compiles the program of the working directory for Lambda on arm64. Whatever a machine's own settings could
// change in the result is set here.
func build(output string) error {
	compiler := exec.Command("go", "build",
		"-trimpath", "-buildvcs=false",
		"-tags", "lambda.norpc", // leaves out the interface of Lambda's former Go runtime
		"-ldflags", "-s -w -buildid=",
		"-o", output, ".")
	compiler.Env = append(os.Environ(),
		"CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm64", "GOARM64=v8.0",
		"GOFLAGS=-mod=readonly", "GOEXPERIMENT=", "GOFIPS140=off", "GOWORK=off")
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
