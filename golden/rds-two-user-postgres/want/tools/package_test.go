package main

import (
	"archive/zip"
	"bytes"
	"io"
	"testing"
)

func TestPackIsAFunctionOfTheExecutable(t *testing.T) {
	binary := bytes.Repeat([]byte("machine code "), 1000)
	archive, err := pack(binary)
	if err != nil {
		t.Fatal(err)
	}
	again, err := pack(binary)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(archive, again) {
		t.Error("the same executable packed twice gives different bytes")
	}

	files, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	if len(files.File) != 1 || files.File[0].Name != "bootstrap" {
		t.Fatalf("the archive holds %d files, want bootstrap alone", len(files.File))
	}
	bootstrap := files.File[0]
	if mode := bootstrap.Mode(); mode != 0o755 {
		t.Errorf("mode is %v, Lambda must be able to execute it", mode)
	}
	if year := bootstrap.Modified.UTC().Year(); year != 1980 {
		t.Errorf("modified in %d, which must not be the clock's year", year)
	}
	content, err := bootstrap.Open()
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(content)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, binary) {
		t.Error("the executable does not come back as it went in")
	}
}
