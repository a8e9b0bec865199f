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

// place moves the folders that hold Go packages to where these stand in the project, with everything in them.
func (p Plan) place() {
	packages := make(map[string]bool) // folders of layers, the topmost
	for _, e := range p {
		if top, _, nested := strings.Cut(e.Path, "/"); nested && path.Ext(e.Path) == ".go" {
			packages[top] = true
		}
	}
	for i, e := range p {
		if top, _, _ := strings.Cut(e.Path, "/"); packages[top] {
			p[i].Path = placePackage(e.Path)
		}
	}
}

// placePackage maps the path of a Go package in a layer, or of a file in its folder, to its path in the project.
func placePackage(inLayer string) string {
	if top, _, _ := strings.Cut(inLayer, "/"); slices.Contains(rootFolders, top) {
		return inLayer
	}
	return Internal + inLayer
}

// staysHere reports whether a file of a layer is left out of every project, because it proves the templates and not code that an owner may
// change. Such a file is run where it stands. It is either a test of a double (a package named after its parent and "test", as httptest
// is) or has "_proof" in its name.
func staysHere(source string) bool {
	folder, name := path.Split(source)
	folder = path.Clean(folder)
	double := path.Base(folder) == path.Base(path.Dir(folder))+"test"
	return double && strings.HasSuffix(name, "_test.go") || strings.Contains(name, "_proof")
}
