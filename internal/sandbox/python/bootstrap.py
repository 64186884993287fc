"""Runs a Lambda function written in Python: gets invocations from the Runtime API and answers them.

It behaves as AWS's own runtime (https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html) and
is written to start fast: it imports only what every function needs, and sets up logging when the
function first imports it. A response and the request for the next invocation go out in one write.

Told so by CIRRO_AHEAD, it starts before it is known for which function: "wait" loads what functions are
likely to import and waits for its assignment at descriptor 3; "zygote" does that too, and then starts
processes that wait by forking itself (see zygote.py).

A log record that may span lines is written to standard output as one line that begins with the byte
0xFF, which no UTF-8 text contains, and has NUL for each line break inside it.
"""

import _json
import _socket
import importlib
import importlib.machinery
import os
import sys
import time

_env = os.environ
_JSON_LOG = _ASCII = False
_LOG_LEVEL = ""
_NBSP = "\u00a0"

_request_id = None
_tenant_id = None


def _configure():
    """Reads what the environment says of this function."""
    global _JSON_LOG, _LOG_LEVEL, _ASCII
    _JSON_LOG = _env.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
    _LOG_LEVEL = _env.get("AWS_LAMBDA_LOG_LEVEL", "").upper().replace("TRACE", "DEBUG")
    # Responses hold text as it is from Python 3.12 on, and escape what is not ASCII before.
    _ASCII = _env.get("AWS_EXECUTION_ENV", "") in (
        "AWS_Lambda_python3.8", "AWS_Lambda_python3.9", "AWS_Lambda_python3.10", "AWS_Lambda_python3.11")
    LambdaContext.function_name = _env.get("AWS_LAMBDA_FUNCTION_NAME")
    LambdaContext.function_version = _env.get("AWS_LAMBDA_FUNCTION_VERSION")
    LambdaContext.memory_limit_in_mb = _env.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
    LambdaContext.log_group_name = _env.get("AWS_LAMBDA_LOG_GROUP_NAME")
    LambdaContext.log_stream_name = _env.get("AWS_LAMBDA_LOG_STREAM_NAME")


class Fault(Exception):
    """An error of the runtime's own kinds (Runtime.ImportModuleError, ...)."""

    def __init__(self, kind, message, trace=None):
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.trace = trace


# --- log ---------------------------------------------------------------------------------------------


def write_record(text):
    """Writes one record, which may span lines, to the log."""
    try:
        sys.stdout.flush()
    except Exception:  # the function closed or replaced it
        pass
    if text.endswith("\n"):
        text = text[:-1]
    data = b"\xff" + text.encode("utf-8", "backslashreplace").replace(b"\n", b"\0") + b"\n"
    while data:
        data = data[os.write(1, data):]


def _timestamp():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _log_error(error):
    if _JSON_LOG:
        write_record(to_json({"timestamp": _timestamp(), "level": "ERROR", **error}))
        return
    kind, message = error.get("errorType"), error.get("errorMessage")
    line = "[ERROR]"
    if kind:
        line += " " + kind
    if message:
        line += (": " if kind else " ") + message
    lines = [line]
    trace = error.get("stackTrace")
    if trace is not None:
        lines.append("Traceback (most recent call last):")
        for element in trace:
            for part in element.splitlines() or [""]:
                bare = part.lstrip(" ")
                lines.append(_NBSP * (len(part) - len(bare)) + bare)
    write_record("\n".join(lines))


class _LoggingHook:
    """Sets up the root logger as soon as anything imports the logging package."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "logging":
            return None
        sys.meta_path.remove(_LoggingHook)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                break
        else:
            return None
        run = spec.loader.exec_module

        def run_and_set_up(module):
            run(module)
            if hasattr(module, "Formatter"):
                _set_up_logging(module)

        spec.loader.exec_module = run_and_set_up
        return spec


def _make_log_handler(logging):
    """Makes the handler of the root logger and its way to write JSON, once."""
    global _log_handler, _JsonFormatter

    class LambdaLoggerHandler(logging.Handler):
        log_sink = None

        def emit(self, record):
            write_record(self.format(record))

    class LambdaLoggerFilter(logging.Filter):
        def filter(self, record):
            record.aws_request_id = _request_id or ""
            record.tenant_id = _tenant_id
            return True

    class JsonFormatter(logging.Formatter):
        reserved = frozenset((
            "name", "msg", "args", "levelname", "levelno", "pathname", "filename", "module", "exc_info",
            "exc_text", "stack_info", "lineno", "funcName", "created", "msecs", "relativeCreated",
            "thread", "threadName", "processName", "process", "taskName", "aws_request_id", "tenant_id"))

        def format(self, record):
            level = min(50, max(0, record.levelno)) // 10 * 10
            kind, error, trace = record.exc_info or (None, None, None)
            out = {
                "timestamp": self.formatTime(record, "%Y-%m-%dT%H:%M:%SZ"),
                "level": logging.getLevelName(level),
                "message": record.msg if isinstance(record.msg, dict) and not record.args else record.getMessage(),
                "logger": record.name,
            }
            if kind is not None:
                import traceback
                out["stackTrace"] = traceback.format_tb(trace)
                out["errorType"] = kind.__name__
                out["errorMessage"] = str(error)
            out["requestId"] = record.aws_request_id
            if kind is not None:
                out["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
            if record.tenant_id is not None:
                out["tenantId"] = record.tenant_id
            for key, value in record.__dict__.items():
                if key not in self.reserved and key not in out and value is not None:
                    out[key] = value
            import json
            return json.dumps(out, ensure_ascii=False, default=str)

    handler = LambdaLoggerHandler()
    handler.log_sink = _Sink()
    handler.addFilter(LambdaLoggerFilter())
    _log_handler, _JsonFormatter = handler, JsonFormatter


_log_handler = _JsonFormatter = None


def _set_up_logging(logging):
    if _log_handler is None:
        _make_log_handler(logging)
    logging.Formatter.converter = time.gmtime
    root = logging.getLogger()
    handler = _log_handler
    if _JSON_LOG:
        handler.setFormatter(_JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter(
            "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n",
            "%Y-%m-%dT%H:%M:%S"))
    if _LOG_LEVEL in logging._nameToLevel:
        root.setLevel(_LOG_LEVEL)
    root.addHandler(handler)


class _Sink:
    def log(self, message, frame_type=None):
        write_record(message)


# --- errors ------------------------------------------------------------------------------------------


def _error(message, kind, trace, request_id=None):
    return {
        "errorMessage": message or "",
        "errorType": kind or "",
        "requestId": request_id or "",
        "stackTrace": trace or [],
    }


def _frames(tb):
    """The frames of a traceback that are the function's: those of this file come first and go."""
    import traceback
    frames = [(f.filename, f.lineno, f.name, f.line) for f in traceback.extract_tb(tb)]
    for i, frame in enumerate(frames):
        if not frame[0].endswith("/var/runtime/bootstrap.py"):
            return frames[i:]
    return frames


def _xray_cause(kind, message, frames):
    return to_json({
        "working_directory": os.getcwd(),
        "exceptions": [{"message": message, "type": kind,
                        "stack": [{"label": f[2], "path": f[0], "line": f[1]} for f in frames]}],
        "paths": list({f[0] for f in frames}),
    })


def _exception_error(request_id):
    import traceback
    kind, value, tb = sys.exc_info()
    frames = _frames(tb)
    error = _error(str(value), kind.__name__, traceback.format_list(frames), request_id)
    return error, _xray_cause(kind.__name__, str(value), frames)


# --- JSON --------------------------------------------------------------------------------------------


class _Decoding:
    """How the interpreter's own JSON scanner is to work: as json.loads has it."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = {"-Infinity": float("-inf"), "Infinity": float("inf"), "NaN": float("nan")}.__getitem__
    memo = {}


# The json package takes longer to import than the interpreter to start, as it needs re. Its two halves
# in C do the work without it; where they will not, it is imported after all.
try:
    _scan = _json.make_scanner(_Decoding)
    _json.make_encoder(None, None, _json.encode_basestring, None, ": ", ", ", False, False, True)
except (AttributeError, TypeError):
    _scan = None


def from_json(data):
    """Decodes what json.loads decodes, and fails as it does."""
    if _scan is not None and data[:1] in _STARTS:
        try:
            text = data.decode("utf-8", "surrogatepass")
            value, end = _scan(text, 0)
            if not text[end:].strip(" \t\n\r"):
                return value
        except Exception:
            pass  # the package words the error
    import json
    return json.loads(data)


_STARTS = frozenset(b'{["-0123456789tfn'[i:i + 1] for i in range(17))


class _Encoding:
    """Encodes one value, and what JSON has no form for: a Decimal becomes a number, as written."""

    mark = None

    def default(self, value):
        decimal = sys.modules.get("decimal")
        if decimal is not None and isinstance(value, decimal.Decimal):
            if value.is_nan():
                return float("nan")
            if self.mark is None:
                self.mark = "\ue000" + os.urandom(8).hex()
            return f"{self.mark}{value}\ue001"
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")

    def encode(self, value):
        if _scan is not None:
            text = "".join(_json.make_encoder(
                {}, self.default, _json.encode_basestring_ascii if _ASCII else _json.encode_basestring,
                None, ": ", ", ", False, False, True)(value, 0))
        else:
            import json
            text = json.dumps(value, default=self.default, ensure_ascii=_ASCII)
        if self.mark is not None:
            for mark, end in ((self.mark, "\ue001"), ("\\ue000" + self.mark[1:], "\\ue001")):
                text = text.replace('"' + mark, "").replace(end + '"', "")
        return text


def to_json(value):
    return _Encoding().encode(value)


# --- context -----------------------------------------------------------------------------------------


class CognitoIdentity:
    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __repr__(self):
        return (f"CognitoIdentity([cognito_identity_id={self.cognito_identity_id},"
                f"cognito_identity_pool_id={self.cognito_identity_pool_id}])")


class Client:
    __slots__ = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")

    def __repr__(self):
        return "Client([" + ",".join(f"{n}={getattr(self, n)}" for n in self.__slots__) + "])"


class ClientContext:
    __slots__ = ("custom", "env", "client")

    def __repr__(self):
        return f"ClientContext([custom={self.custom},env={self.env},client={self.client}])"


def _filled(kind, values):
    if values is None:
        return None
    out = kind()
    for name in kind.__slots__:
        setattr(out, name, values.get(name))
    return out


class LambdaContext:
    """https://docs.aws.amazon.com/lambda/latest/dg/python-context.html"""

    def __init__(self, request_id, client_context, identity, deadline_ms, arn, tenant_id):
        self.aws_request_id = request_id
        self.invoked_function_arn = arn
        self.tenant_id = tenant_id
        self._epoch_deadline_time_in_ms = deadline_ms
        self._w3c_fields = {}
        if isinstance(client_context, dict):
            w3c = client_context.pop("w3c", None)
            if isinstance(w3c, dict):
                self._w3c_fields = {k: w3c[k] for k in ("traceparent", "tracestate", "baggage")
                                    if isinstance(w3c.get(k), str)}
        self.client_context = _filled(ClientContext, client_context)
        if self.client_context is not None:
            self.client_context.client = _filled(Client, self.client_context.client)
        self.identity = CognitoIdentity()
        self.identity.cognito_identity_id = (identity or {}).get("cognitoIdentityId")
        self.identity.cognito_identity_pool_id = (identity or {}).get("cognitoIdentityPoolId")

    def get_remaining_time_in_millis(self):
        return max(0, self._epoch_deadline_time_in_ms - int(time.time() * 1000))

    def w3c(self):
        return dict(self._w3c_fields)

    def log(self, message):
        write_record(str(message))

    def __repr__(self):
        return ("LambdaContext([" + ",".join(f"{n}={getattr(self, n)}" for n in (
            "aws_request_id", "log_group_name", "log_stream_name", "function_name", "memory_limit_in_mb",
            "function_version", "invoked_function_arn", "client_context", "identity", "tenant_id")) + "])")


def _context(head):
    def parsed(name, title):
        value = head.get(name)
        if not value:
            return None
        try:
            return from_json(value.encode("latin-1"))
        except Exception as e:
            raise Fault("Runtime.LambdaContextUnmarshalError", f"Unable to parse {title} JSON: {e}") from None

    return LambdaContext(
        head["lambda-runtime-aws-request-id"],
        parsed("lambda-runtime-client-context", "Client Context"),
        parsed("lambda-runtime-cognito-identity", "Cognito Identity"),
        int(head.get("lambda-runtime-deadline-ms", 0)),
        head.get("lambda-runtime-invoked-function-arn"),
        head.get("lambda-runtime-aws-tenant-id"))


# --- the Runtime API ---------------------------------------------------------------------------------


class Api:
    """A connection to the Runtime API, kept open."""

    prefix = "/2018-06-01/runtime/"

    # What the platform says of an answer that it took: it is not taken apart each time.
    taken = (b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n"
             b'{"status":"OK"}\n')

    def __init__(self, address):
        self.address = address
        host, _, port = address.rpartition(":")
        self.target = (host, int(port or 80))
        self.next_request = (f"GET {self.prefix}invocation/next HTTP/1.1\r\nHost: {address}\r\n"
                             "User-Agent: cirro-python\r\n\r\n").encode()
        self.connect()

    def connect(self):
        sock = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        sock.connect(self.target)
        self.sock = sock
        self.buffer = b""

    def request(self, path, body, headers=""):
        head = (f"POST {self.prefix}{path} HTTP/1.1\r\nHost: {self.address}\r\nUser-Agent: cirro-python\r\n"
                f"Content-Length: {len(body)}\r\n{headers}\r\n")
        return head.encode("latin-1", "backslashreplace") + body

    def ask_next(self):
        self.sock.sendall(self.next_request)

    def answer(self, request_id, body, content_type):
        """Answers an invocation and asks for the next one."""
        request = self.request(f"invocation/{request_id}/response", body, f"Content-Type: {content_type}\r\n")
        self.post_and_ask(request)

    def fail(self, request_id, error, cause):
        self.post_and_ask(self.request(f"invocation/{request_id}/error", to_json(error).encode("utf-8", "backslashreplace"),
                                       self.error_headers(error, cause)))

    def post_and_ask(self, request):
        self.sock.sendall(request + self.next_request)
        if not self.buffer:
            self.more()
        if self.buffer.startswith(self.taken):
            self.buffer = self.buffer[len(self.taken):]
            return
        status, head, _ = self.read()
        if head.get("connection", "").lower() == "close":
            self.sock.close()
            self.connect()
            self.ask_next()

    def fail_init(self, error, kind=None):
        self.post_error("init/error", error, kind)

    def post_error(self, path, error, kind=None):
        self.sock.sendall(self.request(path, to_json(error).encode("utf-8", "backslashreplace"),
                                       self.error_headers(error, None, kind)))
        self.read()

    def tell(self, path, body):
        """Tells something once, on a connection of its own."""
        self.sock.sendall(self.request(path, body))
        self.read()
        self.sock.close()

    def await_restore(self):
        """Waits where a snapshot of this function is restored."""
        self.sock.sendall(f"GET {self.prefix}restore/next HTTP/1.1\r\nHost: {self.address}\r\n"
                          "User-Agent: cirro-python\r\n\r\n".encode())
        self.read()
        self.sock.close()  # a new connection is served faster than one that this was asked on
        self.connect()

    def error_headers(self, error, cause, kind=None):
        headers = ("Content-Type: application/vnd.aws.lambda.error+json\r\n"
                   f"Lambda-Runtime-Function-Error-Type: {kind or error['errorType']}\r\n")
        if cause is not None and len(cause) < 1 << 16:
            headers += f"Lambda-Runtime-Function-XRay-Error-Cause: {cause}\r\n"
        return headers

    def more(self):
        data = self.sock.recv(1 << 16)
        if not data:
            os._exit(1)  # the platform is gone
        self.buffer += data

    def take(self, n):
        if len(self.buffer) < n:
            parts, have = [self.buffer], len(self.buffer)
            while have < n:
                data = self.sock.recv(min(n - have, 1 << 20))
                if not data:
                    os._exit(1)
                parts.append(data)
                have += len(data)
            self.buffer = b"".join(parts)
        out, self.buffer = self.buffer[:n], self.buffer[n:]
        return out

    def line(self):
        while True:
            end = self.buffer.find(b"\r\n")
            if end >= 0:
                out, self.buffer = self.buffer[:end], self.buffer[end + 2:]
                return out
            self.more()

    def read(self):
        """Reads one reply: its status, headers (in lower case) and body."""
        while True:
            end = self.buffer.find(b"\r\n\r\n")
            if end >= 0:
                break
            self.more()
        lines = self.buffer[:end].decode("latin-1").split("\r\n")
        self.buffer = self.buffer[end + 4:]
        head = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            head[name.lower()] = value.strip()
        status = int(lines[0][9:12])
        if "content-length" in head:
            return status, head, self.take(int(head["content-length"]))
        if head.get("transfer-encoding", "").lower() == "chunked":
            body = b""
            while True:
                size = int(self.line().split(b";")[0], 16)
                if size == 0:
                    while self.line():
                        pass
                    return status, head, body
                body += self.take(size)
                self.line()
        return status, head, b""


# --- the function ------------------------------------------------------------------------------------


def _load(handler):
    try:
        module_name, function_name = handler.rsplit(".", 1)
    except ValueError as e:
        raise Fault("Runtime.MalformedHandlerName", f"Bad handler '{handler}': {e}") from None
    try:
        if module_name.split(".")[0] in sys.builtin_module_names:
            raise Fault("Runtime.BuiltInModuleConflict",
                        f"Cannot use built-in module {module_name} as a handler module")
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as e:
        raise Fault("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {e}") from None
    except SyntaxError as e:
        raise Fault("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {e}",
                    [f'  File "{e.filename}" Line {e.lineno}\n    {e.text}']) from None
    try:
        return getattr(module, function_name)
    except AttributeError:
        raise Fault("Runtime.HandlerNotFound",
                    f"Handler '{function_name}' missing on module '{module_name}'") from None


_NOTEWORTHY = 0.015  # seconds that a function's modules take to load


def _note_packages(address, before):
    """Tells the platform which modules of packages were loaded, in their order: not the function's own."""
    packaged = None
    names = []
    for name, module in list(sys.modules.items())[before:]:
        spec = getattr(module, "__spec__", None)
        where = getattr(spec, "origin", None) or next(iter(getattr(spec, "submodule_search_locations", None) or ()), "")
        if where.startswith("/opt/"):
            names.append(name)
        elif where.startswith("/var/task/"):
            if packaged is None:
                packaged = _packaged("/var/task")
            if name.partition(".")[0] in packaged:
                names.append(name)
    if not names:
        return
    try:
        Api(address).tell("packages", to_json(names).encode())
    except OSError:
        pass


def _packaged(directory):
    """The names of modules in a directory that packages installed there, as these have written down."""
    found = set()
    for entry in os.listdir(directory):
        if entry.endswith(".dist-info"):
            try:
                with open(f"{directory}/{entry}/RECORD", encoding="utf-8") as f:
                    found.update(line.partition("/" if "/" in line.partition(",")[0] else ".")[0] for line in f)
            except OSError:
                pass
    return found


def _run(handler, head, body):
    """Calls the function; returns the response's bytes and content type."""
    context = _context(head)
    if head.get("content-type", "application/json") == "application/json":
        try:
            event = from_json(body)
        except Exception as e:
            raise Fault("Runtime.UnmarshalError", f"Unable to unmarshal input: {e}") from None
    else:
        event = body
    response = handler(event, context)
    if isinstance(response, bytes):
        return response, "application/unknown"
    try:
        return to_json(response).encode("utf-8"), "application/json"
    except Exception as e:
        raise Fault("Runtime.MarshalError", f"Unable to marshal response: {e}") from None


_WARNING = (
    "LAMBDA_WARNING: Unhandled exception. The most likely cause is an issue in the function code. "
    "However, in rare cases, a Lambda runtime update can cause unexpected function behavior. For functions "
    "using managed runtimes, runtime updates can be triggered by a function change, or can be applied "
    "automatically. To determine if the runtime has been updated, check the runtime version in the "
    "INIT_START log entry. If this error correlates with a change in the runtime version, you may be able "
    "to mitigate this error by temporarily rolling back to the previous runtime version. For more "
    "information, see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-update.html\r")


def _init_failed(api, error):
    import logging
    logging.warning(_WARNING)
    _log_error(error)
    _flush()
    api.fail_init(error)
    sys.exit(1)


def _pause(api):
    """Does what lies between the initialisation of a function with SnapStart and its first invocation: runs
    its hooks, and in between waits to be restored.

    https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html
    """
    hooks = sys.modules.get("snapshot_restore_py")  # AWS's library, where the function imported it
    try:
        before = hooks.get_before_snapshot() if hooks else []
        while before:
            hook, args, kwargs = before.pop()
            hook(*args, **kwargs)
    except BaseException:
        error = _hook_failed()
        api.fail_init(error, "Runtime.BeforeSnapshotError")
        sys.exit(64)
    _flush()
    if _saving is not None:
        api.sock.close()
        _restored()
        api.connect()
    api.await_restore()
    try:
        for hook, args, kwargs in hooks.get_after_restore() if hooks else []:
            hook(*args, **kwargs)
    except BaseException:
        error = _hook_failed()
        api.post_error("restore/error", error, "Runtime.AfterRestoreError")
        sys.exit(65)


def _hook_failed():
    error, _ = _exception_error(None)
    _log_error(error)
    _flush()
    return error


def _flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass


def _set_up_streams():
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)


def _set_up_path(packages):
    """Puts boto3 before other packages that are installed, as on AWS."""
    own = os.path.dirname(os.path.abspath(__file__))
    path = [p for p in sys.path if p and p != own]
    at = next((i for i, p in enumerate(path) if p.endswith(("site-packages", "dist-packages"))), len(path))
    path.insert(at, packages)
    sys.path[:] = path


def function_path(task, layers):
    """Where a function's own modules lie, before all others: in its code and its layers."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    return [task, f"{layers}/python/lib/{version}/site-packages", f"{layers}/python"]


def _rehearse():
    """Does what every start of a function does: what has been done once is done faster."""
    scope = {}
    exec(compile("import os\n\n\ndef handler(event, context):\n    return event\n", "rehearsal", "exec"), scope)
    importlib.machinery.PathFinder.find_spec("a module that is not there")
    importlib.import_module("colorsys")  # small, and nothing but a few functions
    del sys.modules["colorsys"]
    _configure()
    theirs, ours = _socket.socketpair()
    api = object.__new__(Api)
    api.address, api.sock, api.buffer, api.next_request = "127.0.0.1:9001", ours, b"", b"GET / HTTP/1.1\r\n\r\n"
    theirs.sendall(_AN_INVOCATION)
    _, head, body = api.read()
    response, kind = _run(scope["handler"], head, body)
    theirs.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
    api.answer("", response, kind)
    theirs.close()
    ours.close()
    _flush()
    _timestamp()


_AN_INVOCATION = (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: \r\n"
                  b"Lambda-Runtime-Deadline-Ms: 0\r\nContent-Length: 26\r\n\r\n" b'{"a": [1, 2.5, "b", null]}')


def _set_up():
    layers, packages = sys.argv[1:]
    ahead = _env.pop("CIRRO_AHEAD", None)
    _set_up_path(packages)
    if ahead is not None:
        _await_function(ahead, layers, packages)
    del sys.argv[1:]
    _configure()
    _set_up_streams()
    sys.path[:0] = function_path(_env["LAMBDA_TASK_ROOT"], layers)
    if "logging" in sys.modules:
        _set_up_logging(sys.modules["logging"])
    else:
        sys.meta_path.insert(0, _LoggingHook)
    if _saving is not None and _saving.modules is not None:
        _saving.load()
        _restored()


def _await_function(ahead, layers, packages):
    """Loads what functions are likely to need, waits for one, and makes the process one that was started for it."""
    global _saving, _notes_packages
    forks = ahead == "zygote"
    sys.path.append(os.path.dirname(os.path.abspath(__file__)))
    import zygote
    snapshots = None
    if forks:
        import snapshot
        snapshots = snapshot.Snapshots() if snapshot.available() else None
        del sys.modules["snapshot"]
    sys.path.pop()
    zygote.load(packages, forks)
    if "logging" in sys.modules:
        _make_log_handler(sys.modules["logging"])
    if forks:
        zygote.serve(_rehearse, snapshots)
    elif not zygote.assigned():
        _rehearse()
    told, file = zygote.await_assignment(from_json)
    environment = told["environment"]
    path = function_path(environment["LAMBDA_TASK_ROOT"], layers)
    if snapshots is None:
        os.close(3)
    else:
        _saving = snapshots.begin(told, file)
        _notes_packages = _saving is None
    if _saving is not None and zygote.starts_anew(path):
        _saving.decline("the function brings a module of the interpreter's own")
    zygote.take(environment, path)


_saving = None  # how this process is saved, where it is to be
_notes_packages = True  # whether the platform wants to know what is loaded of packages


def _restored():
    """Saves this process, and goes on in what is made of it."""
    global _saving, _notes_packages
    _saving.save()
    _saving, _notes_packages = None, False
    _configure()
    logging = sys.modules.get("logging")
    if logging is not None:
        logging._startTime = time.time_ns() if isinstance(logging._startTime, int) else time.time()


def main():
    global _request_id, _tenant_id
    _set_up()
    api = Api(_env["AWS_LAMBDA_RUNTIME_API"])
    began, before = time.monotonic(), len(sys.modules)
    try:
        handler = _load(_env.get("_HANDLER", ""))
    except Fault as e:
        _init_failed(api, _error(e.message, e.kind, e.trace))
    except Exception:
        error, _ = _exception_error(None)
        _init_failed(api, error)
    _flush()
    if _notes_packages and time.monotonic() - began > _NOTEWORTHY:
        _note_packages(api.address, before)
    if _env.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        _pause(api)
        _flush()
    api.ask_next()
    while True:
        _, head, body = api.read()
        request_id = head.get("lambda-runtime-aws-request-id")
        if request_id is None:
            sys.exit(0)  # the environment is shutting down
        _request_id, _tenant_id = request_id, head.get("lambda-runtime-aws-tenant-id")
        trace = head.get("lambda-runtime-trace-id")
        if trace is not None:
            _env["_X_AMZN_TRACE_ID"] = trace
        else:
            _env.pop("_X_AMZN_TRACE_ID", None)
        try:
            response, content_type = _run(handler, head, body)
        except Fault as e:
            error = _error(e.message, e.kind, e.trace, request_id)
            cause = _xray_cause("LambdaValidationError", e.message, [])
        except Exception:
            error, cause = _exception_error(request_id)
        else:
            _flush()
            api.answer(request_id, response, content_type)
            response = body = None
            continue
        _log_error(error)
        _flush()
        api.fail(request_id, error, cause)


if __name__ == "__main__":
    main()
