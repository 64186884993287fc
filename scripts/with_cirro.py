"""Run a command against a fresh platform: with_cirro.py COMMAND [ARG ...].

The platform's data live in a temporary directory; the command finds it through AWS_ENDPOINT_URL.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "test"))
from cirro import Cirro


def main():
    with tempfile.TemporaryDirectory(prefix="cirro-") as data, Cirro(data) as platform:
        env = {**os.environ, "AWS_ENDPOINT_URL": platform.url, "AWS_DEFAULT_REGION": "us-east-1",
               "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        return subprocess.run(sys.argv[1:], env=env).returncode


if __name__ == "__main__":
    sys.exit(main())
