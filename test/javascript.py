"""Runs scripts on AWS's SDK for JavaScript, and packs functions with it; npm fetches it once by test/javascript/package-lock.json."""
import fcntl
import hashlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import zipfile

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PACKAGE = ROOT / "test" / "javascript"
CACHE = ROOT / ".cache" / "javascript"


def modules():
    """The directory with node_modules, fetched if it is not there."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("AWS's SDK for JavaScript needs node and npm")
    lock = PACKAGE / "package-lock.json"
    here = CACHE / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not (here / "complete").exists():
            shutil.copytree(PACKAGE, here, dirs_exist_ok=True)
            subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=here, check=True, timeout=300)
            (here / "complete").touch()
    return here / "node_modules"


def run(endpoint, script, *args):
    """Run a script as a client of the platform; it prints JSON, which is returned."""
    env = {"PATH": os.environ["PATH"], "NODE_PATH": str(modules()), "AWS_ENDPOINT_URL": endpoint, "AWS_REGION": "us-east-1",
           "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    done = subprocess.run(["node", "-", *args], input=script, capture_output=True, text=True, env=env, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def package(source, *names):
    """A deployment package of index.mjs with the named modules and what they depend on."""
    root, wanted, packed, buf = modules(), list(names), set(), io.BytesIO()
    with zipfile.ZipFile(buf, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("index.mjs", source)
        while wanted:
            name = wanted.pop()
            if name in packed:
                continue
            packed.add(name)
            wanted += json.loads((root / name / "package.json").read_text()).get("dependencies", {})
            for file in (root / name).rglob("*"):
                if file.suffix in (".js", ".cjs", ".mjs", ".json"):
                    z.write(file, str(pathlib.Path("node_modules") / file.relative_to(root)))
    return buf.getvalue()
