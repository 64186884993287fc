"""What is measured: Cirro and its peers as processes, started alike."""
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile

ROOT = pathlib.Path(__file__).parent.parent
CACHE = ROOT / ".cache" / "bench"
sys.path.insert(0, str(ROOT / "test"))
from cirro import BINARY


def venv(name, *requirements):
    """A virtual environment with a peer; its bin directory."""
    bin_dir = CACHE / name / "bin"
    if not (CACHE / name / "stamp").exists():
        subprocess.run([sys.executable, "-m", "venv", CACHE / name], check=True)
        subprocess.run([bin_dir / "pip", "install", "-q", "--disable-pip-version-check", *requirements], check=True)
        (CACHE / name / "stamp").touch()
    return bin_dir


def wheels(name, *arguments):
    """A directory of wheels from the package index."""
    where = CACHE / name
    if not (where / "stamp").exists():
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--only-binary=:all:",
                        "-d", where, *arguments], check=True)
        (where / "stamp").touch()
    return where


def emulator():
    """AWS's runtime interface emulator, which the package of AWS's SAM command line carries."""
    program = CACHE / "aws-lambda-rie"
    if not program.exists():
        wheel = next(wheels("sam", "--no-deps", "aws-sam-cli").glob("*.whl"))
        program.write_bytes(zipfile.ZipFile(wheel).read("samcli/local/rapid/aws-lambda-rie-x86_64"))
        program.chmod(0o755)
    return program


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def process_tree(pid):
    """A process and all below it."""
    pids = [pid]
    for p in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for task in pathlib.Path(f"/proc/{p}/task").iterdir():
                pids += map(int, (task / "children").read_text().split())
    return pids


def memory(pids, field="VmRSS"):
    """MB of memory of processes: VmRSS counts shared pages in each, VmHWM is the most it ever was, Pss divides pages among those who share."""
    total = 0
    for p in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            text = pathlib.Path(f"/proc/{p}/{'status' if field.startswith('Vm') else 'smaps_rollup'}").read_text()
            total += next((int(line.split()[1]) for line in text.splitlines() if line.startswith(field + ":")), 0)
    return total / 1024


class Server:
    """A running server: a process with a URL, and how long it took from exec to its first good answer."""

    def __init__(self, command, url, health, env=None, cwd=None):
        self.url = url
        began = time.perf_counter()
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, env={**os.environ, **(env or {})}, stdout=self.log, stderr=self.log,
                                        start_new_session=True, cwd=cwd)
        while True:
            try:
                urllib.request.urlopen(health if isinstance(health, urllib.request.Request) else url + health, timeout=10).read()
                break
            except OSError:
                if self.process.poll() is not None or time.perf_counter() - began > 60:
                    self.stop()
                    raise RuntimeError(f"does not start: {self.last_words()}") from None
                time.sleep(0.002)
        self.started = (time.perf_counter() - began) * 1000

    def last_words(self):
        self.log.seek(0)
        lines = self.log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "no output"

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(15)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # what it left behind
        self.process.wait()


def start_cirro(data, *arguments):
    port = free_port()
    runtimes = os.environ.get("CIRRO_RUNTIMES", BINARY.parent / "runtimes")
    return Server([BINARY, "serve", "--listen", f"127.0.0.1:{port}", "--data", data, "--runtimes", runtimes, *arguments],
                  f"http://127.0.0.1:{port}", "/_cirro/health")


def install(name, program, fill):
    """A directory in the cache that fill has filled, with a program that must be there."""
    if not shutil.which(program):
        raise RuntimeError(f"{program} is not installed")
    where = CACHE / name
    if not (where / "stamp").exists():
        where.mkdir(parents=True, exist_ok=True)
        fill(where)
        (where / "stamp").touch()
    return where


def maven(name, group, artifact, version):
    """A directory with a Java program and the libraries that it needs, as Maven knows them."""
    def fill(where):
        (where / "pom.xml").write_text(f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>bench</groupId><artifactId>{name}</artifactId><version>1</version><dependencies><dependency>
<groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>
</dependency></dependencies></project>""")
        subprocess.run(["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib"], cwd=where, check=True)
    return install(f"{name}-{version}", "mvn", fill) / "lib"


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


def starts(report, name):
    """Start-up time and idle memory of a server without data."""
    took, resident = [], []
    for _ in range(7 if name == "cirro" else 2):
        with tempfile.TemporaryDirectory() as data:
            server = STARTERS[name](pathlib.Path(data))
            took.append(server.started)
            time.sleep(1)
            resident.append(memory(process_tree(server.process.pid), "Pss"))
            server.stop()
    report.row(name, "start-up, empty, to first reply, p50", sorted(took)[len(took) // 2], "ms")
    report.row(name, "idle memory", sorted(resident)[len(resident) // 2], "MB")
