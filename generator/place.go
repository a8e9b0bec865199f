package generator

import (
	"path"
	"slices"
	"strings"
)

// Internal is the folder of a project below which the Go packages of the layers stand, with a slash. So no other code can come to depend on
// them, and the root of the project holds what its owner works with. Every other path in a layer is the path in the project.
const Internal = "internal/"

// rootFolders are the folders of Go packages that stand at the root all the same: the project's command, what its owner writes (an API or
// its description), and what an application imports.
var rootFolders = []string{"tools", "custom", "generic", "consumer"}

// place moves the folders that hold Go packages below internal/, with all that is in them.
func (p Plan) place() {
	var packages []string // folders
	for _, e := range p {
		if top, _, nested := strings.Cut(e.Path, "/"); nested && path.Ext(e.Path) == ".go" && !slices.Contains(rootFolders, top) {
			packages = append(packages, top)
		}
	}
	for i, e := range p {
		if top, _, nested := strings.Cut(e.Path, "/"); nested && slices.Contains(packages, top) {
			p[i].Path = Internal + e.Path
		}
	}
}

// placePackage returns where the Go package in a folder of a layer stands in the project.
func placePackage(folder string) string {
	if top, _, _ := strings.Cut(folder, "/"); slices.Contains(rootFolders, top) {
		return folder
	}
	return Internal + folder
}

// staysHere reports whether a file of a layer is in no project, since it proves the templates and not what an owner may change: a test of a
// double, which is a package that is named after the one around it and "test", as httptest is; and what has "_proof" in its name. It is run
// where it stands.
func staysHere(source string) bool {
	folder, name := path.Split(source)
	folder = path.Clean(folder)
	double := path.Base(folder) == path.Base(path.Dir(folder))+"test"
	return double && strings.HasSuffix(name, "_test.go") || strings.Contains(name, "_proof")
}
