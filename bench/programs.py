"""The functions that are measured, and how long their programs take to start by themselves."""
import io
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile

from subjects import CACHE, ROOT, wheels

EVENT = '{"id": "42", "name": "Ada", "tags": ["a", "b"]}'
ECHO = "def handler(event, context): return event\n"
BOTO3 = "import boto3\ns3 = boto3.client('s3')\n"
# Busy for a second, so that each of many simultaneous invocations needs an environment of its own.
BUSY = BOTO3 + "import time\ndef handler(event, context):\n    time.sleep(1)\n    return event\n"
# Ends its environment where it is told to, so that the next one can be measured without a change of the function.
PANDAS = "import os, pandas\ndef handler(event, context):\n    return os._exit(1) if event == 'end' else event\n"
LOAD = CACHE / "load"

# An environment takes less of its own where the interpreter has immortal objects, from Python 3.12 on.
PYTHONS = ("python3.11", "python3.12", "python3.13")

# name: runtime, handler, files
FUNCTIONS = {
    "python": ("python3.11", "app.handler", lambda: {"app.py": ECHO}),
    "python, boto3 client": ("python3.11", "app.handler", lambda: {"app.py": BOTO3 + ECHO}),
    **{f"{version}, busy": (version, "app.handler", lambda: {"app.py": BUSY}) for version in PYTHONS},
    "python, pandas layer": ("python3.11", "app.handler", lambda: {"app.py": PANDAS}),
    "node": ("nodejs20.x", "index.handler", lambda: {"index.js": "exports.handler = async (event) => event;\n"}),
    "static binary, aws-lambda-go": ("provided.al2023", "bootstrap", lambda: {"bootstrap": (CACHE / "echo").read_bytes()}),
    "static binary, plain socket": ("provided.al2023", "bootstrap", lambda: {"bootstrap": (CACHE / "fastecho").read_bytes()}),
}


def build():
    CACHE.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, "CGO_ENABLED": "0"}
    for program, package in (("load", "./bench/load"), ("echo", "./bench/functions/echo"), ("fastecho", "./bench/functions/fastecho")):
        subprocess.run(["go", "build", "-ldflags=-s -w", "-o", CACHE / program, package], cwd=ROOT, check=True, env=env)


def package(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            info.external_attr = 0o755 << 16
            z.writestr(info, data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def pandas():
    """A directory with pandas and what it needs, without its tests: a layer may be uploaded up to 50 MB."""
    where = CACHE / "pandas"
    if not (where / "stamp").exists():
        found = wheels("pandas-wheels", "--python-version", "3.11", "--platform", "manylinux2014_x86_64", "--platform",
                       "manylinux_2_28_x86_64", "pandas")
        for wheel in found.glob("*.whl"):
            with zipfile.ZipFile(wheel) as z:
                z.extractall(where, [n for n in z.namelist() if "/tests/" not in n])
        (where / "stamp").touch()
    return where


def pandas_layer():
    where = pandas()
    return package({f"python/{p.relative_to(where)}": p.read_bytes() for p in sorted(where.rglob("*")) if p.is_file()})


def own_starts():
    """How long the programs take by themselves, without walls: exec to exit, p50 in ms."""
    python = shutil.which("python3.11", path="/usr/bin") or sys.executable
    env = {"AWS_DEFAULT_REGION": "us-east-1", "PATH": "/usr/bin:/bin"}
    boto3 = {**env, "PYTHONPATH": os.environ.get("CIRRO_RUNTIMES", str(ROOT / "bin" / "runtimes")) + "/python"}
    with tempfile.TemporaryDirectory() as d:
        script = pathlib.Path(d) / "b.py"
        script.write_text(BOTO3)
        commands = {
            "python": ([python, "-c", "pass"], env),
            "python, boto3 client": ([python, script], boto3),
            "python, pandas layer": ([python, "-c", "import pandas"], {**env, "PYTHONPATH": str(pandas())}),
            "node": ([shutil.which("node"), "-e", "0"], env),
            "static binary, aws-lambda-go": ([CACHE / "echo"], env),
            "static binary, plain socket": ([CACHE / "fastecho"], env),
        }
        for command, e in commands.values():
            subprocess.run(command, env=e, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # the first writes caches
        return {name: own_start(*c) for name, c in commands.items()}


def own_start(command, env):
    took = []
    for _ in range(15):
        began = time.perf_counter()
        subprocess.run(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)
