"""What the system tests share: a running platform, clients of it, and the steps most begin with."""
import importlib.util
import io
import os
import pathlib
import sys
import textwrap
import time
import uuid
import zipfile

import boto3
import pytest
from botocore.config import Config

sys.path.insert(0, os.path.dirname(__file__))
from cirro import Cirro

ROLE = "arn:aws:iam::000000000000:role/test"
RUNTIME = "python3.11"


@pytest.fixture(scope="session")
def cirro(tmp_path_factory):
    """The platform that the tests share. A test that stops or crashes one starts its own Cirro."""
    with Cirro(tmp_path_factory.mktemp("cirro")) as platform:
        yield platform


@pytest.fixture(scope="session")
def endpoint(cirro):
    return cirro.url


def make_client(url, service, **kw):
    config = Config(retries={"max_attempts": 1}, read_timeout=120, max_pool_connections=64).merge(kw.pop("config", Config()))
    return boto3.client(service, endpoint_url=url, config=config,
                        **{"region_name": "us-east-1", "aws_access_key_id": "test", "aws_secret_access_key": "test", **kw})


@pytest.fixture(scope="session")
def client(endpoint):
    """client("lambda") is a boto3 client of the platform; keywords go to boto3.client."""
    cache = {}

    def get(service, **kw):
        key = (service, repr(sorted(kw.items())))
        if key not in cache:
            cache[key] = make_client(endpoint, service, **kw)
        return cache[key]
    return get


def unique(prefix="t"):
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


def package(source, file="app.py", **files):
    """A deployment package as zip bytes."""
    buf = io.BytesIO()
    with zipfile.ZipFile(buf, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr(file, textwrap.dedent(source))
        for path, text in files.items():
            z.writestr(path, text)
    return buf.getvalue()


def package_with(modules, source):
    """A deployment package with installed Python modules beside the source."""
    buf = io.BytesIO(package(source))
    with zipfile.ZipFile(buf, "a", zipfile.ZIP_DEFLATED) as z:
        for name in modules:
            path = pathlib.Path(importlib.util.find_spec(name).origin)
            root = path.parent if path.name != "__init__.py" else path.parent.parent
            for file in [path] if path.name != "__init__.py" else path.parent.rglob("*.py"):
                z.write(file, str(file.relative_to(root)))
    return buf.getvalue()


@pytest.fixture(scope="session")
def function(client):
    """function(source, "app.handler", **config) makes a function, waits until it is active, returns its name."""
    def make(source, handler="app.handler", name=None, **config):
        name = name or unique("fn")
        code = config.pop("Zip", None) or package(source)
        config.setdefault("Timeout", 60)  # Lambda's 3 seconds are too few for a busy machine
        client("lambda").create_function(FunctionName=name, Runtime=config.pop("Runtime", RUNTIME), Handler=handler,
                                         Role=ROLE, Code={"ZipFile": code}, **config)
        client("lambda").get_waiter("function_active_v2").wait(
            FunctionName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 1200})
        return name
    return make


def eventually(check, within=120, every=0.05):
    """Call check until it returns something true, or fail with its last value or error."""
    deadline, last = time.monotonic() + within, None
    while time.monotonic() < deadline:
        try:
            last = check()
            if last:
                return last
        except AssertionError as e:
            last = e
        time.sleep(every)
    pytest.fail(f"not within {within} s; last: {last!r}")
