package sandbox_test

var kernelAttempts = []attempt{
	{name: "mount a file system", stops: "seccomp", code: `out = calls((165, b'x', b'/tmp', b'tmpfs', 0, 0), (165, b'/', b'/tmp', b'', 4096, 0), (165, b'', b'/', b'', 32 | 4096, 0))`, want: "EPERM"},
	{name: "mount by the newer calls", stops: "seccomp", code: `out = calls((428, -100, b'/', 1), (429, -1, b'', -100, b'/tmp', 4), (430, b'tmpfs', 0), (431, 0, 0, b'', b'', 0), (432, 0, 0, 0), (433, -100, b'/', 0), (442, -100, b'/', 0, 0, 32))`, want: "EPERM"},
	{name: "unmount /proc or /tmp to see what is under it", stops: "seccomp", code: `out = calls((166, b'/proc', 2), (166, b'/tmp', 2), (166, b'/', 2))`, want: "EPERM"},
	{name: "change the root (chroot, pivot_root)", stops: "seccomp", code: `out = calls((161, b'/tmp'), (155, b'/tmp', b'/tmp'))`, want: "EPERM"},
	{name: "make namespaces (unshare, clone)", stops: "seccomp", code: `out = calls(*[(272, f) for f in (0x10000000, 0x20000, 0x40000000, 0x20000000, 0x08000000, 0x04000000, 0x02000000)], *[(56, f | 17, 0, 0, 0, 0) for f in (0x10000000, 0x20000, 0x40000000)])`, want: "EPERM"},
	{name: "make a child of the platform's, which nobody in the jail takes away (clone with CLONE_PARENT)", stops: "seccomp", code: `
r = libc.syscall(56, 0x8000 | 17, 0, 0, 0, 0)
if r == 0: os._exit(0)
out = r`, want: "-1"},
	{name: "make namespaces by clone3", stops: "seccomp", code: `out = call(435, struct.pack('11Q', 0x10000000, *[0] * 10), 88)`, want: "ENOSYS"},
	{name: "enter another namespace (setns)", stops: "seccomp, no /proc of others", code: `out = calls((308, os.open('/proc/self/ns/net', 0), 0), (308, os.open('/proc/self/ns/mnt', 0), 0)), tries(*[lambda n=n: os.open('/proc/1/ns/' + n, 0) for n in ('net', 'mnt', 'pid')])`, want: refused},
	{name: "trace a process, even a child", stops: "seccomp", code: `
child = os.fork()
if child == 0: signal.pause(); os._exit(0)
out = calls((101, 16, child, 0, 0), (101, 16, 1, 0, 0), (101, 0, 0, 0, 0), (101, 0x4206, child, 0, 0))
os.kill(child, 9); os.waitpid(child, 0)`, want: "EPERM"},
	{name: "take descriptors of another process (pidfd_getfd)", stops: "seccomp", code: `out = call(438, call(434, 1, 0) == 'ok' and 3 or 3, 0, 0)`, want: "EPERM"},
	{name: "compare and look into processes (kcmp, move_pages, migrate_pages, process_madvise)", stops: "seccomp", code: `out = calls((312, 1, 1, 0, 0, 0), (279, 1, 0, 0, 0, 0, 0), (256, 1, 0, 0, 0), (440, -1, 0, 0, 0, 0))`, want: "EPERM"},
	{name: "load a program into the kernel (bpf)", stops: "seccomp", code: `out = calls((321, 5, 0, 0), (321, 0, b' ' * 64, 64))`, want: "EPERM"},
	{name: "use kernel keyrings (keyctl, add_key, request_key)", stops: "seccomp", code: `out = calls((250, 0, -3, 1), (248, b'user', b'x', b'y', 1, -3), (249, b'user', b'x', 0, 0))`, want: "EPERM"},
	{name: "use io_uring", stops: "seccomp", code: `out = calls((425, 8, b'\0' * 120), (426, 3, 1, 0, 0, 0), (427, 3, 0, 0, 0))`, want: "EPERM"},
	{name: "use userfaultfd", stops: "seccomp", code: `out = calls((323, 0), (323, 1))`, want: "EPERM"},
	{name: "measure others by perf_event_open", stops: "seccomp", code: `out = calls((298, b'\0' * 128, -1, 0, -1, 0), (298, b'\0' * 128, 0, -1, -1, 0))`, want: "EPERM"},
	{name: "load another kernel (kexec)", stops: "seccomp", code: `out = calls((246, 0, 0, 0, 0), (320, -1, -1, 0, 0, 0))`, want: "EPERM"},
	{name: "load a kernel module", stops: "seccomp", code: `out = calls((175, b'', 0, b''), (313, 0, b'', 0), (176, b'x', 0))`, want: "EPERM"},
	{name: "open files by handle, as the Shocker exploit does", stops: "seccomp", code: `out = call(304, -100, struct.pack('=IIQ', 8, 1, 2), 0)`, want: "EPERM"},
	{name: "watch the whole file system (fanotify)", stops: "seccomp", code: `out = calls((300, 0, 0), (300, 0x200, 0))`, want: "EPERM"},
	{name: "manage quotas, swap and accounting", stops: "seccomp", code: `out = calls((179, 0, 0, 0, 0), (443, 0, 0, 0, 0), (167, b'/tmp/x', 0), (168, b'/tmp/x'), (163, b'/tmp/x'))`, want: "EPERM"},
	{name: "switch off address randomisation's help (personality)", stops: "seccomp", code: `out = calls((135, 0x0400000), (135, 0x20000), (135, 0x0100000))`, want: "EPERM"},
	{name: "call by i386's numbers", stops: "seccomp kills the process", code: `
m = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
m.write(b'\xb8\x14\x00\x00\x00\xcd\x80\xc3')
out = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))()`, want: "Runtime.ExitError"},
	{name: "call by x32's numbers", stops: "seccomp", code: `out = calls((0x40000000 + 39,), (0x40000000 + 101, 0, 0, 0, 0), (0x40000000 + 165, 0, 0, 0, 0, 0))`, want: "ENOSYS"},
	{name: "use system calls that are newer than the filter", stops: "seccomp", code: `out = calls((471,), (500,), (1000,))`, want: "ENOSYS"},
	{name: "use the processor's ports and descriptor tables (iopl, ioperm, modify_ldt)", stops: "seccomp", code: `out = calls((172, 3), (173, 0x80, 1, 1), (154, 1, 0, 0))`, want: "EPERM"},
	{name: "change the clock", stops: "seccomp, no capabilities", code: `out = tries(lambda: time.clock_settime(0, 0)), calls((164, 0, 0), (305, 0, 0), (159, 0))`, want: "('EPERM', 'EPERM')"},
	{name: "change the host's name", stops: "seccomp, UTS namespace", code: `out = tries(lambda: socket.sethostname('x')), call(171, b'x', 1)`, want: "('EPERM', 'EPERM')"},
	{name: "reboot the machine, hang the terminal up", stops: "seccomp", code: `out = calls((169, 0xfee1dead, 672274793, 0x1234567, 0), (153,))`, want: "EPERM"},
	{name: "read the kernel's log", stops: "seccomp, no device", code: `out = calls((103, 2, 0, 0), (103, 10, 0, 0)), tries(*reads('/dev/kmsg', '/proc/kmsg'))`, want: refused},
	{name: "become root", stops: "no capabilities, no other user in the namespace", code: `out = tries(lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setgroups([0]), lambda: os.setresuid(0, 0, 0), lambda: os.seteuid(0))`, want: refused},
	{name: "become root by a set-user-ID program", stops: "no_new_privs; all mounts are nosuid", code: `
mounts = [os.statvfs(p).f_flag & os.ST_NOSUID for p in ('/', '/usr', '/bin', '/var/task', '/tmp', '/proc', '/etc/ssl') if os.path.exists(p)]
open('/tmp/id', 'wb').write(open('/usr/bin/id', 'rb').read()); os.chmod('/tmp/id', 0o6755)
ran = [subprocess.run([p, '-u'], capture_output=True, text=True).stdout.strip() for p in ('/tmp/id', '/usr/bin/id')]
out = all(mounts), set(ran) == {str(os.getuid())}, 'NoNewPrivs:\t1' in open('/proc/self/status').read()`, want: "(True, True, True)"},
	{name: "regain capabilities", stops: "an empty bounding set, no_new_privs", code: `
header = struct.pack('=Ii', 0x20080522, 0)
raised = call(126, header, struct.pack('=6I', 0xffffffff, 0xffffffff, 0, 0xff, 0xff, 0))
out = raised, call(157, 38, 0, 0, 0, 0), call(157, 47, 2, 21, 0, 0), {l.split()[1] for l in open('/proc/self/status') if l.startswith('Cap')}`, want: "('EPERM', 'EINVAL', 'EPERM', {'0000000000000000'})"},
	{name: "take the filter off, or one's own dumps on", stops: "seccomp filters only add up; limits are hard", code: `
out = open('/proc/self/status').read().split('Seccomp:\t')[1][0], outcome(lambda: resource.setrlimit(resource.RLIMIT_CORE, (1, 1)))`, want: "('2', 'ValueError')"},
	{name: "leave a core dump", stops: "RLIMIT_CORE is 0", code: `
child = os.fork()
if child == 0: os.chdir('/tmp'); os.abort()
_, status = os.waitpid(child, 0)
out = os.WCOREDUMP(status), glob.glob('/tmp/core*')`, want: "(False, [])"},
	{name: "raise limits", stops: "they are hard limits; others' cannot be set", code: `
out = tries(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1 << 20, 1 << 20)), lambda: resource.prlimit(1, resource.RLIMIT_NOFILE, (9, 9)))`, want: refused},
	{name: "take the processor by priority or real time", stops: "no capabilities", code: `
out = tries(lambda: os.setpriority(os.PRIO_PROCESS, 0, -20), lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))), call(251, 1, 0, 1 << 13)`, want: refused},
	{name: "pin memory", stops: "RLIMIT_MEMLOCK, and memory counts for the group", code: `out = call(149, 0, 0) == 'ok' or call(151, 3) in ('ENOMEM', 'EPERM', 'EAGAIN', 'ok')`, want: "True"},
}

var fileAttempts = []attempt{
	{name: "change its own code, layers, programs and configuration", stops: "read-only mounts, landlock",
		code: `out = tries(*[lambda p=p: open(p, 'a') for p in ('/var/task/app.py', '/var/task/new', '/usr/bin/new', '/etc/passwd', '/etc/resolv.conf', '/new', '/var/new', '/dev/new', '/proc/new')])`, want: refused},
	{name: "remove and rename what is not its own", stops: "read-only mounts, landlock",
		code: `out = tries(lambda: os.unlink('/var/task/app.py'), lambda: os.rename('/etc/hosts', '/tmp/hosts'), lambda: os.rmdir('/tmp'), lambda: os.chmod('/var/task/app.py', 0), lambda: os.utime('/var/task/app.py'))`, want: refused},
	{name: "make the mounts writable again", stops: "seccomp", code: `out = calls((165, b'', b'/var/task', b'', 32 | 4096, 0), (442, -100, b'/', 0x8000, struct.pack('4Q', 0, 1, 0, 0), 32))`, want: "EPERM"},
	{name: "go out by a link in /tmp", stops: "links lead nowhere but in its own root",
		code: `
os.symlink('/etc/shadow', '/tmp/l'); os.symlink('../../../../../etc/shadow', '/tmp/m'); os.symlink('/proc/1/root/etc/shadow', '/tmp/n')
out = tries(*reads('/tmp/l', '/tmp/m', '/tmp/n')); [os.unlink('/tmp/' + n) for n in 'lmn']`, want: refused},
	{name: "go out by links in the package", stops: "links lead nowhere but in its own root",
		code: `out = tries(*reads('/var/task/absolute', '/var/task/upwards')), sorted(os.listdir('/var/task/up')) == sorted(os.listdir('/')), os.path.exists('/var/task/up/root')`, want: "('ENOENT', True, False)"},
	{name: "keep a file by a hard link", stops: "other mounts",
		code: `out = tries(lambda: os.link('/etc/passwd', '/tmp/p'), lambda: os.link('/var/task/app.py', '/tmp/q'))`, want: refused},
	{name: "overwrite the program it was started from (/proc/self/exe)", stops: "read-only mounts, landlock",
		code: `out = tries(lambda: os.open('/proc/self/exe', os.O_WRONLY), lambda: os.open('/proc/self/exe', os.O_RDWR | os.O_TRUNC), lambda: os.open('/proc/1/exe', os.O_WRONLY))`, want: refused},
	{name: "make a file in /tmp that runs as somebody else", stops: "nosuid, nodev, no capabilities",
		code: `
open('/tmp/s', 'w').write('x')
out = tries(lambda: os.chown('/tmp/s', 0, 0), lambda: os.setxattr('/tmp/s', 'security.capability', b'\x01\0\0\2' + b'\xff' * 16), lambda: os.setxattr('/tmp/s', 'trusted.x', b'x'))`, want: refused},
}
