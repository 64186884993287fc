package postgrestest

import "syscall"

// endWithParent lets a process end with who started it, however that ends.
func endWithParent(p *syscall.SysProcAttr) { p.Pdeathsig = syscall.SIGQUIT }
