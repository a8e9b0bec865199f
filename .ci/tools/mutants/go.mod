module github.com/rotasmith/rotasmith/.ci/tools/mutants

go 1.26.0
