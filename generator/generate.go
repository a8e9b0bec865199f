package generator

import "io/fs"

// Result is a whole project in memory.
type Result struct {
	Spec  *Spec
	Plan  Plan
	Files []File
}

// Generate runs the pipeline from answers to files. root is the import path of the top folder of fsys.
func Generate(fsys fs.FS, root string, answers Answers) (*Result, error) {
	c, err := Open(fsys, root)
	if err != nil {
		return nil, err
	}
	return c.Generate(answers)
}

// Generate runs the pipeline from answers to files.
func (c *Catalog) Generate(answers Answers) (*Result, error) {
	spec, err := c.NewSpec(answers)
	if err != nil {
		return nil, err
	}
	plan, err := c.NewPlan(spec)
	if err != nil {
		return nil, err
	}
	files, err := c.Render(spec, plan)
	if err != nil {
		return nil, err
	}
	return &Result{Spec: spec, Plan: plan, Files: files}, nil
}
