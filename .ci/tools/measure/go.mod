module github.com/rotasmith/rotasmith/.ci/tools/measure

go 1.26.0
