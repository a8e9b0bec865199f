package cmd

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rotasmith/rotasmith/generator"
)

// stdinPatience is how long answers may take to come from stdin before it is said that they are waited for.
const stdinPatience = time.Second

// maxAnswers bounds what is read as an answers file, in bytes.
const maxAnswers = 1 << 20

// answersVariable lists answers files for every run.
const answersVariable = "ROTASMITH_ANSWERS"

// sharedFile has answers for whatever is made in its folder and below.
const sharedFile = ".rotasmith.yaml"

// readLayers returns the answers of the files of the command line, each file over those before it.
func (a *app) readLayers(ctx context.Context, files []string) (generator.Answers, error) {
	if n := slices.Index(files, "-"); n >= 0 && slices.Contains(files[n+1:], "-") {
		return nil, usagef("keep one of them", "--answers - is given twice")
	}
	var answers generator.Answers
	for _, file := range files {
		layer, err := a.readAnswers(ctx, file, "name a file with --answers, or - for stdin")
		if err != nil {
			return nil, err
		}
		answers = layer.Over(answers)
	}
	return answers, nil
}

// sharedAnswers returns the answers of the nearest shared file and, over it, of the files that the environment names. It says on stderr
// that there are such: they are not on the command line.
func (a *app) sharedAnswers(ctx context.Context) (generator.Answers, error) {
	var answers generator.Answers
	add := func(file, hint string) error {
		layer, err := a.readAnswers(ctx, file, hint)
		answers = layer.Shared().Over(answers)
		return err
	}
	file, err := nearest(sharedFile)
	if err != nil {
		return nil, err
	}
	if file != "" {
		if err := add(file, "make it a file that can be read, or remove it"); err != nil {
			return nil, err
		}
		fmt.Fprintf(a.Err, "rotasmith: note: answers of %s\n", file)
	}
	named := slices.DeleteFunc(filepath.SplitList(a.Getenv(answersVariable)), func(file string) bool { return file == "" })
	for _, file := range named {
		if err := add(file, "name files that are there in "+answersVariable+", or unset it"); err != nil {
			return nil, err
		}
	}
	if len(named) > 0 {
		fmt.Fprintf(a.Err, "rotasmith: note: answers of %s, which %s names\n", strings.Join(named, " and "), answersVariable)
	}
	return answers, nil
}

// nearest finds the file of a name in the working folder or, else, in the next folder above that has one; empty if none has.
func nearest(name string) (string, error) {
	dir, err := filepath.Abs(".")
	if err != nil {
		return "", err
	}
	for up := "."; ; up = filepath.Join("..", up) {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && !info.IsDir() {
			return filepath.ToSlash(filepath.Join(up, name)), nil
		}
		if dir == filepath.Dir(dir) {
			return "", nil
		}
		dir = filepath.Dir(dir)
	}
}

func (a *app) readAnswers(ctx context.Context, file, hint string) (generator.Answers, error) {
	name, in := "stdin", a.In
	switch file {
	case "":
		return nil, usagef(hint, "--answers is empty")
	case "-":
		waiting := time.AfterFunc(stdinPatience, func() {
			fmt.Fprintln(a.Err, "rotasmith: note: waiting for answers on stdin, up to its end")
		})
		defer waiting.Stop()
	default:
		f, err := os.Open(file)
		if err != nil {
			return nil, &hinted{err, hint, exitUsage}
		}
		defer func() { _ = f.Close() }() // it was only read
		name, in = file, f
	}
	data, err := readAll(ctx, io.LimitReader(in, maxAnswers+1))
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, &hinted{err, hint, exitUsage}
	}
	if len(data) > maxAnswers {
		return nil, usagef("it should hold one line a question", "%s: longer than %d bytes", name, maxAnswers)
	}
	return generator.ParseAnswers(name, data)
}

// readAll reads until the end or until ctx is done: the other end of a pipe on stdin may stay open.
func readAll(ctx context.Context, in io.Reader) ([]byte, error) {
	type content struct {
		data []byte
		err  error
	}
	done := make(chan content, 1)
	go func() {
		data, err := io.ReadAll(in)
		done <- content{data, err}
	}()
	select {
	case c := <-done:
		return c.data, c.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
