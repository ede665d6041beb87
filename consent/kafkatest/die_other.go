//go:build !linux

package kafkatest

import "os/exec"

// dieWithUs does nothing: only Linux can.
func dieWithUs(*exec.Cmd) {}
