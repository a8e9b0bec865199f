module github.com/rotasmith/rotasmith/.ci/tools/rds-ca

go 1.26.0
