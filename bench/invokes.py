"""Invocations over the whole path, HTTP request in, reply out: warm, cold, many at once, and idle."""
import contextlib
import http.client
import json
import pathlib
import subprocess
import tempfile
import time

import boto3
from botocore.config import Config

from programs import EVENT, FUNCTIONS, LOAD, PYTHONS, package, pandas_layer
from report import quantile
from subjects import STARTERS, memory, process_tree

ROLE = "arn:aws:iam::000000000000:role/bench"
# Signed once: neither Cirro on loopback nor a peer looks at the signature, but all parse it, as a client's request.
SIGNED = ["Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request, "
          "SignedHeaders=host;x-amz-date, Signature=0000000000000000000000000000000000000000000000000000000000000000",
          "X-Amz-Date: 20260101T000000Z", "Content-Type: application/x-amz-json-1.0",
          "User-Agent: Boto3/1.44.5 md/Botocore#1.44.5", "Accept-Encoding: identity"]
CLIENTS = (1, 16, 32, 64)
AT_ONCE = 100
PROCESSES_EACH = {"cirro": 2}  # of an environment


def load(url, clients, seconds, headers=(), mode="run", body=EVENT, keys=1):
    args = [LOAD, mode, "-url", url, "-clients", str(clients), "-body", body, "-keys", str(keys)]
    args += ["-for", f"{seconds}s"] if mode == "run" else []
    for h in headers:
        args += ["-header", h]
    out = subprocess.run(args, capture_output=True, text=True)
    if out.returncode:
        raise RuntimeError(out.stderr.strip().splitlines()[-1])
    return json.loads(out.stdout)


def yardstick(seconds):
    """The same load on a bare net/http server that echoes."""
    server = subprocess.Popen([LOAD, "serve"], stdout=subprocess.PIPE, text=True)
    try:
        url = server.stdout.readline().strip()
        return {n: load(url + "/echo", n, seconds) for n in CLIENTS}
    finally:
        server.kill()
        server.wait()


def warm(report, name, url, function, yard, seconds):
    for n in CLIENTS:
        f, bare = load(url, n, seconds, SIGNED), yard[n]
        bad = f"{f['failed']} of {f['requests']} failed; " if f["failed"] else ""
        if n == 1:
            for q in ("p50", "p99"):
                report.row(name, f"warm {function}, 1 client, {q}", f[q + "_ms"], "ms", f"{bad}{f[q + '_ms'] / bare[q + '_ms']:.1f}x bare net/http")
        report.row(name, f"warm {function}, {n} clients", f["per_second"], "/s", f"{bad}{f['per_second'] / bare['per_second']:.3f}x bare net/http")


class Suite:
    """Functions of one running server."""

    def __init__(self, report, name, server, own):
        self.report, self.name, self.server, self.own = report, name, server, own
        self.client = boto3.client("lambda", endpoint_url=server.url, region_name="us-east-1", aws_access_key_id="test",
                                   aws_secret_access_key="test", config=Config(retries={"max_attempts": 0}, read_timeout=60))

    def url(self, fn):
        return f"{self.server.url}/2015-03-31/functions/{fn}/invocations"

    def deploy(self, function, **more):
        runtime, handler, files = FUNCTIONS[function]
        fn = "bench-" + "".join(c for c in function if c.isalnum())
        with contextlib.suppress(self.client.exceptions.ResourceNotFoundException):
            self.client.delete_function(FunctionName=fn)
        self.client.create_function(FunctionName=fn, Runtime=runtime, Handler=handler, Role=ROLE, Timeout=30, MemorySize=1769,
                                    Code={"ZipFile": package(files())}, **more)
        self.client.get_waiter("function_active_v2").wait(FunctionName=fn, WaiterConfig={"Delay": 0.1, "MaxAttempts": 300})
        return fn

    def change(self, fn, n):
        """Changes the configuration: what runs of the function is of no more use."""
        self.client.update_function_configuration(FunctionName=fn, Environment={"Variables": {"ROUND": str(n)}})
        self.client.get_waiter("function_updated_v2").wait(FunctionName=fn, WaiterConfig={"Delay": 0.05, "MaxAttempts": 300})

    def end(self, fn, n):
        """Ends the environment of a function that ends where it is told to."""
        self.client.invoke(FunctionName=fn, Payload=b'"end"')

    def invoke(self, fn):
        """One invocation on a new connection, in ms from the request's first byte to the reply's last."""
        c = http.client.HTTPConnection(self.server.url.removeprefix("http://"))
        c.connect()
        began = time.perf_counter()
        c.request("POST", f"/2015-03-31/functions/{fn}/invocations", EVENT, dict(h.split(": ", 1) for h in SIGNED))
        reply = c.getresponse()
        body = reply.read()
        took = (time.perf_counter() - began) * 1000
        c.close()
        if json.loads(body) != json.loads(EVENT):
            raise RuntimeError(f"{fn} answers {body[:200]!r}")
        return took

    def warm(self, function, yard, seconds):
        fn = self.deploy(function)
        self.invoke(fn)
        warm(self.report, self.name, self.url(fn), function, yard, seconds)

    def cold(self, function, times, pause):
        """The first request after a change of configuration, or after the environment's end: a new environment."""
        more, renew = {}, self.change
        if function == "python, pandas layer":
            layer = self.client.publish_layer_version(LayerName="pandas", Content={"ZipFile": pandas_layer()})
            more["Layers"], renew = [layer["LayerVersionArn"]], self.end
        fn = self.deploy(function, **more)
        first = self.invoke(fn)
        if renew == self.end:
            time.sleep(3)  # what a platform prepares for the second start of a function
        took = []
        for n in range(times):
            renew(fn, n)
            time.sleep(pause)
            took.append(self.invoke(fn))
        p50, p99, own = quantile(took, 0.5), quantile(took, 0.99), self.own[function]
        self.report.row(self.name, f"cold {function}, the first", first, "ms")
        self.report.row(self.name, f"cold {function}, p50 of {times}", p50, "ms",
                        f"{p50 / own:.3f}x the same program's own start ({own:.1f} ms)")
        self.report.row(self.name, f"cold {function}, p99 of {times}", p99, "ms", f"{p99 / p50:.1f}x p50")

    def at_once(self, function, busy=0, rested=lambda: None):
        """Many first requests at one moment; rested is called before it, in quiet."""
        fn = self.deploy(function)
        self.invoke(fn)
        self.change(fn, 0)
        time.sleep(2)
        rested()
        f = load(self.url(fn), AT_ONCE, 0, SIGNED, "burst")
        failed = f"; {f['failed']} failed" if f["failed"] else ""
        note = "; less the second that each handler is busy" if busy else "; who waits may get an environment that is free again"
        self.report.row(self.name, f"{AT_ONCE} at once, cold {function}, all answered", f["all_ms"] - busy, "ms",
                        f"median {f['p50_ms'] - busy:.0f} ms{note}{failed}")

    def idle(self, version):
        """Memory of idle environments: a busy handler in each of many simultaneous invocations, then rest.

        It is done twice, since after the first time more is kept ready than before it.
        """
        def measure():
            time.sleep(4)
            pids = process_tree(self.server.process.pid)
            measured.append((memory(pids, "Pss"), len(pids)))

        measured = []
        load(self.url(self.deploy(f"{version}, busy")), AT_ONCE, 0, SIGNED, "burst")
        self.at_once(f"{version}, busy", 1000, measure)
        measure()
        (before, fewer), (after, more) = measured
        # Who waits for long takes an environment that is free again: then there are less than a hundred.
        made = (more - fewer) / PROCESSES_EACH.get(self.name, 1)
        each = (after - before) / made
        self.report.row(self.name, f"idle {version}, boto3 client, each", each, "MB",
                        f"PSS of {more} processes, {after:.0f} MB, less {before:.0f} MB before, by {made:.0f}")
        self.report.row(self.name, f"idle {version}, boto3 client, fit in 1 GiB", (1024 - before) / each, "",
                        "beside the platform; extrapolated; without the kernel's own memory")


@contextlib.contextmanager
def running(report, name, own, *arguments):
    """A suite on a new server without data."""
    with tempfile.TemporaryDirectory() as data:
        server = STARTERS[name](pathlib.Path(data), *arguments)
        try:
            yield Suite(report, name, server, own)
        finally:
            server.stop()


def suite(report, name, yard, own, seconds, colds):
    pause = 0.2 if name == "cirro" else 0.05
    with running(report, name, own) as s:
        for function in ("python", "node", "static binary, aws-lambda-go", "static binary, plain socket"):
            report.attempt(name, f"warm {function}", lambda: s.warm(function, yard, seconds))
    with running(report, name, own) as s:
        for function in own:
            report.attempt(name, f"cold {function}", lambda: s.cold(function, colds, pause))
        report.attempt(name, f"{AT_ONCE} at once", lambda: s.at_once("python"))
    for version in PYTHONS if name == "cirro" else PYTHONS[:1]:
        # As a machine with 1 GiB has it by default.
        with running(report, name, own, *(("--pool-memory", "64") if name == "cirro" else ())) as s:
            report.attempt(name, "idle environments", lambda: s.idle(version))
