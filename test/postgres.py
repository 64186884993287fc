"""A PostgreSQL server for tests: Debian's package, in a temporary directory, on a free port of loopback."""
import atexit
import functools
import itertools
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

PROGRAMS = pathlib.Path("/usr/lib/postgresql/15/bin")


class Unable(Exception):
    """Why PostgreSQL cannot be started here."""


@functools.cache
def shared():
    """The server that all tests of this process share; it ends with the process."""
    server = Server()
    atexit.register(server.close)
    return server


class Server:
    """A running server. What it holds is lost if the machine stops: that is not what is tested."""

    def __init__(self):
        if not (PROGRAMS / "initdb").exists():
            raise Unable("Debian's package postgresql-15 is not installed")
        self.dir = tempfile.mkdtemp(prefix="cirro-postgres-")
        self.user = []
        if os.geteuid() == 0:  # PostgreSQL refuses root
            shutil.chown(self.dir, "postgres", "postgres")
            self.user = ["--reuid=postgres", "--regid=postgres", "--clear-groups"]
        self.numbers = itertools.count(1)
        self.run("initdb", "--pgdata", f"{self.dir}/data", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        # The server ends with who started it, however that ends.
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig=QUIT", *self.user, PROGRAMS / "postgres", "-D", f"{self.dir}/data", "-h", "127.0.0.1", "-p", str(self.port), "-k", "",
             "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=300", "-c", "log_min_messages=fatal"],
            cwd=self.dir)
        deadline = time.monotonic() + 120
        while subprocess.run([PROGRAMS / "pg_isready", "-q", "-U", "postgres", "-h", "127.0.0.1", "-p", str(self.port)]).returncode:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("PostgreSQL does not answer")
            time.sleep(0.05)

    def run(self, program, *args):
        subprocess.run(["setpriv", *self.user, PROGRAMS / program, *args], cwd=self.dir, check=True, stdout=subprocess.DEVNULL)

    def database(self):
        """A new database's URL."""
        name = f"platform{next(self.numbers)}"
        self.run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", name)
        return f"postgres://postgres@127.0.0.1:{self.port}/{name}"

    def close(self):
        self.process.send_signal(2)  # its clients are cut off
        self.process.wait(60)
        shutil.rmtree(self.dir)
