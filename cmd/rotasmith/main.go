// Command rotasmith writes complete projects that rotate secrets in AWS Secrets Manager.
package main

import (
	"os"

	"github.com/rotasmith/rotasmith/cmd"
)

func main() {
	os.Exit(cmd.Main(os.Args[1:], cmd.OS()))
}
