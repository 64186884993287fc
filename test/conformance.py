"""AWS's conformance requirements for durable functions, which pip fetches once by test/conformance.txt."""
import fcntl
import hashlib
import pathlib
import subprocess
import sys
import zipfile

ROOT = pathlib.Path(__file__).parent.parent
LOCK = ROOT / "test" / "conformance.txt"
CACHE = ROOT / ".cache" / "conformance"
NAME = "aws_durable_execution_conformance_tests"


def package():
    """The directory of the package, whose modules can be imported from then on; fetched if it is not there."""
    here = CACHE / hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    here.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not (here / NAME).exists():
            subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:",
                            "--python-version", "3.14", "--require-hashes", "-r", LOCK, "-d", here], check=True, timeout=300)
            wheel, = here.glob("*.whl")
            with zipfile.ZipFile(wheel) as z:
                z.extractall(here)
    if str(here) not in sys.path:
        sys.path.append(str(here))
    return here / NAME
