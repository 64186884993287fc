"""S3 side by side: Cirro and versitygw, both on one disk, under one load. Cirro alone waits for the disk."""
import json
import os
import pathlib
import subprocess
import tempfile
import time

import boto3
from botocore.config import Config

from programs import LOAD
from subjects import Server, free_port, install, memory, process_tree, start_cirro

VERSITYGW = "v1.8.0"
ACCESS, SECRET = "test", "testsecret"
SMALL, LARGE = 4 << 10, 256 << 20
KEYS = 2000         # small objects that are put and read
PAGE = 1000         # keys that a list returns
CHUNK = 100_000     # keys that one run of the load generator puts


def start_versitygw(data):
    where = install(f"versitygw-{VERSITYGW}", "go", lambda where: subprocess.run(
        ["go", "install", f"github.com/versity/versitygw/cmd/versitygw@{VERSITYGW}"], check=True, env={**os.environ, "GOBIN": str(where)}))
    port = free_port()
    root = data / "root"
    root.mkdir()
    return Server([where / "versitygw", "--port", f"127.0.0.1:{port}", "--health", "/health", "--quiet", "posix", root],
                  f"http://127.0.0.1:{port}", "/health", env={"ROOT_ACCESS_KEY": ACCESS, "ROOT_SECRET_KEY": SECRET})


STARTERS = {"cirro": start_cirro, "versitygw": start_versitygw}


class Bucket:
    """A bucket of a running server, with the loads on it."""

    def __init__(self, server, name, seconds):
        self.server, self.url, self.seconds = server, f"{server.url}/{name}/", seconds
        client = boto3.client("s3", endpoint_url=server.url, region_name="us-east-1", aws_access_key_id=ACCESS,
                              aws_secret_access_key=SECRET, config=Config(retries={"max_attempts": 3}))
        client.create_bucket(Bucket=name)

    def load(self, method, size, clients, keys, prefix="", query="", once=False, warmup="1s"):
        """Signed requests, as long as is measured, or each once."""
        url = self.url[:-1] if query else self.url + prefix
        out = subprocess.run([LOAD, "objects", "-url", url, "-method", method, "-query", query, "-keys", str(keys), "-size", str(size),
                              "-clients", str(clients), "-for", "0s" if once else f"{self.seconds}s", "-warmup", warmup,
                              "-access", ACCESS, "-secret", SECRET], capture_output=True, text=True)
        if out.returncode:
            raise RuntimeError(out.stderr.strip().splitlines()[-1])
        f = json.loads(out.stdout)
        if f["failed"]:
            raise RuntimeError(f"{f['failed']} of {f['requests']} requests failed")
        return f

    def memory(self):
        return memory(process_tree(self.server.process.pid), "VmHWM")


def small(report, name, bucket, row):
    bucket.load("PUT", SMALL, 32, KEYS, "small-", once=True)
    for method in ("PUT", "GET"):
        for clients in (1, 32):
            f = bucket.load(method, SMALL, clients, KEYS, "small-")
            row(f"{method} 4 KiB, {clients} client{'s' * (clients > 1)}", f["per_second"], "/s", f"p50 {f['p50_ms']:.2f} ms, p99 {f['p99_ms']:.2f} ms")
    report.row(name, "most memory, small objects", bucket.memory(), "MB")


def large(report, name, bucket, row):
    for method in ("PUT", "GET"):
        if method == "GET":
            bucket.load("PUT", LARGE, 1, 2, "large-", once=True)
        f = bucket.load(method, LARGE, 1, 2, "large-", warmup="0s")
        row(f"{method} 256 MiB, 1 client", f["per_second"] * LARGE / (1 << 20), "MiB/s", f"{f['requests']} objects")
    report.row(name, "most memory, large objects too", bucket.memory(), "MB")


def listing(report, name, bucket, sizes, row):
    """A page of 1,000 keys from the middle, as the bucket grows."""
    full, calm = 0, None
    for size in sizes:
        began = time.perf_counter()
        for at in range(full, size, CHUNK):
            bucket.load("PUT", 0, 32, min(CHUNK, size - at), f"{at // CHUNK:04}-", once=True)
        if size - full >= CHUNK:
            report.row(name, f"filled to {size:,} empty objects", (size - full) / (time.perf_counter() - began), "/s")
            time.sleep(10)  # what the filling left to be done
        full = size
        middle = f"{size // CHUNK // 2:04}-{0:08}" if size > CHUNK else ""
        f = bucket.load("GET", 0, 1, 1, query=f"list-type=2&max-keys={PAGE}&start-after={middle}")
        calm = calm or f["p50_ms"]
        row(f"a page of {PAGE:,} out of {size:,} keys, p50", f["p50_ms"], "ms", f"{f['p50_ms'] / calm:.2f}x of {calm:.2f} ms")


def suite(report, names, seconds, objects):
    first = {}
    for name in names:
        def row(measure, value, unit, note):
            if name == "cirro":
                first[measure] = value
            elif measure in first:
                ratio = first[measure] / value if unit != "ms" else value / first[measure]
                note += f"; Cirro does {ratio:.2f}x"
            report.row(name, measure, value, unit, note)

        def measure():
            with tempfile.TemporaryDirectory() as directory:
                server = STARTERS[name](pathlib.Path(directory))
                try:
                    bucket = Bucket(server, "bench", seconds)
                    small(report, name, bucket, row)
                    large(report, name, bucket, row)
                    listing(report, name, Bucket(server, "listed", seconds), [1000, objects] if name == "cirro" else [1000], row)
                finally:
                    server.stop()
        report.attempt(name, "S3", measure)
