//go:build !unix

package play

import "os/exec"

func shell(command string) *exec.Cmd { return exec.Command("cmd", "/c", command) }

func killAll(cmd *exec.Cmd) { _ = cmd.Process.Kill() } // fails only if it has ended
