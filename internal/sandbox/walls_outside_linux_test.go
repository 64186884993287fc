package sandbox_test

var neighbourAttempts = []attempt{
	{name: "read the neighbour's code where the host keeps it", stops: "a root of its own",
		code: `out = tries(lambda: os.listdir(v['code']), lambda: open(v['code'] + '/app.py'))`, want: "ENOENT"},
	{name: "find the neighbour's code beside its own", stops: "a root of its own",
		code: `out = sorted(os.listdir('/var')), os.listdir('/var/task') == os.listdir('.'), b'secret-in-' in open('/var/task/app.py', 'rb').read()`,
		want: "(['runtime', 'task'], True, False)|(['task'], True, False)"},
	{name: "read the neighbour's /tmp", stops: "a /tmp of its own",
		code: `out = everywhere(b'secret-in-tmp'), os.path.exists('/tmp/secret')`, want: "([], False)"},
	{name: "read the neighbour's environment variables", stops: "PID namespace, hidepid",
		code: `out = everywhere(b'secret-in-the-' + b'environment')`, want: "[]"},
	{name: "read the neighbour's credentials", stops: "PID namespace, hidepid",
		code: `out = everywhere(b'neighbours-secret' + b'-key'), os.environ['AWS_SECRET_ACCESS_KEY']`, want: "([], 'secret')"},
	{name: "read memory by /proc/<pid>/mem", stops: "PID namespace; the supervisor cannot be read",
		code: `
def other(pid): return lambda: open(f'/proc/{pid}/mem', 'rb').read(1)
out = tries(*[other(n) for n in range(1, 300) if n != os.getpid() and not os.path.exists(f'/proc/{os.getpid()}/task/{n}')])`, want: refused},
	{name: "read and write memory by process_vm_readv and process_vm_writev", stops: "seccomp",
		code: `out = calls(*[(n, pid, 0, 0, 0, 0, 0) for n in (310, 311) for pid in range(1, 50)])`, want: "EPERM"},
	{name: "kill every process number there is", stops: "PID namespace; the kernel drops what is sent to the first process",
		code: `
def kill(pid): return lambda: os.kill(pid, 9)
out = tries(*[kill(n) for n in range(2, 5000) if n != os.getpid()])`, want: "EPERM ESRCH|ESRCH|ESRCH ok|EPERM ESRCH ok"},
	{name: "connect to the neighbour's abstract socket", stops: "network namespace",
		code: `out = outcome(lambda: socket.socket(socket.AF_UNIX).connect('\0neighbour'))`, want: "ECONNREFUSED"},
	{name: "connect to the neighbour's port", stops: "network namespace",
		code: `out = tcp('127.0.0.1', 8765), tcp('169.254.76.1', 8765)`, want: "('ECONNREFUSED', 'ECONNREFUSED')|('ECONNREFUSED', 'ENETUNREACH')"},
	{name: "attach the neighbour's System V shared memory", stops: "IPC namespace",
		code: `out = outcome(lambda: 1 / (libc.shmget(4242, 0, 0) + 1))`, want: "ZeroDivisionError"},
	{name: "open the neighbour's message queue", stops: "IPC namespace",
		code: `out = libc.mq_open(b'/neighbour', os.O_RDWR), errno.errorcode[ctypes.get_errno()]`, want: "(-1, 'ENOENT')"},
	{name: "find what another environment of the same function left", stops: "one invocation at a time in an environment; nothing shared",
		code: `out = os.path.exists('/tmp/mine'); open('/tmp/mine', 'w').write('x'); time.sleep(0.3)`, want: "False",
		beside: func(w *walls) {
			if got := w.try(`out = os.path.exists('/tmp/mine'); time.sleep(0.6); os._exit(0)`); got != "Runtime.ExitError" {
				w.t.Errorf("beside it: %q", got)
			}
		}},
}

var hostAttempts = []attempt{
	{name: "read the host's passwords", stops: "a root of its own",
		code: `out = tries(*reads('/etc/shadow', '/etc/gshadow', '/etc/sudoers', '/etc/ssh/ssh_host_rsa_key')), 'sbx_user1051' in open('/etc/passwd').read()`,
		want: "('ENOENT', True)"},
	{name: "read the data directory and other temporary files", stops: "a root of its own",
		code: `out = outcome(lambda: os.listdir(v['data'] + '/.')) if v['data'] != '/tmp' else 'ENOENT' if not [f for f in os.listdir('/tmp') if f.startswith('cirro')] else f`, want: "ENOENT"},
	{name: "reach home directories, logs and the host's run-time files", stops: "a root of its own",
		code: `out = tries(*[lambda p=p: os.listdir(p) for p in ('/root', '/home', '/var/log', '/var/lib', '/run', '/boot', '/mnt', '/srv')])`, want: "ENOENT"},
	{name: "speak with Docker, containerd, systemd or D-Bus", stops: "a root of its own",
		code: `out = tries(*[lambda p=p: socket.socket(socket.AF_UNIX).connect(p) for p in ('/var/run/docker.sock', '/run/containerd/containerd.sock', '/run/systemd/private', '/run/dbus/system_bus_socket')])`, want: "ENOENT"},
	{name: "read the host's devices", stops: "seven device files, and no others",
		code: `out = tries(*reads('/dev/mem', '/dev/kmsg', '/dev/sda', '/dev/vda', '/dev/loop0', '/dev/fuse', '/dev/kvm', '/dev/net/tun', '/dev/tty', '/dev/ptmx'))`, want: "ENOENT"},
	{name: "make device files", stops: "no capabilities",
		code: `out = tries(lambda: os.mknod('/tmp/b', 0o660 | stat.S_IFBLK, os.makedev(8, 0)), lambda: os.mknod('/tmp/c', 0o660 | stat.S_IFCHR, os.makedev(1, 1)))`, want: refused},
	{name: "use a descriptor that leads out", stops: "descriptors are closed on exec, and none is passed on",
		code: `
links = []
for fd in os.listdir('/proc/self/fd'):
    try: links.append((int(fd), os.readlink('/proc/self/fd/' + fd)))
    except OSError: pass
out = [(fd, l) for fd, l in links if not l.startswith(('pipe:', 'socket:', '/var/', '/tmp/', '/usr/', '/proc/', '/dev/null', '/dev/urandom', 'anon_inode:[eventpoll]'))]`, want: "[]"},
	{name: "speak with the zygote or the platform by an inherited socket", stops: "it is closed before the function's code is loaded",
		code: `
found = []
for fd in os.listdir('/proc/self/fd'):
    try: s = socket.socket(fileno=os.dup(int(fd)))
    except OSError: continue
    if s.family == socket.AF_UNIX: found.append((fd, s.getpeername()))
    s.close()
out = found`, want: "[]"},
	{name: "find the zygote that it was forked from", stops: "PID namespace: its parent has no number there",
		code: `out = os.getppid() in (0, 1), tries(*[lambda d=d: os.readlink(f'/proc/{os.getppid()}/{d}') for d in ('exe', 'cwd', 'fd/3')])`, want: "(True, 'ENOENT')|(True, 'EACCES')|(True, 'EACCES ENOENT')"},
	{name: "go out by /proc/<pid>/root and /proc/<pid>/cwd", stops: "PID namespace, hidepid; the supervisor cannot be read",
		code: `
own = {os.getpid()}
out = tries(*[lambda p=f'/proc/{n}/{d}/etc/shadow': open(p) for n in range(1, 64) for d in ('root', 'cwd')])`, want: refused},
	{name: "read the kernel's memory and symbols", stops: "covered with /dev/null; the kernel's own pointers are hidden",
		code: `out = {open(p, 'rb').read(64) for p in ('/proc/kcore', '/proc/keys') if os.path.exists(p)} <= {b''}, {l.split()[0].strip(b'0') for l in (open('/proc/kallsyms', 'rb').readlines()[:100] if os.path.exists('/proc/kallsyms') else [])} <= {b''}`, want: "(True, True)"},
	{name: "reboot by /proc/sysrq-trigger", stops: "read-only /proc, covered with /dev/null",
		code: `out = outcome(lambda: os.write(os.open('/proc/sysrq-trigger', os.O_WRONLY), b'b'))`, want: refused},
	{name: "have the host run a program on a crash (core_pattern, modprobe)", stops: "read-only /proc",
		code: `out = tries(*[lambda p=p: open(p, 'w').write('|/tmp/x') for p in ('/proc/sys/kernel/core_pattern', '/proc/sys/kernel/modprobe', '/proc/sys/kernel/hotplug') if os.path.exists(p)])`, want: refused},
	{name: "change the kernel's settings", stops: "read-only /proc",
		code: `out = tries(*[lambda p=p: open(p, 'w').write('1') for p in ('/proc/sys/net/ipv4/ip_forward', '/proc/sys/vm/overcommit_memory', '/proc/sys/kernel/hostname', '/proc/sys/kernel/ns_last_pid', '/proc/sys/fs/file-max') if os.path.exists(p)])`, want: refused},
	{name: "be spared by the out-of-memory killer", stops: "read-only /proc",
		code: `out = outcome(lambda: open('/proc/self/oom_score_adj', 'w').write('-1000'))`, want: refused},
	{name: "see the host's processes", stops: "PID namespace, hidepid",
		code: `out = [p for p in os.listdir('/proc') if p.isdigit() and int(p) > 1000], outcome(lambda: open('/proc/1/environ', 'rb').read(1)) in ('ENOENT', 'EACCES')`, want: "([], True)"},
	{name: "kill the first process of the jail", stops: "the kernel drops signals to a first process that it does not handle",
		code: `out = tries(*[lambda n=n: os.kill(1, n) for n in (9, 15, 19, 11, 2)])`, want: "ok|EPERM|ok EPERM|EPERM ok"},
	{name: "kill all there is (kill -1)", stops: "PID namespace: only the function itself ends",
		code: `os.kill(-1, 9); os.kill(os.getpid(), 9); time.sleep(5); out = 'alive'`, want: "ESRCH|Runtime.ExitError"},
	{name: "escape the control groups", stops: "no /sys, a cgroup namespace, mount is refused",
		code: `
groups = {l.split(':')[2].strip() for l in open('/proc/self/cgroup')}
out = groups, tries(lambda: os.listdir('/sys/fs/cgroup')), call(165, b'cgroup', b'/tmp', b'cgroup2', 0, 0)`, want: "({'/'}, 'ENOENT', 'EPERM')"},
	{name: "read the machine's hardware and firmware", stops: "no /sys",
		code: `out = tries(*[lambda p=p: os.listdir(p) for p in ('/sys', '/sys/class/dmi', '/sys/kernel/debug', '/sys/firmware')])`, want: "ENOENT"},
	{name: "type into the terminal the platform was started from", stops: "a session of its own, no terminal; seccomp refuses TIOCSTI",
		code: `out = tries(lambda: fcntl.ioctl(0, 0x5412, b'x'), lambda: fcntl.ioctl(1, 0x5412, b'x'), lambda: fcntl.ioctl(0, 0x541c, b'x'))`, want: "EPERM"},
}

var networkAttempts = []attempt{
	{name: "connect to a port on the host's loopback", stops: "network namespace: 127.0.0.1 is the jail's own",
		code: `out = tcp('127.0.0.1', v['port']), tcp('127.0.0.2', v['port']), tcp('0.0.0.0', v['port']), tcp('localhost', v['port'])`,
		want: "('ECONNREFUSED', 'ECONNREFUSED', 'ECONNREFUSED', 'ECONNREFUSED')"},
	{name: "connect to a port on the host's own addresses", stops: "egress policy",
		code: `out = tcp(v['own'], v['port'])`, want: refused},
	{name: "connect to the host's abstract sockets", stops: "network namespace, landlock",
		code: `out = outcome(lambda: socket.socket(socket.AF_UNIX).connect('\0' + v['abstract']))`, want: refused},
	{name: "ask a metadata service (169.254.169.254 and others)", stops: "egress policy; no IPv6 route",
		code: `out = ' '.join(sorted({tcp(a, 80) for a in ('169.254.169.254', '169.254.170.2', '100.100.100.200', '168.63.129.16', '192.0.0.192')})), tcp('fd00:ec2::254', 80)`,
		want: refused},
	{name: "send datagrams to metadata and the host", stops: "egress policy",
		code: `
def send(a, p):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1); s.connect((a, p)); s.send(b'x'); s.recv(1)
out = tries(lambda: send('169.254.169.254', 80), lambda: send(v['own'], v['port']), lambda: send('169.254.78.1', 54))`, want: refused},
	{name: "reach other machines by multicast and broadcast", stops: "egress policy, no route",
		code: `
def send(a):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1); s.settimeout(0.2); s.sendto(b'x', (a, 5353)); s.recv(1)
out = tries(lambda: send('224.0.0.251'), lambda: send('255.255.255.255'))`, want: refused},
	{name: "open packet and raw sockets", stops: "seccomp, no capabilities",
		code: `out = tries(lambda: socket.socket(17, socket.SOCK_RAW)), tries(lambda: socket.socket(2, socket.SOCK_RAW, 1), lambda: socket.socket(10, socket.SOCK_RAW, 58))`, want: "('EAFNOSUPPORT', 'EPERM')"},
	{name: "open sockets that pass by the network namespace (vsock, AF_ALG, Bluetooth)", stops: "seccomp",
		code: `out = tries(*[lambda f=f: socket.socket(f, socket.SOCK_STREAM) for f in (40, 31, 41, 44)], lambda: socket.socket(38, socket.SOCK_SEQPACKET))`, want: "EAFNOSUPPORT"},
	{name: "change the network by netlink", stops: "no capabilities",
		code: `
def ask(kind, body):
    s = socket.socket(16, socket.SOCK_RAW, 0)
    s.send(struct.pack('=IHHII', 16 + len(body), kind, 5, 1, 0) + body)
    code = struct.unpack_from('=i', s.recv(4096), 16)[0]
    if code: raise OSError(-code, '')
link = struct.pack('=BxHiII', 0, 0, 1, 0, 1)
out = tries(lambda: ask(16, link), lambda: ask(17, link), lambda: ask(20, struct.pack('=BBBBI', 2, 8, 0, 0, 1)))`, want: "EPERM"},
	{name: "listen to the host's device and audit events", stops: "seccomp: of netlink only addresses and routes",
		code: `
def heard(protocol):
    s = socket.socket(16, socket.SOCK_RAW, protocol); s.bind((0, 1)); s.settimeout(0.1); s.recv(100)
out = tries(lambda: heard(9), lambda: heard(15), lambda: heard(16), lambda: heard(4))`, want: "EPROTONOSUPPORT"},
	{name: "take the network device down or over", stops: "no capabilities",
		code: `
s = socket.socket()
out = tries(lambda: fcntl.ioctl(s, 0x8914, struct.pack('16sh14x', b'egress0', 0)), lambda: fcntl.ioctl(s, 0x8914, struct.pack('16sh14x', b'lo', 0)), lambda: s.setsockopt(socket.SOL_SOCKET, 36, 1))`, want: refused},
	{name: "take over the platform's ports inside", stops: "they are taken; what listens there is the jail's own",
		code: `
def bind(p, again): s = socket.socket(); again and s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1); s.bind(('127.0.0.1', p)); s.listen()
out = tries(lambda: bind(9001, 0), lambda: bind(9001, 1), lambda: bind(4566, 1))`, want: "EADDRINUSE"},
}
