// Package templates embeds the layers that rotasmith's projects are made of. The path of a file below its layer is its path in
// the emitted project. The package holds no logic: package generator reads the layers.
package templates

import "embed"

// Root is the import path of this folder: what imports between layers begin with until a project is emitted.
const Root = "github.com/rotasmith/rotasmith/templates"

// FS holds every layer, what was retired, and what has changed. Folders are named with all: because a scaffold has dot-files; a go.mod inside one would silently drop
// that folder, so an emitted go.mod stands here as go.mod.tmpl.
//
//go:embed all:project all:strategies all:protocols all:engines all:providers all:features retired.yaml CHANGELOG.yaml
var FS embed.FS
