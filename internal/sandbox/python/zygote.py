"""Starts Python before it is known for which function: loads, waits, and forks.

The zygote runs outside every jail, with the rights to enter them, in a root of its own that looks like
theirs. It runs no function's code, ever: it loads the interpreter's own modules and boto3, and then, for
each request at descriptor 3, forks a child. The child enters the jail, gives up every right there, as
package jail's entry/confine_linux.go has it, and waits to be assigned to a function. Only then does it
see a function's code, and it is forked from no more.

A request is a datagram of JSON, with the descriptors beside it that the fields name in this order: jail
(a pidfd of its first process), group (of control groups version 2, to be born in), tasks (files of groups
of version 1 to enter), and the child's standard output, standard error and control socket. The answer is
the child's number as JSON. The child is the platform's own: its parent is the zygote's parent.
"""

import os
import sys

_fresh = frozenset(sys.modules) - {"zygote"}  # what every new interpreter has loaded

# What functions and boto3 import most. Each is worth its place: a module here costs all functions
# together its memory once, and none of them the time to load it.
_USUAL = (
    "json", "logging", "re", "datetime", "decimal", "random", "uuid", "hashlib", "hmac", "base64", "secrets",
    "copy", "enum", "math", "string", "functools", "itertools", "collections", "operator", "contextlib",
    "dataclasses", "typing", "traceback", "inspect", "threading", "queue", "concurrent.futures.thread",
    "socket", "ssl", "select", "http.client", "urllib.parse", "urllib.request", "email.message", "io",
    "gzip", "zipfile", "csv", "tempfile", "shutil", "subprocess", "pathlib", "glob", "struct", "textwrap",
    "calendar", "zoneinfo", "statistics", "html", "xml.etree.ElementTree", "asyncio", "warnings", "types",
    "ctypes", "locale", "platform", "signal", "unicodedata", "encodings.idna", "importlib.metadata",
)

# The services whose descriptions are read ahead, and what clients share.
_SERVICES = (
    "s3", "dynamodb", "sqs", "sns", "lambda", "events", "stepfunctions", "secretsmanager", "ssm", "kms", "sts", "logs",
)


def load(packages, for_many):
    """Imports what functions are likely to: for many processes, or for this one until it is assigned."""
    global _packages, _stock
    _packages = packages
    boto3 = ("boto3.session", "boto3.s3.inject", "boto3.dynamodb.conditions", "boto3.dynamodb.types")
    for name in _USUAL + (boto3 if os.path.isdir(packages + "/boto3") else ()):
        if not for_many and assigned():
            break
        try:
            __import__(name)
        except ImportError:
            pass  # a build without it
    if for_many and "boto3" in sys.modules:
        _stock = _Stock()
        _stock.fill(sys.modules["boto3"])
    _note_loaded()


def assigned():
    """Tells whether there is something to read at descriptor 3."""
    import select
    return bool(select.select([3], [], [], 0)[0])


_packages = None


class _Stock:
    """What clients of boto3 are made of, made once for all, or ahead and each given to one.

    Memory that is written to after a fork is a process's own, and writing to it first takes as long as
    copying it. So what can be shared is shared, though a new interpreter would make it anew: descriptions
    of services, rules of endpoints. Nothing of it depends on the environment: sessions read that when a
    client is made of them.
    """

    # Where these are set, a session may find other descriptions, or its settings elsewhere.
    unlike = ("HOME", "AWS_DATA_PATH", "AWS_CONFIG_FILE", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "SSLKEYLOGFILE")

    def __init__(self):
        import botocore.client
        import botocore.endpoint_provider
        import botocore.httpsession
        import botocore.loaders
        import botocore.regions
        import botocore.session
        import collections
        import itertools
        self.botocore, self.chain = botocore, collections.ChainMap
        self.usual = itertools.cycle(("s3", "s3", "s3", "dynamodb", "s3", "sqs"))
        self.loader = botocore.loaders.create_loader()
        self.paths = tuple(self.loader._search_paths)
        self.rules, self.methods, self.names, self.sessions, self.contexts = {}, {}, {}, [], []
        creator = botocore.client.ClientCreator
        self.make_methods, self.make_names = creator._create_methods, creator._create_name_mapping
        creator._create_methods = lambda of, service: dict(self.once(self.methods, self.make_methods, of, service))
        creator._create_name_mapping = lambda of, service: self.once(self.names, self.make_names, of, service)
        self.originals = [
            (botocore.session, "create_loader", botocore.session.create_loader),
            (botocore.session, "get_session", botocore.session.get_session),
            (botocore.endpoint_provider, "RuleSet", botocore.endpoint_provider.RuleSet),
            (botocore.httpsession, "create_urllib3_context", botocore.httpsession.create_urllib3_context),
        ]
        self.originals_of_client = [
            (creator, "_create_methods", self.make_methods), (creator, "_create_name_mapping", self.make_names)]
        (_, _, self.make_loader), (_, _, self.make_session), (_, _, self.make_rules), (_, _, self.make_context) = self.originals
        for module, name, _ in self.originals:
            setattr(module, name, getattr(self, name.lower()))

    def create_loader(self, search_path_string=None):
        if search_path_string:
            return self.make_loader(search_path_string)
        own = self.botocore.loaders.Loader(include_default_search_paths=False)
        own._search_paths = list(self.paths)
        own._cache = self.chain({}, self.loader._cache)
        return own

    def get_session(self, env_vars=None):
        return self.sessions.pop() if env_vars is None and self.sessions else self.make_session(env_vars)

    def ruleset(self, *, rules, partitions, **rest):
        # The descriptions that these are parts of live as long as the process.
        key = id(rules), id(partitions)
        if key not in self.rules:
            self.rules[key] = rules, partitions, self.make_rules(rules=rules, partitions=partitions, **rest)
        return self.rules[key][2]

    @staticmethod
    def once(made, make, creator, service):
        """The methods of a client, and their names, as they follow from the description of the service."""
        description = service._service_description
        if id(description) not in made:
            made[id(description)] = description, make(creator, service)
        return made[id(description)][1]

    def create_urllib3_context(self, *args, **kwargs):
        return self.contexts.pop() if not args and not kwargs and self.contexts else self.make_context(*args, **kwargs)

    def fill(self, boto3):
        """Reads descriptions by making clients, of nobody's, and makes ahead what only one may have."""
        session = boto3.session.Session()
        session._session.register_component("data_loader", self.loader)
        session._setup_loader()
        with _NobodysSettings():
            for service in _SERVICES:
                session.client(service)
            for service in ("s3", "dynamodb", "sqs"):
                session.resource(service)
        resolver = session._session.get_component("endpoint_resolver")
        for _ in range(3):
            made = self.make_session()
            made.register_component("data_loader", self.create_loader())
            made.register_component("endpoint_resolver", resolver)
            self.sessions.append(made)
        self.contexts += [self.make_context() for _ in range(9)]

    def rehearse(self, boto3):
        """Makes a client, of nobody's, as functions do at their start.

        A process has to copy every page that it writes to first, and most of the time that a client takes
        is that. What it needs has so been copied when the function comes.
        """
        import gc
        self.start_as_functions(boto3, "s3")
        gc.collect()

    def practise(self, boto3):
        """Makes a client as functions do, but takes nothing of what is there once."""
        kept = self.sessions, self.contexts
        self.sessions, self.contexts = [], []
        self.start_as_functions(boto3, next(self.usual))
        self.sessions, self.contexts = kept

    @staticmethod
    def start_as_functions(boto3, service):
        with _NobodysSettings():
            exec(compile(f"import boto3\nclient = boto3.client({service!r})\n", "rehearsal", "exec"), {})
        boto3.DEFAULT_SESSION = None

    def give_up(self):
        """Makes all as it was."""
        for module, name, original in self.originals + self.originals_of_client:
            setattr(module, name, original)


class _NobodysSettings:
    """Settings that a client can be made with, for a while."""

    values = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "none",
              "AWS_SECRET_ACCESS_KEY": "none", "AWS_SESSION_TOKEN": "none", "AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}

    def __enter__(self):
        self.known = {name: os.environ.get(name) for name in self.values}
        os.environ.update(self.values)

    def __exit__(self, *_):
        for name, value in self.known.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


_stock = None


# --- waiting -----------------------------------------------------------------------------------------


def await_assignment(decode):
    """Waits for the function, at descriptor 3, and returns what it is told and a file that comes along, or -1."""
    import _socket
    try:
        os.write(3, b".")
    except BrokenPipeError:
        os._exit(0)
    control = _socket.socket(fileno=3)
    line, file = b"", -1
    while not line.endswith(b"\n"):
        more, beside, _, _ = control.recvmsg(1 << 16, _socket.CMSG_SPACE(4), _socket.MSG_CMSG_CLOEXEC)
        if not more:
            os._exit(0)  # never needed
        for _, _, data in beside:
            file = int.from_bytes(data[:4], sys.byteorder)
        line += more
    control.detach()
    return decode(line), file


def take(environment, path):
    """Makes the process one that was just started for a function."""
    import time
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(environment["LAMBDA_TASK_ROOT"])
    _yield_to(path)
    if _stock is not None and any(name in environment for name in _stock.unlike):
        _stock.give_up()
        sys.modules["botocore.loaders"].Loader.CUSTOMER_DATA_PATH = os.path.join(os.path.expanduser("~"), ".aws", "models")
    logging = sys.modules.get("logging")
    if logging is not None:
        logging._startTime = time.time_ns() if isinstance(logging._startTime, int) else time.time()
    del sys.modules["zygote"]


def starts_anew(path):
    """Tells whether a function brings a module of the interpreter's own, so that the process has to start anew."""
    theirs = _loaded & _top_level(path)
    return any(not _lies_in(sys.modules.get(name), _packages) for name in theirs)


def _yield_to(path):
    """Lets go of loaded modules where a function brings its own of the same name, as that comes first.

    Packages are forgotten together, with all that they are entangled with. The interpreter's own modules
    hang together too closely: then the process starts anew.
    """
    theirs = _loaded & _top_level(path)
    if not theirs:
        return
    packaged = {name for name in _loaded if _lies_in(sys.modules.get(name), _packages)}
    if theirs - packaged:
        os.execv(sys.executable, [sys.executable, "-B", *sys.orig_argv[-3:]])
    for name in list(sys.modules):
        if name.partition(".")[0] in packaged:
            del sys.modules[name]
    sys.meta_path[:] = [f for f in sys.meta_path if (getattr(f, "__module__", None) or type(f).__module__).partition(".")[0] not in packaged]
    loggers = sys.modules["logging"].Logger.manager.loggerDict
    for name in list(loggers):
        if name.partition(".")[0] in packaged:
            del loggers[name]


def _note_loaded():
    """Notes which modules are there that a new interpreter would have to find."""
    global _loaded
    _loaded = frozenset(name.partition(".")[0] for name in sys.modules) - {name.partition(".")[0] for name in _fresh}


_loaded = frozenset()


def _top_level(path):
    """The names of the modules that directories hold."""
    found = set()
    for directory in path:
        try:
            entries = os.scandir(directory)
        except OSError:
            continue
        with entries:
            for entry in entries:
                name, _, kind = entry.name.partition(".")
                if kind == "py" or kind == "pyc" or kind.endswith("so"):
                    found.add(name)
                elif not kind and any(os.path.isfile(f"{directory}/{name}/__init__.{k}") for k in ("py", "pyc")):
                    found.add(name)
    return found


def _lies_in(module, directory):
    origin = getattr(getattr(module, "__spec__", None), "origin", None) or ""
    return origin.startswith(directory + "/")


# --- forking -----------------------------------------------------------------------------------------

# Numbers of system calls that are the same on every 64-bit architecture, and constants of Linux.
_PIDFD_OPEN, _CLONE3, _CLOSE_RANGE = 434, 435, 436
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_CAPSET = {"x86_64": 126, "aarch64": 91}
_NEWNS, _NEWCGROUP, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
_CLONE_PARENT, _CHILD_CLEARTID, _CHILD_SETTID, _INTO_CGROUP = 0x8000, 0x200000, 0x1000000, 0x200000000
_DUMPABLE, _SECCOMP, _CAPBSET_DROP, _NO_NEW_PRIVS, _CAP_AMBIENT = 4, 22, 24, 38, 47


def serve(rehearse, snapshots=None):
    """Forks a child for each request; returns in the child, which has rehearsed if it has time to."""
    kernel = _Kernel()
    socket = _Requests()
    _note_loaded()
    _settle(rehearse)
    if snapshots is not None:
        snapshots.prepare(kernel.known)
    socket.ready()
    while True:
        request = socket.next()
        if request is None:
            os._exit(0)
        jail, group, tasks, outputs, files = request.split()
        try:
            pid = kernel.fork(jail, group)
        except OSError as e:
            socket.answer({"errno": e.errno})
        else:
            if pid == 0:
                socket.forget()
                try:
                    kernel.become(request, jail, tasks, outputs)
                    _renew_streams()
                    if request.rehearse:
                        rehearse()
                        if _stock is not None:
                            _stock.rehearse(sys.modules["boto3"])
                except ProcessLookupError:
                    os._exit(0)  # the jail is gone already
                except BaseException as e:
                    os.write(2, f"cirro: a forked Python cannot be walled in: {e!r}\n".encode())
                    os._exit(126)
                return
            socket.answer({"pid": pid})
        for fd in files:
            os.close(fd)


def _settle(rehearse):
    """Sees that what is in memory stays shared."""
    sys.path.append(os.path.dirname(os.path.abspath(__file__)))
    import sharing
    sys.path.pop()
    del sys.modules["sharing"]  # a function may have one of that name

    def practise():
        rehearse()
        if _stock is not None:
            _stock.practise(sys.modules["boto3"])

    sharing.settle(practise)


def _renew_streams():
    """Makes the standard streams anew, as they remember what kind of file they were made for."""
    import io
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        old = getattr(sys, name)
        buffer = io.open(number, mode + "b", -1, closefd=False)
        buffer.raw.name = f"<{name}>"
        new = io.TextIOWrapper(buffer, old.encoding, old.errors, "\n" if mode == "w" else None, name == "stderr")
        new.mode = mode
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)


class _Requests:
    """The zygote's connection to the platform."""

    def __init__(self):
        import array
        import json
        import socket
        self._array, self._json, self._socket = array, json, socket
        self.connection = socket.socket(fileno=3)

    def ready(self):
        self.connection.send(b'{"pid":0}')

    def next(self):
        data, ancillary, _, _ = self.connection.recvmsg(1 << 16, self._socket.CMSG_SPACE(64 * 4))
        if not data:
            return None
        files = self._array.array("i")
        for _, _, part in ancillary:
            files.frombytes(part)
        return _Request(self._json.loads(data), files.tolist())

    def answer(self, value):
        self.connection.send(self._json.dumps(value).encode())

    def forget(self):
        """Gives up the descriptor without closing it: its number is the child's to use."""
        self.connection.detach()


class _Request:
    def __init__(self, fields, files):
        self.uid, self.gid, self.open_files = fields["uid"], fields["gid"], fields["files"]
        self.rehearse = "rehearse" in (fields["words"] or ())
        self.filter = bytes.fromhex(fields["filter"])
        self.grouped, self.files = fields["group"], files

    def split(self):
        rest = list(self.files)
        jail = rest.pop(0)
        group = rest.pop(0) if self.grouped else -1
        return jail, group, rest[:-3], rest[-3:], self.files


class _Kernel:
    """The system calls that the interpreter has no functions for, prepared before the first fork."""

    def __init__(self):
        import ctypes
        self.ctypes = ctypes
        # With the lock of the interpreter held, as a fork needs it, and without.
        self.held = ctypes.PyDLL(None, use_errno=True)
        self.syscall = ctypes.CDLL(None, use_errno=True).syscall
        self.syscall.restype = ctypes.c_long
        self.held.syscall.restype = ctypes.c_long
        self.prctl = ctypes.CDLL(None, use_errno=True).prctl
        self.setns = ctypes.CDLL(None, use_errno=True).setns
        self.unshare = ctypes.CDLL(None, use_errno=True).unshare
        import resource  # loaded here, as a child has rights while it uses it
        self.capset = _CAPSET[os.uname().machine]
        self.known = self._thread_number()
        self.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
        self.prctl(_DUMPABLE, 0, 0, 0, 0)  # a child that still has rights is read and traced by nobody

    def call(self, function, *arguments):
        r = function(*(self.ctypes.c_ulong(a) if isinstance(a, int) else a for a in arguments))
        if r < 0:
            e = self.ctypes.get_errno()
            raise OSError(e, os.strerror(e))
        return r

    def _thread_number(self):
        """Where the C library keeps the number of this thread: a fork has to renew it.

        It is found by looking: there is one place that has the number, here and in a child.
        """
        import threading
        c, base = self.ctypes, threading.get_ident()
        words = (c.c_int * 512).from_address(base)
        number = threading.get_native_id()
        places = [i for i in range(512) if words[i] == number]
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            number = os.getpid()
            os.write(writer, bytes(words[i] == number for i in places))
            os._exit(0)
        os.close(writer)
        same = os.read(reader, 512)
        os.close(reader)
        os.waitpid(pid, 0)
        places = [i for i, yes in zip(places, same) if yes]
        if len(places) != 1:
            raise RuntimeError("this C library keeps threads in an unknown way")
        return base + 4 * places[0]

    def fork(self, jail, group):
        """Forks into a jail's processes and a control group. The child's parent is this one's parent.

        Where children are born to is not set back: it is set before each, and without root it cannot be.
        """
        c, python = self.ctypes, self.held
        flags = _CLONE_PARENT | _CHILD_SETTID | _CHILD_CLEARTID | (_INTO_CGROUP if group >= 0 else 0)
        arguments = (c.c_uint64 * 11)(flags, 0, self.known, 0, 0, 0, 0, 0, 0, 0, max(group, 0))
        self.call(self.setns, jail, _NEWPID)
        python.PyOS_BeforeFork()
        pid = python.syscall(c.c_long(_CLONE3), c.byref(arguments), c.c_size_t(88))
        if pid == 0:
            python.PyOS_AfterFork_Child()
            return 0
        errno = c.get_errno()
        python.PyOS_AfterFork_Parent()
        if pid < 0:
            raise OSError(errno, os.strerror(errno))
        return pid

    def become(self, request, jail, tasks, outputs):
        """Makes a new child what every program in a jail is."""
        for fd in tasks:
            os.write(fd, b"0")
        os.setsid()
        nested = request.uid < 0
        self.call(self.setns, jail, _NEWNS | _NEWUTS | _NEWIPC | _NEWNET | (_NEWUSER if nested else 0))
        self.call(self.unshare, _NEWCGROUP)
        self._descriptors(outputs)
        for n in range(64):
            if self.prctl(_CAPBSET_DROP, self.ctypes.c_ulong(n), 0, 0, 0) < 0:
                break
        if request.open_files:
            import resource
            resource.setrlimit(resource.RLIMIT_NOFILE, (request.open_files, request.open_files))
        if not nested:
            os.setgroups([])
            os.setresgid(request.gid, request.gid, request.gid)
            os.setresuid(request.uid, request.uid, request.uid)
        self.call(self.prctl, _CAP_AMBIENT, 4, 0, 0, 0)
        self._drop_capabilities()
        self.call(self.prctl, _NO_NEW_PRIVS, 1, 0, 0, 0)
        self._landlock()
        self._filter(request.filter)
        self.call(self.prctl, _DUMPABLE, 1, 0, 0, 0)  # as after an exec
        ssl = sys.modules.get("_ssl")
        if ssl is not None:
            ssl.RAND_add(os.urandom(48), 48.0)  # numbers of processes may be equal in two namespaces

    def _descriptors(self, outputs):
        null = os.open("/dev/null", os.O_RDWR)
        # Above those that are to be taken, so that none is overwritten before it was moved.
        moved = [os.dup(fd) for fd in (null, *outputs)]
        while min(moved) < 4:
            moved = [os.dup(fd) for fd in moved]
        for to, fd in enumerate(moved):
            os.dup2(fd, to)
        self.call(self.syscall, _CLOSE_RANGE, 4, 0xffffffff, 0)

    def _drop_capabilities(self):
        c = self.ctypes
        header = (c.c_uint32 * 2)(0x20080522, 0)
        self.call(self.syscall, self.capset, c.byref(header), c.byref((c.c_uint32 * 6)()))

    def _landlock(self):
        c = self.ctypes
        version = self.syscall(c.c_long(_LANDLOCK_CREATE), None, c.c_size_t(0), c.c_uint(1))
        if version < 1:
            return  # the read-only mounts alone forbid the same
        rights = (1 << (13, 14, 15, 15, 16)[min(version, 5) - 1]) - 1
        attributes = (c.c_uint64 * 3)(rights, 0, 3 if version >= 6 else 0)
        rules = self.call(self.syscall, _LANDLOCK_CREATE, c.byref(attributes), 24 if version >= 6 else 8, 0)
        execute, write, read, read_directory, truncate, ioctl = 1, 2, 4, 8, 1 << 14, 1 << 15
        devices = 1 << 6 | 1 << 11
        for path, allowed in (
            ("/", execute | read | read_directory),
            ("/dev", read | read_directory | write | truncate | ioctl),
            ("/tmp", ~devices),
        ):
            at = os.open(path, os.O_PATH | os.O_CLOEXEC)
            rule = (allowed & rights).to_bytes(8, sys.byteorder) + at.to_bytes(4, sys.byteorder)
            self.call(self.syscall, _LANDLOCK_ADD, rules, 1, c.c_char_p(rule), 0)
            os.close(at)
        self.call(self.syscall, _LANDLOCK_RESTRICT, rules, 0)
        os.close(rules)

    def _filter(self, instructions):
        c = self.ctypes
        if len(instructions) < 8:
            raise ValueError("no seccomp filter")

        class Program(c.Structure):
            _fields_ = [("length", c.c_ushort), ("first", c.c_char_p)]

        self.call(self.prctl, _SECCOMP, 2, c.byref(Program(len(instructions) // 8, instructions)), 0, 0)
