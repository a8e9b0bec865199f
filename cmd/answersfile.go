package cmd

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/rotasmith/rotasmith/generator"
)

// stdinPatience is how long answers may take to come from stdin before it is said that they are waited for.
const stdinPatience = time.Second

// maxAnswers bounds what is read as an answers file, in bytes.
const maxAnswers = 1 << 20

func (a *app) readAnswers(ctx context.Context, file string) (generator.Answers, error) {
	const hint = "name a file with --answers, or - for stdin"
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
