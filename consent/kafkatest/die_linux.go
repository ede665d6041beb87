package kafkatest

import (
	"os/exec"
	"syscall"
)

// dieWithUs keeps a process from outliving a test binary that is killed or runs out of time.
func dieWithUs(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}
