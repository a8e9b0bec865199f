package generator

import (
	"testing"

	"github.com/rotasmith/rotasmith/generator/generatortest"
)

const testRoot = generatortest.Root

var testTree = generatortest.Tree

func openTree(t *testing.T, changes map[string]string) *Catalog {
	t.Helper()
	c, err := Open(testTree(changes), testRoot)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func pairAnswers(more ...string) Answers { return Texts(generatortest.Pair(more...)) }

func generate(t *testing.T, answers Answers) map[string]File {
	t.Helper()
	result, err := NewRenderer(openTree(t, nil)).Generate(answers)
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]File)
	for _, f := range result.Files {
		files[f.Path] = f
	}
	return files
}
