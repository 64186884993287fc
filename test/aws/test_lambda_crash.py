"""What Lambda acknowledged survives SIGKILL at any moment: functions are there, whole, and become active."""
import io
import random
import signal
import threading
import zipfile

import requests
from botocore.exceptions import BotoCoreError, ClientError

from cirro import Cirro
from conftest import eventually, make_client, package
from test_lambda_functions import create

ROUNDS = 5


def source(name):
    return f"def handler(event, context): return {name!r}"


def create_until_killed(url, names, acknowledged):
    awslambda = make_client(url, "lambda")
    for name in names:
        try:
            create(awslambda, name, Code={"ZipFile": package(source(name))}, Publish=True)
            acknowledged.append(name)
        except (BotoCoreError, ClientError):
            return


def test_acknowledged_functions_survive(tmp_path):
    with Cirro(tmp_path) as platform:
        awslambda, acknowledged = make_client(platform.url, "lambda"), []
        for n in range(ROUNDS):
            threads = [threading.Thread(target=create_until_killed, args=(
                platform.url, [f"f-{n}-{t}-{i}" for i in range(500)], acknowledged)) for t in range(2)]
            for t in threads:
                t.start()
            enough = len(acknowledged) + random.randint(1, 20)
            eventually(lambda: len(acknowledged) >= enough)
            platform.stop(signal.SIGKILL)
            for t in threads:
                t.join()
            platform.start()
        listed = {f["FunctionName"] for p in awslambda.get_paginator("list_functions").paginate() for f in p["Functions"]}
        assert set(acknowledged) <= listed
        for name in listed:  # those that were not acknowledged may be there; if so, they are whole
            for qualifier in ("$LATEST", "1"):
                eventually(lambda: awslambda.get_function_configuration(FunctionName=name, Qualifier=qualifier)["State"] == "Active")
            location = awslambda.get_function(FunctionName=name)["Code"]["Location"]
            with zipfile.ZipFile(io.BytesIO(requests.get(location).content)) as z:
                assert z.read("app.py").decode() == source(name)
        for name in random.sample(acknowledged, 3):
            assert awslambda.invoke(FunctionName=name)["Payload"].read().decode() == f'"{name}"'
        assert not list(tmp_path.glob("functions/scratch/*")) and not list(tmp_path.glob("blobs/incoming/*/*"))
