"""AWS's runtime interface emulator with AWS's runtime client for Python: one function, one environment."""
import pathlib
import tempfile
import urllib.request

from invokes import SIGNED, load
from programs import BOTO3, ECHO, EVENT
from report import quantile
from subjects import Server, emulator, free_port, venv

PATH = "/2015-03-31/functions/function/invocations"


def start(directory):
    """Starts it, up to the first reply: that is its cold start."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    python = venv("awslambdaric", "awslambdaric", "boto3") / "python"
    return Server([emulator(), "--runtime-interface-emulator-address", f"127.0.0.1:{port}", "--runtime-api-address", f"127.0.0.1:{free_port()}",
                   python, "-m", "awslambdaric", "app.handler"],
                  url, urllib.request.Request(url + PATH, EVENT.encode(), method="POST"),
                  {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}, directory)


def measure(report, yard, own, seconds, colds):
    name = "AWS's emulator"
    with tempfile.TemporaryDirectory() as d:
        app = pathlib.Path(d) / "app.py"
        for function, code in (("python", ECHO), ("python, boto3 client", BOTO3 + ECHO)):
            app.write_text(code)
            took = []
            for _ in range(colds):
                server = start(d)
                took.append(server.started)
                server.stop()
            report.row(name, f"cold {function}, p50 of {colds}", quantile(took, 0.5), "ms",
                       f"process start to first reply; {quantile(took, 0.5) / own[function]:.3f}x the same program's own start")
        app.write_text(ECHO)
        server = start(d)
        try:
            f = load(server.url + PATH, 1, seconds, SIGNED)
            report.row(name, "warm python, 1 client, p50", f["p50_ms"], "ms", f"{f['p50_ms'] / yard[1]['p50_ms']:.1f}x bare net/http")
            report.attempt(name, "warm python, 2 clients", lambda: report.row(
                name, "warm python, 2 clients", load(server.url + PATH, 2, seconds, SIGNED)["per_second"], "/s"))
        finally:
            server.stop()
