"""Saves the memory of a process that has loaded what a function needs, and makes other processes of it.

All that one zygote forked have the same layout in memory: what waits in a new jail can so become a copy of
a process that was initialised in another one, by replacing its own memory, from inside and without any right.
The copies share what they do not write to: it lies in a file in memory, which the platform gave, and which
it reads nothing of. Who wrote it and who reads it are of one function.

*Saving.* The process forks. The child stops in a few lines of machine code: what runs there changes no
memory. Its parent reads in /proc which pages it has, and lists the system calls that write them to the file
(the child makes those, and ends) and those that map them again. *Restoring.* A process that waits reads the
second list into a place that every process keeps free, and has the same code make the calls. That returns
where the child stood. For the interpreter it is a fork: what the standard library, and what asked
os.register_at_fork, renew in a child is renewed.

What is no memory is made anew where that can be done, and is an obstacle where not: then there is no snapshot.
"""

import array
import ctypes
import fcntl
import gc
import json
import os
import re
import signal
import socket
import stat
import sys
import time
import warnings

# Makes the system calls of a table whose address is its argument. A row has eight words: a number, six
# arguments, and the result, without which the process ends. The first row keeps the stack pointer. Number -1
# ends the table: its arguments are a stack pointer, as it was kept by whoever now returns, and what is
# returned. Number -2 writes four bytes, its second argument, to an address, its first.
_CODE = bytes.fromhex(
    "53 55 4154 4155 4156 4157"    # push rbx, rbp, r12, r13, r14, r15
    "4883ec08 0fae1c24 d97c2404"   # sub rsp, 8; stmxcsr [rsp]; fnstcw [rsp+4]
    "48896708 4889fb"              # mov [rdi+8], rsp; mov rbx, rdi
    "4883c340 488b03"              # next: add rbx, 64; mov rax, [rbx]
    "488b7b08 488b7310 488b5318"   # mov rdi, [rbx+8]; mov rsi, [rbx+16]; mov rdx, [rbx+24]
    "4c8b5320 4c8b4328 4c8b4b30"   # mov r10, [rbx+32]; mov r8, [rbx+40]; mov r9, [rbx+48]
    "4883f8ff 741e 4883f8fe 7414"  # cmp rax, -1; je done; cmp rax, -2; je poke
    "0f05 483b4338 74cd"           # syscall; cmp rax, [rbx+56]; je next
    "bf7e000000 b8e7000000 0f05"   # mov edi, 126; mov eax, 231; syscall (exit_group)
    "8937 ebbd"                    # poke: mov [rdi], esi; jmp next
    "4889fc 4889f0"                # done: mov rsp, rdi; mov rax, rsi
    "0fae1424 d96c2404 4883c408"   # ldmxcsr [rsp]; fldcw [rsp+4]; add rsp, 8
    "415f 415e 415d 415c 5d 5b c3" # pop r15, r14, r13, r12, rbp, rbx; ret
)

# System calls, by their numbers on amd64: there is code for no other processor.
_READ, _WRITE, _MMAP, _MPROTECT, _MUNMAP, _BRK, _SIGACTION, _SIGPROCMASK = 0, 1, 9, 10, 11, 12, 13, 14
_PREAD, _PWRITE, _MADVISE, _SIGALTSTACK, _ARCH_PRCTL, _EXIT = 17, 18, 28, 131, 158, 231
_DONE, _POKE = (1 << 64) - 1, (1 << 64) - 2

_PAGE = 4096
_SHARED, _PRIVATE, _FIXED, _ANONYMOUS, _NORESERVE = 1, 2, 0x10, 0x20, 0x4000
_R, _W, _X = 1, 2, 4
_LOWEST, _HIGHEST = 0x10000, 0x7ffffffff000  # of a process's memory
_DONTFORK, _WIPEONFORK = 10, 18

# The place that all keep free: the code's page, the table, data that the table points to, and what a process
# is told that is made of a snapshot.
_PLACE, _DATA, _TOLD = 16 << 20, 8 << 20, 12 << 20


class Declined(Exception):
    """Why there is no snapshot, or why none can be used here: in words for who asked for it."""


def available():
    return os.uname().machine == "x86_64" and sys.platform == "linux"


class Snapshots:
    """What every process has that the zygote forks: the zygote makes it before."""

    def prepare(self, thread_number):
        """Prepares, right before the first fork; thread_number is where the C library keeps the main thread's."""
        self.libc = ctypes.PyDLL(None, use_errno=True)  # called with the interpreter's lock held, as forks need it
        self.libc.mmap.restype = ctypes.c_void_p
        self.libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
        self.place = self._map(None, _PLACE, 0, _PRIVATE | _ANONYMOUS | _NORESERVE)
        self._map(self.place, _PAGE, _R | _W, _PRIVATE | _ANONYMOUS | _FIXED)
        ctypes.memmove(self.place, _CODE, len(_CODE))
        if self.libc.mprotect(ctypes.c_void_p(self.place), ctypes.c_size_t(_PAGE), _R | _X):
            raise OSError(ctypes.get_errno(), "mprotect")
        self.run = ctypes.PYFUNCTYPE(ctypes.c_long, ctypes.c_void_p)(self.place)
        self.table, self.data, self.told = self.place + _PAGE, self.place + _DATA, self.place + _TOLD
        self.thread_number = thread_number
        self.token = os.urandom(16).hex()  # of this zygote: what others forked has another layout
        with open("/proc/self/maps", "rb") as f:
            self.inherited = frozenset(f.read().splitlines())

    def _map(self, at, size, protection, flags):
        address = self.libc.mmap(at, size, protection, flags, -1, 0)
        if address is None or address == ctypes.c_void_p(-1).value:
            raise OSError(ctypes.get_errno(), "mmap")
        return address

    def _open(self, sharing):
        self._map(self.table, _PLACE - _PAGE, _R | _W, sharing | _FIXED | _ANONYMOUS | _NORESERVE)

    def _close(self):
        self._map(self.table, _PLACE - _PAGE, 0, _PRIVATE | _FIXED | _ANONYMOUS | _NORESERVE)

    def begin(self, told, file):
        """Does what a new process is told: it becomes one that was saved, or is to be saved, or neither.

        Returns a Saving or None; the connection to the platform is closed then, but for a Saving.
        """
        save, restore = told.get("save"), told.get("restore")
        control = _aside(3)
        if file >= 0:
            file = _aside(file)
        if save:
            return Saving(self, save, told["environment"], control, file)
        if restore:
            try:
                self.restore(file, control, {"environment": told["environment"]})
            except Declined as e:
                try:
                    os.write(control, _declined(e))
                except OSError:
                    pass
            os.close(file)
        os.close(control)
        return None

    def _call(self, number, *arguments):
        self.libc.syscall.restype = ctypes.c_long
        r = self.libc.syscall(ctypes.c_long(number), *(ctypes.c_ulong(a) for a in arguments))
        if r < 0:
            raise OSError(ctypes.get_errno(), f"system call {number}")
        return r

    # --- saving --------------------------------------------------------------------------------------

    def save(self, file, most, own):
        """Saves the process in a file of at most so many bytes; own are descriptors not to be saved.

        Returns None here. In each process that is made of the snapshot it returns what that one is told.
        """
        _obstacles()
        descriptors = _Descriptors.of(own | {file})
        for stream in sys.stdout, sys.stderr:
            try:
                stream.flush()
            except Exception:
                pass
        _renew()  # a first time takes longer: OpenSSL loads what it draws with
        gc.collect()
        gc.freeze()
        self._open(_SHARED)
        stands, go = os.pipe(), os.pipe()
        self._list([(_WRITE, stands[1], self.place, 1, 0, 0, 0, 1), (_READ, go[0], self.told, 1, 0, 0, 0, 1)])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of threads of libraries: they are looked for below
            pid = os.fork()
        if pid == 0:
            self.libc.PyOS_BeforeFork()
            self.run(self.table)
            self.libc.PyOS_AfterFork_Child()
            return self._restored()
        try:
            os.close(stands[1])
            self._save(pid, file, most, descriptors, stands[0], go[1])
        finally:
            for fd in (stands[0], *go):
                os.close(fd)
            self._close()
        return None

    def _save(self, pid, file, most, descriptors, stands, go):
        """Saves a child that stands still."""
        try:
            _no_threads()
            if not os.read(stands, 1):
                raise Declined("a library does not let its process fork")
            plan = _Plan(self, pid, file, most)
            self._list(plan.save, at=2)
            os.write(go, b".")
            _, status = os.waitpid(pid, 0)
            pid = 0
            if status:
                raise Declined("memory could not be written")
            plan.finish(descriptors)
        finally:
            if pid:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)

    def _list(self, rows, at=0):
        """Puts rows into the table, from the one of a number on; one that is none comes before all."""
        words = _words(rows)
        if (at + 2 + len(rows)) * 64 > _DATA - _PAGE:
            raise Declined("its memory is in too many parts")
        address, size = words.buffer_info()
        ctypes.memmove(self.table + 64 * (at + 1), address, size * words.itemsize)

    # --- restoring -----------------------------------------------------------------------------------

    def restore(self, file, control, assignment):
        """Makes this process one that is saved in a file, and tells that one what it is assigned to.

        It returns only by Declined, and then nothing has happened.
        """
        try:
            start = _Start(self, file)
        except Declined:
            raise
        except Exception as e:
            raise Declined(f"the snapshot cannot be read: {e!r}") from e
        start.become(control, assignment)

    def _restored(self):
        """What is left to do where a snapshot goes on."""
        size = int.from_bytes(ctypes.string_at(self.told, 8), "little")
        told = json.loads(ctypes.string_at(self.told + 8, size))
        self._close()
        for fd in told["close"]:
            os.close(fd)
        _renew()
        return told["assignment"]


def _words(rows):
    words = array.array("Q")
    for row in rows:
        words.extend(row)
    return words


class Saving:
    """How a process is to be saved, once it has loaded what it should. It was started for nothing else."""

    def __init__(self, snapshots, order, environment, control, file):
        self.snapshots, self.modules, self.most, self.environment = snapshots, order.get("modules"), order["most"], environment
        self.control, self.file = control, file
        _leave_number()

    def save(self):
        """Saves the process, tells the platform and ends. It returns in what is restored: what that is told."""
        try:
            told = self.snapshots.save(self.file, self.most, {self.file, self.control})
        except Declined as e:
            self.decline(e)
        except Exception as e:
            self.decline(f"it failed: {e!r}")
        if told is None:
            self._tell(b"saved\n")
        self._become(told["environment"])
        return told

    def load(self):
        """Imports packages as a function did, if that takes long enough to be worth a snapshot."""
        import importlib
        began = time.monotonic()
        for name in self.modules:
            if name not in sys.modules:
                try:
                    importlib.import_module(name)
                except BaseException as e:
                    self.decline(f"{name} cannot be imported by itself: {e!r}")
        if time.monotonic() - began < _WORTH:
            self.decline("its packages are loaded quickly")

    def decline(self, why):
        self._tell(_declined(why))

    def _tell(self, line):
        os.write(self.control, line)
        os.read(self.control, 1)  # until the platform has heard
        os._exit(0)

    def _become(self, environment):
        """Sets the variables that differ, and leaves what was changed since."""
        for name, value in environment.items():
            if self.environment.get(name) != value:
                os.environ[name] = value
        for name, value in self.environment.items():
            if name not in environment and os.environ.get(name) == value:
                del os.environ[name]
        self.environment = environment
        time.tzset()


_WORTH = 0.01  # seconds


def _declined(why):
    """What the platform is told of why there is no snapshot: one line."""
    return b"declined: " + str(why).replace("\n", " ").encode("utf-8", "replace")[:400] + b"\n"


def _aside(fd):
    """Moves a descriptor to where none of a function's comes to lie."""
    aside = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 400)
    os.close(fd)
    return aside


def _leave_number():
    """Goes on as a process of another number than any that is restored will have.

    What was forked is told by that number, as by OpenSSL, of which packages bring their own.
    """
    import _thread
    for _ in range(300):
        done = _thread.allocate_lock()
        done.acquire()
        _thread.start_new_thread(done.release, ())
        done.acquire()
    pid = os.fork()
    if pid:
        _, status = os.waitpid(pid, 0)
        os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))


# --- what cannot be saved ----------------------------------------------------------------------------


def _obstacles():
    """Refuses what would be missing in what is restored."""
    import _thread
    import threading
    others = [t for t in threading.enumerate() if t is not threading.main_thread()]
    if others:
        raise Declined(f"the thread {others[0].name!r} is running")
    if _thread._count():
        raise Declined("a thread is running")
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        pass
    else:
        raise Declined("a child process is running")
    if any(signal.getitimer(which)[0] for which in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)):
        raise Declined("a timer is set")
    try:
        with open("/proc/self/timers") as f:
            timers = f.read()
    except OSError:
        return
    if timers:
        raise Declined("a timer is set")


def _no_threads():
    """Refuses threads of libraries, but for those that their library ended for the fork, as OpenBLAS does."""
    until = time.monotonic() + 1
    while len(os.listdir("/proc/self/task")) > 1:
        if time.monotonic() > until:
            raise Declined("a thread of a library is running")
        time.sleep(0.001)


class _Descriptors:
    """The files that a function has open: how to open them again."""

    @staticmethod
    def of(own):
        saved = []
        for n in sorted(int(name) for name in os.listdir("/proc/self/fd")):
            if n < 3 or n in own:
                continue
            try:
                status = os.fstat(n)
            except OSError:
                continue  # the directory itself
            flags, inherited = fcntl.fcntl(n, fcntl.F_GETFL), not fcntl.fcntl(n, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
            saved.append([n, flags, inherited, *_Descriptors._kind(n, status)])
        return saved

    @staticmethod
    def _kind(n, status):
        if stat.S_ISSOCK(status.st_mode):
            s = socket.socket(fileno=os.dup(n))
            with s:
                if s.family != socket.AF_NETLINK and s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    raise Declined("a socket is listening")
                return "socket", int(s.family), int(s.type), s.proto
        path = os.readlink(f"/proc/self/fd/{n}")
        if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode) or stat.S_ISCHR(status.st_mode):
            if not path.startswith("/") or not os.path.exists(path):
                raise Declined(f"the file {path} is open, and cannot be opened again")
            offset = 0 if stat.S_ISCHR(status.st_mode) else os.lseek(n, 0, os.SEEK_CUR)
            return ("file", path, offset, *_same(path, status))
        raise Declined(f"{path.partition(':')[0]} is open, which cannot be kept")

    @staticmethod
    def open(saved):
        """Opens what was saved, each at its number."""
        opened = []
        try:
            for n, flags, inherited, kind, *rest in saved:
                if kind == "socket":
                    opened.append(_Descriptors._socket(*rest))
                else:
                    path, offset, *same = rest
                    fd = os.open(path, flags & ~(os.O_CREAT | os.O_EXCL | os.O_TRUNC) | os.O_CLOEXEC)
                    opened.append(fd)
                    if list(_same(path, os.fstat(fd))) != same:
                        raise Declined(f"{path} is not what it was")
                    if offset:
                        os.lseek(fd, offset, os.SEEK_SET)
        except OSError as e:
            raise Declined(f"an open file cannot be opened again: {e}") from e
        free = max((n for n, *_ in saved), default=0) + 1
        moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, free) for fd in opened]
        for fd in opened:
            os.close(fd)
        for (n, flags, inherited, *_), fd in zip(saved, moved):
            os.dup2(fd, n, inherited)
            os.close(fd)
            fcntl.fcntl(n, fcntl.F_SETFL, flags)

    @staticmethod
    def _socket(family, kind, protocol):
        """A socket whose other end has closed it, or one that is new where there are no ends."""
        if kind & 0xf != socket.SOCK_STREAM:
            return socket.socket(family, kind, protocol).detach()
        one, other = socket.socketpair()
        other.close()
        return one.detach()


def _same(path, status):
    """What a file must have in common with the one that was saved. Files in /tmp are copies."""
    if path.startswith("/tmp/"):
        return stat.S_IFMT(status.st_mode), status.st_size
    if not stat.S_ISREG(status.st_mode):
        return stat.S_IFMT(status.st_mode), 0
    return stat.S_IFMT(status.st_mode), status.st_size, status.st_ino, status.st_mtime_ns


class _Temporary:
    """The files in /tmp, which are a part of what a function has done."""

    @staticmethod
    def save(file, at, most):
        """Copies them to a file, one behind the other, and lists them."""
        saved = []
        for directory, directories, files in os.walk("/tmp"):
            for name in directories + files:
                path = os.path.join(directory, name)
                status = os.lstat(path)
                mode, size, target = status.st_mode, 0, None
                if stat.S_ISREG(mode):
                    size = _Temporary._copy(path, file, at, most)
                    at += size
                elif stat.S_ISLNK(mode):
                    target = os.readlink(path)
                elif not stat.S_ISDIR(mode):
                    continue
                saved.append([path, mode, status.st_mtime_ns, size, target])
        return saved, at

    @staticmethod
    def _copy(path, file, at, most):
        size = 0
        with open(path, "rb", 0) as f:
            while True:
                data = f.read(1 << 20)
                if not data:
                    return size
                if at + size + len(data) > most:
                    raise Declined(f"it takes more than {most >> 20} MB with what is in /tmp")
                os.pwrite(file, data, at + size)
                size += len(data)

    @staticmethod
    def restore(saved, file, at):
        for path, mode, modified, size, target in saved:
            if stat.S_ISLNK(mode):
                os.symlink(target, path)
                continue
            if stat.S_ISDIR(mode):
                os.mkdir(path, mode & 0o7777 | 0o700)
                continue
            with open(path, "xb", 0) as f:
                for start in range(at, at + size, 1 << 20):
                    f.write(os.pread(file, min(1 << 20, at + size - start), start))
            at += size
            os.chmod(path, mode & 0o7777)
            os.utime(path, ns=(modified, modified))
        for path, mode, modified, _, _ in saved:
            if stat.S_ISDIR(mode):
                os.chmod(path, mode & 0o7777)
                os.utime(path, ns=(modified, modified))


# --- the plan ----------------------------------------------------------------------------------------

_MAPPING = re.compile(rb"([0-9a-f]+)-([0-9a-f]+) (r|-)(w|-)(x|-)(p|s) ([0-9a-f]+) [0-9a-f]+:[0-9a-f]+ (\d+) *(.*)")

# Of a page's eight bytes in /proc/<pid>/pagemap the highest says whether it is there, or swapped out, and not
# a file's. A few pages that are not there are no reason to map parts one by one.
_OWN = bytes(b & 0xc0 != 0 and b & 0x20 == 0 for b in range(256))
_RUN = re.compile(rb"\x01+(?:\x00{1,8}\x01+)*")


class _Plan:
    """How a process is saved that stands still, and how it is restored."""

    def __init__(self, snapshots, pid, file, most):
        self.snapshots, self.file, self.most = snapshots, file, most
        self.save, self.restore, self.late = [], [], []
        self.files, self.patches = [], []  # what to map, and rows to write the descriptor of a file into
        self.known = {}
        self.end = _PAGE  # of the file, where the next part comes to lie
        self.free = _LOWEST  # where the last part of memory ended
        self.brk = None
        with open(f"/proc/{pid}/smaps", "rb") as f, open(f"/proc/{pid}/pagemap", "rb") as self.pages:
            mappings = []
            for line in f:
                m = _MAPPING.match(line)
                if m:
                    mappings.append([m, line.rstrip(b"\n"), b""])
                elif line.startswith(b"VmFlags:"):
                    mappings[-1][2] = line.split()
            for m, line, flags in mappings:
                self._mapping(m, line, flags)
        self._gap(_HIGHEST, _HIGHEST)
        self.save.append((_EXIT, 0, 0, 0, 0, 0, 0, 0))

    def _mapping(self, m, line, flags):
        start, end, offset = int(m[1], 16), int(m[2], 16), int(m[7], 16)
        protection = (m[3] != b"-") * _R | (m[4] != b"-") * _W | (m[5] != b"-") * _X
        name, place = m[9], self.snapshots.place
        if start >= _HIGHEST:
            return
        self._gap(start, end)
        if name.startswith(b"[v") or place <= start < place + _PLACE:
            return  # as it is in every process of the zygote
        inherited = line in self.snapshots.inherited
        if m[6] == b"s":
            if inherited:
                return
            if protection & _W or m[8] == b"0":
                raise Declined("memory is shared with others")
            self._mmap(start, end, protection, _SHARED, self._file(name), offset)
            return
        runs = self._runs(start, end)
        if name == b"[stack]":
            for at, size in runs:
                for part in self._keep(at, size):
                    self.late.append((_PREAD, self.file, *part, 0, 0, part[1]))
                    self._patch(-1, late=True)
            return
        of = None
        if m[8] != b"0":
            if inherited and not runs and not protection & _W:
                return
            of = self._file(name)
            if of is None and protection:
                runs = [(start, self._last(name, start, end, offset) - start)]  # it is not to be had again
        if runs and not protection & _R:
            self.save.append((_MPROTECT, start, end - start, _R, 0, 0, 0, 0))
        if runs != [(start, end - start)]:
            self._mmap(start, end, protection, _PRIVATE, of, offset)
            for flag, advice in ((b"wf", _WIPEONFORK), (b"dc", _DONTFORK)):
                if flag in flags and not runs:
                    self.restore.append((_MADVISE, start, end - start, advice, 0, 0, 0, 0))
        for at, size in runs:
            for address, length, where in self._keep(at, size):
                self._mmap(address, address + length, protection, _PRIVATE, -1, where)
        if name == b"[heap]":
            self.brk = end

    def _gap(self, start, end):
        """Unmaps what lies before a mapping."""
        if self.free < start:
            self.restore.append((_MUNMAP, self.free, start - self.free, 0, 0, 0, 0, 0))
        self.free = max(self.free, end)

    def _runs(self, start, end):
        """The parts of a mapping whose pages are the process's own."""
        if end - start > 64 << 30:
            raise Declined("it has reserved too much memory")
        self.pages.seek(start // _PAGE * 8)
        data = self.pages.read((end - start) // _PAGE * 8)
        marks = data[7::8].translate(_OWN)
        return [(start + r.start() * _PAGE, (r.end() - r.start()) * _PAGE) for r in _RUN.finditer(marks)]

    def _keep(self, at, size):
        """Has memory written to the file: parts of it, each with its place there."""
        for address in range(at, at + size, 1 << 30):
            length = min(1 << 30, at + size - address)
            self.save.append((_PWRITE, self.file, address, length, self.end, 0, 0, length))
            yield address, length, self.end
            self.end += length
        if self.end > self.most:
            raise Declined(f"it takes more than {self.most >> 20} MB")

    def _file(self, name):
        """The number of a file to be mapped; None for one that may not be the same elsewhere."""
        if name not in self.known:
            self.known[name] = None
            path = os.fsdecode(name)
            if path.startswith("/") and not path.startswith("/tmp/"):
                try:
                    status = os.stat(path)
                except OSError:
                    return None
                if stat.S_ISREG(status.st_mode):
                    self.known[name] = len(self.files)
                    self.files.append([path, list(_same(path, status))])
        return self.known[name]

    @staticmethod
    def _last(name, start, end, offset):
        """Where the part of a mapping ends that is a file's. What lies behind cannot be read."""
        try:
            size = os.stat(os.fsdecode(name)).st_size
        except OSError:
            return end
        return min(end, start + max(0, size - offset + _PAGE - 1) // _PAGE * _PAGE)

    def _mmap(self, start, end, protection, flags, file, offset):
        """Maps a part: of a file of a number, of the snapshot (-1), or of none."""
        flags |= _FIXED | (0 if protection & _W else _NORESERVE)
        if file is None:
            flags |= _ANONYMOUS
            offset = 0
        self.restore.append((_MMAP, start, end - start, protection, flags, (1 << 64) - 1, offset, start))
        if file is not None:
            self._patch(file)

    def _patch(self, file, late=False):
        self.patches.append([late, len(self.late if late else self.restore) - 1, file])

    def finish(self, descriptors):
        """Writes all but memory to the file, and at last what says that it is whole."""
        s = self.snapshots
        data, calls = self._kernel()
        rows = [] if self.brk is None else [(_BRK, self.brk, 0, 0, 0, 0, 0, self.brk)]
        first = len(rows)
        late = first + len(self.restore)
        patches = [[(late if of_late else first) + n, of] for of_late, n, of in self.patches]
        rows += self.restore + self.late + calls
        stack = int.from_bytes(ctypes.string_at(s.table + 8, 8), "little")
        rows.append((_POKE, s.thread_number, 0, 0, 0, 0, 0, 0))
        rows.append((_DONE, stack, 1, 0, 0, 0, 0, 0))
        table = _words(rows).tobytes()
        files, end = _Temporary.save(self.file, self.end, self.most)
        note = json.dumps({
            "files": self.files, "patches": patches, "descriptors": descriptors, "cwd": os.getcwd(), "umask": _umask(),
            "temporary": files, "contents": self.end,
        }).encode()
        if len(table) + 64 > _DATA - _PAGE:
            raise Declined("its memory is in too many parts")
        if end + len(table) + len(data) + len(note) > self.most:
            raise Declined(f"it takes more than {self.most >> 20} MB")
        os.pwrite(self.file, table + data + note, end)
        os.pwrite(self.file, json.dumps([s.token, end, len(table), len(data), len(note)]).encode().ljust(_PAGE), 0)

    def _kernel(self):
        """What the kernel keeps of a process: data, and system calls that point to it."""
        s = self.snapshots
        data, calls = ctypes.create_string_buffer(65 * 32 + 64), []
        at, there = ctypes.addressof(data), s.data
        for n in range(1, 65):
            if n not in (signal.SIGKILL, signal.SIGSTOP):
                s._call(_SIGACTION, n, 0, at + 32 * n, 8)
                calls.append((_SIGACTION, n, there + 32 * n, 0, 8, 0, 0, 0))
        s._call(_SIGALTSTACK, 0, at + 65 * 32)
        calls.append((_SIGALTSTACK, there + 65 * 32, 0, 0, 0, 0, 0, 0))
        tiles = ctypes.c_uint64()
        try:
            s._call(_ARCH_PRCTL, 0x1022, ctypes.addressof(tiles))  # what extended registers it may use
        except OSError:
            pass
        if tiles.value >> 18 & 1:
            calls.append((_ARCH_PRCTL, 0x1023, 18, 0, 0, 0, 0, 0))
        s._call(_SIGPROCMASK, 0, 0, at + 65 * 32 + 32, 8)
        calls.append((_SIGPROCMASK, 2, there + 65 * 32 + 32, 0, 8, 0, 0, 0))
        return data.raw, calls


def _umask():
    mask = os.umask(0o22)
    os.umask(mask)
    return mask


class _Start:
    """How a process is made one that was saved."""

    def __init__(self, snapshots, file):
        self.snapshots = snapshots
        token, end, table, data, note = json.loads(os.pread(file, _PAGE, 0))
        if token != snapshots.token:
            raise Declined("it was taken of a process with another layout")
        if table + 64 > _DATA - _PAGE or data > _TOLD - _DATA:
            raise Declined("the snapshot has no sense")
        self.note = json.loads(os.pread(file, note, end + table + data))
        self.file, self.end, self.size, self.length = file, end, table, data

    def become(self, control, assignment):
        s, note = self.snapshots, self.note
        try:
            _Temporary.restore(note["temporary"], self.file, note["contents"])
        except OSError as e:
            raise Declined(f"a file in /tmp cannot be made again: {e}") from e
        _Descriptors.open(note["descriptors"])
        files = []
        try:
            for path, same in note["files"]:
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                files.append(fd)
                if list(_same(path, os.fstat(fd))) != same:
                    raise Declined(f"{path} is not what it was")
        except (OSError, Declined) as e:
            for fd in files + [n for n, *_ in note["descriptors"]]:
                os.close(fd)
            raise Declined(f"a file cannot be mapped again: {e}") from e
        s._open(_PRIVATE)
        table = (ctypes.c_uint64 * (self.size // 8)).from_address(s.table + 64)
        data = (ctypes.c_char * self.length).from_address(s.data)
        os.preadv(self.file, [table], self.end)
        os.preadv(self.file, [data], self.end + self.size)
        files.append(self.file)  # the last, as -1 has it
        for row, file in note["patches"]:
            at = row * 8
            table[at + (1 if table[at] == _PREAD else 5)] = files[file]
        table[len(table) - 16 + 2] = os.getpid()
        os.close(control)
        told = json.dumps({"assignment": assignment, "close": files}).encode()
        ctypes.memmove(s.told, len(told).to_bytes(8, "little") + told, 8 + len(told))
        os.chdir(note["cwd"])
        os.umask(note["umask"])
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - {32, 33})
        s.run(s.table)


# --- what must not be the same in two processes ------------------------------------------------------


def _renew():
    """Makes anew what two processes must not share, beside what every fork makes anew."""
    def loaded(name, renew):
        module = sys.modules.get(name)
        if module is not None:
            try:
                renew(module)
            except Exception:
                pass  # the function changed it: it is its own matter then
    loaded("_ssl", lambda ssl: ssl.RAND_add(os.urandom(48), 48.0))  # it tells forks by the process's number
    loaded("numpy.random", lambda random: random.seed())
    loaded("tempfile", lambda tempfile: setattr(tempfile, "_name_sequence", None))
    loaded("uuid", lambda uuid: setattr(uuid, "_node", None))
    loaded("multiprocessing.process", lambda process: setattr(process.current_process(), "authkey", os.urandom(32)))
