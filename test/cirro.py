"""Starts and stops the real bin/cirro for tests, examples and benchmarks."""
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import threading
import time

import postgres

ROOT = pathlib.Path(__file__).parent.parent
BINARY = pathlib.Path(os.environ.get("CIRRO_BINARY", ROOT / "bin" / "cirro"))


def lasting_port():
    """A free port that no client is given as its own: so it is still free when a platform comes back that was killed."""
    first = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(first // 2, first)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Cirro:
    """One `cirro serve` over a data directory, on a free port of loopback.

    It can be killed and started again over the same data: what it acknowledged must still be there.
    With CIRRO_STORE=postgres in the environment, each keeps them in a database of its own.
    """

    def __init__(self, data, *args, listen="127.0.0.1:0", env=None):
        self.data, self.args, self.listen, self.env = data, args, listen, dict(env or {})
        if os.environ.get("CIRRO_STORE") == "postgres":
            self.env.setdefault("CIRRO_STORE", postgres.shared().database())
        self.process = self.url = None

    def start(self):
        if self.url:
            self.await_address()
        env = {**os.environ, "CIRRO_RETRY_SCALE": "0.01", **self.env}
        self.process = subprocess.Popen(
            [BINARY, "serve", "--listen", self.listen, "--data", self.data, *self.args],
            stdout=subprocess.PIPE, text=True, env=env)
        line = self.process.stdout.readline()
        ready = re.match(r"cirro: ready at (http://\S+)", line)
        if not ready:
            self.process.wait(60)
            raise RuntimeError(f"cirro did not start: {line!r}, exit status {self.process.returncode}")
        self.url = ready.group(1)
        self.listen = self.url.removeprefix("http://")  # the same address after a restart
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        return self

    def await_address(self):
        """What a platform that was killed was just starting holds its sockets for a moment more."""
        host, port = self.listen.rsplit(":", 1)
        deadline = time.monotonic() + 30
        while True:
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    return s.bind((host, int(port)))
                except OSError:
                    if time.monotonic() > deadline:
                        raise
            time.sleep(0.01)

    def stop(self, sig=signal.SIGTERM):
        """End it and return its exit status; SIGKILL for a crash."""
        self.process.send_signal(sig)
        return self.process.wait(120)

    def restart(self, sig=signal.SIGTERM):
        self.stop(sig)
        return self.start()

    __enter__ = start

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop()
