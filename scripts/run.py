"""What `make run` does after building: start the platform over .cirro/data, deploy examples/orders, make a
request, print the reply and what to try next, and keep serving until interrupted.

This process becomes the platform, so that Ctrl-C and SIGTERM reach it; a child waits for it and deploys.
"""
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).parent.parent
LISTEN = os.environ.get("CIRRO_LISTEN", "127.0.0.1:4566")
DATA = pathlib.Path(os.environ.get("CIRRO_DATA", ROOT / ".cirro" / "data"))


def main():
    DATA.mkdir(parents=True, exist_ok=True)
    platform = os.getpid()
    if os.fork() == 0:
        sys.exit(deploy(platform, f"http://{LISTEN}"))
    os.execv(ROOT / "bin" / "cirro", ["cirro", "serve", "--listen", LISTEN, "--data", str(DATA)])


def deploy(platform, url):
    import subprocess  # here, so that the platform need not wait for these
    import time
    import urllib.request

    while os.getppid() == platform:
        try:
            urllib.request.urlopen(f"{url}/_cirro/health", timeout=1).close()
            break
        except OSError:
            time.sleep(0.01)
    if os.getppid() != platform:  # it could not start, and has said why
        return 0
    status = subprocess.call([sys.executable, ROOT / "examples" / "orders" / "deploy.py"],
                             env={**os.environ, "AWS_ENDPOINT_URL": url})
    print("\nServing until Ctrl-C." if status == 0 else "\nThe example could not be deployed; serving all the same.", flush=True)
    return status


if __name__ == "__main__":
    main()
