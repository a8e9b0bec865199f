module github.com/rotasmith/rotasmith/.ci/tools/pins

go 1.26.0
