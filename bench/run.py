"""Measures Cirro side by side with its peers, in one run on one machine, and prints a table.

    make bench                    everything
    bench/run.py --seconds 2      shorter runs
    bench/run.py --only cirro     no peers

Yardstick: a bare Go net/http server that echoes, under the same load generator on the same cores. Ratios to it
carry over from machine to machine; absolute figures do not.

Peers that the package registries serve are installed into .cache/bench. A peer that cannot do a thing has the
reason in its place.
"""
import argparse
import contextlib
import http.client
import io
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile

ROOT = pathlib.Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "test"))
import boto3
from botocore.config import Config
from cirro import BINARY, Cirro

CACHE = ROOT / ".cache" / "bench"
LOAD = CACHE / "load"
ROLE = "arn:aws:iam::000000000000:role/bench"
EVENT = '{"id": "42", "name": "Ada", "tags": ["a", "b"]}'
PYTHON_ECHO = "def handler(event, context): return event\n"
PYTHON_BOTO3 = "import boto3\ns3 = boto3.client('s3')\ndef handler(event, context): return event\n"
NODE_ECHO = "exports.handler = async (event) => event;\n"
# Signed once: neither Cirro on loopback nor a peer looks at the signature, but all parse it, as a client's request.
SIGNED = ["Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request, "
          "SignedHeaders=host;x-amz-date, Signature=0000000000000000000000000000000000000000000000000000000000000000",
          "X-Amz-Date: 20260101T000000Z", "Content-Type: application/x-amz-json-1.0",
          "User-Agent: Boto3/1.44.5 md/Botocore#1.44.5", "Accept-Encoding: identity"]
RUNTIMES = {
    "python": ("python3.11", "app.handler"),
    "python, boto3 client": ("python3.11", "app.handler"),
    "node": ("nodejs20.x", "index.handler"),
    "static binary": ("provided.al2023", "bootstrap"),
}


def package(files):
    buf = io.BytesIO()
    with zipfile.ZipFile(buf, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            info.external_attr = 0o755 << 16
            z.writestr(info, data)
    return buf.getvalue()


def packages():
    return {
        "python": package({"app.py": PYTHON_ECHO}),
        "python, boto3 client": package({"app.py": PYTHON_BOTO3}),
        "node": package({"index.js": NODE_ECHO}),
        "static binary": package({"bootstrap": (CACHE / "echo").read_bytes()}),
    }


def prepare():
    CACHE.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, "CGO_ENABLED": "0"}
    subprocess.run(["go", "build", "-o", LOAD, "./bench/load"], cwd=ROOT, check=True, env=env)
    subprocess.run(["go", "build", "-ldflags=-s -w", "-o", CACHE / "echo", "./bench/functions/echo"], cwd=ROOT, check=True, env=env)


def venv(name, *requirements):
    """A virtual environment with a peer; its bin directory."""
    bin_dir = CACHE / name / "bin"
    if not (CACHE / name / "stamp").exists():
        subprocess.run([sys.executable, "-m", "venv", CACHE / name], check=True)
        subprocess.run([bin_dir / "pip", "install", "-q", "--disable-pip-version-check", *requirements], check=True)
        (CACHE / name / "stamp").touch()
    return bin_dir


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def process_tree(pid):
    pids = [pid]
    for p in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            pids += map(int, pathlib.Path(f"/proc/{p}/task/{p}/children").read_text().split())
    return pids


def resident(pid):
    """MB resident of a process and all below it."""
    total = 0
    for p in process_tree(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            status = pathlib.Path(f"/proc/{p}/status").read_text()
            total += next((int(l.split()[1]) for l in status.splitlines() if l.startswith("VmRSS:")), 0)
    return total / 1024


class Server:
    """A running server: a process with a URL, and how long it took from exec to its first good answer."""

    def __init__(self, command, url, health, env=None):
        self.url = url
        began = time.perf_counter()
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, env={**os.environ, **(env or {})}, stdout=self.log, stderr=self.log,
                                        start_new_session=True)
        while True:
            try:
                urllib.request.urlopen(url + health, timeout=2).read()
                break
            except OSError:
                if self.process.poll() is not None or time.perf_counter() - began > 60:
                    self.stop()
                    self.log.seek(0)
                    lines = self.log.read().decode(errors="replace").strip().splitlines()
                    raise RuntimeError(f"does not start: {lines[-1] if lines else 'no output'}")
                time.sleep(0.002)
        self.started = (time.perf_counter() - began) * 1000

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


def start_cirro(data):
    port = free_port()
    return Server([BINARY, "serve", "--listen", f"127.0.0.1:{port}", "--data", data], f"http://127.0.0.1:{port}", "/_cirro/health")


def start_ministack(data):
    port = free_port()
    return Server([venv("ministack", "ministack", "boto3") / "ministack"], f"http://127.0.0.1:{port}", "/_localstack/health",
                  {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "HOME": str(data)})


def start_moto(data):
    port = free_port()
    return Server([venv("moto", "moto[server]") / "moto_server", "-H", "127.0.0.1", "-p", str(port)],
                  f"http://127.0.0.1:{port}", "/moto-api/")


def start_localstack(data):
    port = free_port()
    return Server([venv("localstack", "localstack-core[runtime]") / "python", "-m", "localstack.runtime.main"],
                  f"http://127.0.0.1:{port}", "/_localstack/health", {"GATEWAY_LISTEN": f"127.0.0.1:{port}"})


STARTERS = {"cirro": start_cirro, "ministack": start_ministack, "moto": start_moto, "localstack-core": start_localstack}


class Bench:
    def __init__(self, seconds, colds):
        self.seconds, self.colds, self.rows = seconds, colds, []

    def row(self, subject, measure, value, unit="", note=""):
        shown = value if isinstance(value, str) else f"{value:,.2f}" if value < 100 else f"{value:,.0f}"
        self.rows.append((subject, measure, f"{shown} {unit}".strip(), note))
        print(f"{subject:<18}{measure:<46}{shown + ' ' + unit:>18}  {note}", flush=True)

    def load(self, url, clients, headers=(), body=EVENT):
        args = [LOAD, "run", "-url", url, "-clients", str(clients), "-for", f"{self.seconds}s", "-body", body]
        for h in headers:
            args += ["-header", h]
        out = subprocess.run(args, capture_output=True, text=True)
        if out.returncode:
            raise RuntimeError(out.stderr.strip().splitlines()[-1])
        return json.loads(out.stdout)

    def yardstick(self):
        server = subprocess.Popen([LOAD, "serve"], stdout=subprocess.PIPE, text=True)
        try:
            url = server.stdout.readline().strip()
            return {n: self.load(url + "/echo", n) for n in (1, 16, 64)}
        finally:
            server.kill()
            server.wait()

    def starts(self, name, times=7):
        """Start-up time and idle memory of a server without data."""
        took, memory = [], []
        for n in range(times if name == "cirro" else 2):
            with tempfile.TemporaryDirectory() as data:
                server = STARTERS[name](pathlib.Path(data))
                took.append(server.started)
                time.sleep(1)
                memory.append(resident(server.process.pid))
                server.stop()
        self.row(name, "start-up, empty, to first reply, p50", statistics.median(took), "ms")
        self.row(name, "idle memory", statistics.median(memory), "MB")

    def warm(self, name, server, client, runtime, code, yard):
        fn = self.deploy(client, runtime, code)
        url = f"{server.url}/2015-03-31/functions/{fn}/invocations"
        for n in (1, 16, 64):
            before = yard[n]
            f = self.load(url, n, SIGNED)
            bad = f"{f['failed']} of {f['requests']} failed; " if f["failed"] else ""
            if n == 1:
                self.row(name, f"warm {runtime}, 1 client, p50", f["p50_ms"], "ms", f"{bad}{f['p50_ms'] / before['p50_ms']:.1f}x bare net/http")
                self.row(name, f"warm {runtime}, 1 client, p99", f["p99_ms"], "ms", f"{f['p99_ms'] / before['p99_ms']:.1f}x bare net/http")
            self.row(name, f"warm {runtime}, {n} clients, invokes/s", f["per_second"], "/s",
                     f"{bad}{f['per_second'] / before['per_second']:.3f}x bare net/http")


    def deploy(self, client, runtime, code):
        managed, handler = RUNTIMES[runtime]
        fn = "bench-" + "".join(c for c in runtime if c.isalnum())
        with contextlib.suppress(client.exceptions.ResourceNotFoundException):
            client.delete_function(FunctionName=fn)
        client.create_function(FunctionName=fn, Runtime=managed, Handler=handler, Role=ROLE, Timeout=30, MemorySize=1769, Code={"ZipFile": code})
        client.get_waiter("function_active_v2").wait(FunctionName=fn, WaiterConfig={"Delay": 0.1, "MaxAttempts": 300})
        out = client.invoke(FunctionName=fn, Payload=EVENT)
        got = out["Payload"].read()
        if "FunctionError" in out or json.loads(got) != json.loads(EVENT):
            raise RuntimeError(f"{runtime} answers {got[:200]!r}")
        return fn

    def cold(self, name, server, client, runtime, code, own):
        """The first request after a change of configuration: a new environment, full path, over plain HTTP."""
        fn = self.deploy(client, runtime, code)
        host = server.url.removeprefix("http://")
        headers = dict(h.split(": ", 1) for h in SIGNED)
        took = []
        for n in range(self.colds):
            client.update_function_configuration(FunctionName=fn, Environment={"Variables": {"ROUND": str(n)}})
            client.get_waiter("function_updated_v2").wait(FunctionName=fn, WaiterConfig={"Delay": 0.05, "MaxAttempts": 300})
            time.sleep(0.05)
            c = http.client.HTTPConnection(host)
            c.connect()
            began = time.perf_counter()
            c.request("POST", f"/2015-03-31/functions/{fn}/invocations", EVENT, headers)
            reply = c.getresponse()
            body = reply.read()
            took.append((time.perf_counter() - began) * 1000)
            if json.loads(body) != json.loads(EVENT):
                raise RuntimeError(f"{runtime} answers {body[:200]!r}")
            c.close()
        p50 = statistics.median(took)
        note = f"p99 {max(took):.1f}; {p50 - own[runtime]:+.1f} ms over the program's own start ({own[runtime]:.1f} ms)"
        self.row(name, f"cold {runtime}, p50 of {self.colds}", p50, "ms", note)

    def own_starts(self):
        """How long the programs take by themselves, unwalled: exec to exit."""
        python, node = shutil.which("python3.11", path="/usr/bin") or sys.executable, shutil.which("node")
        with tempfile.TemporaryDirectory() as d:
            (pathlib.Path(d) / "b.py").write_text("import boto3\nboto3.client('s3')\n")
            env = {"AWS_DEFAULT_REGION": "us-east-1", "PYTHONPATH": str(ROOT / "bin" / "runtimes" / "python"), "PATH": "/usr/bin:/bin"}
            return {
                "python": own_start([python, "-c", "pass"], env),
                "python, boto3 client": own_start([python, f"{d}/b.py"], env),
                "node": own_start([node, "-e", "0"], env),
                "static binary": own_start([CACHE / "echo"], env),
            }


def own_start(command, env, times=15):
    took = []
    for _ in range(times):
        began = time.perf_counter()
        subprocess.run(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def invoke_suite(bench, name, yard, own, codes):
    with tempfile.TemporaryDirectory() as data:
        server = STARTERS[name](pathlib.Path(data))
        try:
            client = boto3.client("lambda", endpoint_url=server.url, region_name="us-east-1", aws_access_key_id="test",
                                  aws_secret_access_key="test", config=Config(retries={"max_attempts": 0}, read_timeout=60))
            for runtime in ("python", "node", "static binary"):
                attempt(bench, name, f"warm {runtime}", lambda: bench.warm(name, server, client, runtime, codes[runtime], yard))
            for runtime in RUNTIMES:
                attempt(bench, name, f"cold {runtime}", lambda: bench.cold(name, server, client, runtime, codes[runtime], own))
        finally:
            server.stop()


def attempt(bench, subject, measure, f):
    try:
        f()
    except Exception as e:  # a peer that cannot do a thing has the reason in its place
        bench.row(subject, measure, "none", note=f"{type(e).__name__}: {str(e)[:140]}")
        if subject == "cirro":
            raise


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seconds", type=int, default=4, help="length of each load")
    p.add_argument("--colds", type=int, default=20, help="cold starts measured a runtime")
    p.add_argument("--only", choices=STARTERS, help="one subject alone")
    a = p.parse_args()
    prepare()
    bench, codes = Bench(a.seconds, a.colds), packages()
    yard = bench.yardstick()
    for n, f in yard.items():
        bench.row("bare net/http", f"echo, {n} clients", f["per_second"], "/s", f"p50 {f['p50_ms']:.3f} ms, p99 {f['p99_ms']:.3f} ms")
    own = bench.own_starts()
    bench.row("cirro", "binary", BINARY.stat().st_size / 1e6, "MB")
    for name in [a.only] if a.only else STARTERS:
        attempt(bench, name, "start-up", lambda: bench.starts(name))
    for name in [a.only] if a.only else ("cirro", "ministack"):
        attempt(bench, name, "invokes", lambda: invoke_suite(bench, name, yard, own, codes))
    if not a.only:
        bench.row("moto", "invokes", "none", note="its Lambda needs a Docker engine")
    print("\n| subject | measure | figure | |\n| --- | --- | ---: | --- |")
    for row in bench.rows:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
