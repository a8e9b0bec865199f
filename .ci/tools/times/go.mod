module github.com/rotasmith/rotasmith/.ci/tools/times

go 1.26.0
