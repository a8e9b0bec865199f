// Package generator turns answers into a project, in one direction:
//
//	Answers -> NewSpec (typed, every fault at once) -> NewPlan (sorted entries) -> Render (files in memory) -> Write
//
// Plan and Render are pure: the same template tree and the same answers give the same bytes, whatever the clock, the environment, the
// locale, the network or the folder. Only Write touches the disk, and it does so once everything is known to be right.
//
// The package knows no engine, no type of rotation and no file by name: it finds them in the template tree that it is given. It runs no
// program, no hook and nothing that a template asks for, and never overwrites a file.
package generator
