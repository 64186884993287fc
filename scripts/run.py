"""What `make run` does after building: start the platform over .cirro/data, deploy examples/orders, make a
request, print the reply and what to try next, and keep serving until interrupted."""
import os
import pathlib
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).parent.parent
LISTEN = os.environ.get("CIRRO_LISTEN", "127.0.0.1:4566")
DATA = pathlib.Path(os.environ.get("CIRRO_DATA", ROOT / ".cirro" / "data"))


def main():
    DATA.mkdir(parents=True, exist_ok=True)
    server = subprocess.Popen([ROOT / "bin" / "cirro", "serve", "--listen", LISTEN, "--data", DATA],
                              stdout=subprocess.PIPE, text=True)
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    try:
        ready = server.stdout.readline()
        if not ready:
            return server.wait()
        print(ready, end="", flush=True)
        url = ready.split()[3]
        deploy = subprocess.run([sys.executable, ROOT / "examples" / "orders" / "deploy.py"],
                                env={**os.environ, "AWS_ENDPOINT_URL": url})
        if deploy.returncode:
            server.terminate()
            server.wait()
            return deploy.returncode
        print("\nServing until Ctrl-C.", flush=True)
        return server.wait()
    except KeyboardInterrupt:
        return server.wait()


if __name__ == "__main__":
    sys.exit(main())
