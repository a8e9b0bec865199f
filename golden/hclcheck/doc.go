// Package hclcheck judges a Terraform configuration without Terraform: in memory,
// in milliseconds, so that every combination of answers can be judged in a plain
// go test.
//
//	schema, err := hclcheck.ParseSchema(recorded)
//	for _, finding := range schema.Check(files) { ... }
//
// It finds what Terraform's core finds with the provider's schema: arguments and
// blocks that do not exist, that are missing or of the wrong type, references to
// what is not declared. It also finds the three kinds of fault that only the code
// of the real provider finds (values outside an enumeration, ARNs that are none,
// arguments that exclude each other), and what no Terraform finds at all: a rule
// for events that never come, and a policy wider than it needs to be.
//
// [Module.Evaluate] answers what a deployment would consist of, with made-up
// values for what AWS would fill in.
//
// Not here: modules that call modules, provisioners, provider aliases, and state.
package hclcheck
