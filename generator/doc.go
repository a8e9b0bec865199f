// Package generator turns answers into a project, in one direction:
//
//	Answers -> Resolution (what is wrong, what is next) -> Spec (typed) -> Plan (sorted entries) -> files in memory
//
// A Catalog is what a template tree offers: it resolves answers and makes nothing. A Renderer makes files. Both are pure: the same template
// tree and the same answers give the same bytes, whatever the clock, the environment, the locale, the network or the folder. Package
// project writes them to the disk, once everything is known to be right.
//
// The package knows no engine, no type of rotation and no file by name: it finds them in the template tree that it is given. It runs no
// program, no hook and nothing that a template asks for.
package generator
