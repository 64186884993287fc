"""Concurrency as AWS has it: reserved, provisioned, throttled."""
import concurrent.futures
import json
import signal

import pytest
from botocore.exceptions import ClientError

from cirro import Cirro
from conftest import ROLE, RUNTIME, eventually, make_client, package, unique

HOW = """
    import os, time, uuid
    ENVIRONMENT = str(uuid.uuid4())
    def handler(event, context):
        start = time.time()
        if event.get("exit"):
            os._exit(3)
        time.sleep(event.get("sleep", 0))
        return {"how": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"], "environment": ENVIRONMENT,
                "version": context.function_version, "start": start, "end": time.time()}
"""


@pytest.fixture
def lam(client):
    return client("lambda")


def call(lam, name, qualifier=None, **event):
    kw = {"Qualifier": qualifier} if qualifier else {}
    # Whoever asks for the log is answered when the environment has come to rest: the next call finds it idle.
    return json.load(lam.invoke(FunctionName=name, Payload=json.dumps(event), LogType="Tail", **kw)["Payload"])


def at_once(n, f):
    """The results of n calls of f at the same time."""
    with concurrent.futures.ThreadPoolExecutor(n) as pool:
        return [r.result() for r in [pool.submit(f) for _ in range(n)]]


def provision(lam, name, qualifier, n, status="READY"):
    lam.put_provisioned_concurrency_config(FunctionName=name, Qualifier=qualifier, ProvisionedConcurrentExecutions=n)
    return settled(lam, name, qualifier, status)


def settled(lam, name, qualifier, status="READY"):
    def config():
        c = lam.get_provisioned_concurrency_config(FunctionName=name, Qualifier=qualifier)
        return c["Status"] == status and c
    return eventually(config)


def throttled(lam, name, sleep=0.3):
    """An invocation's answer, or the reason why it was throttled."""
    try:
        return call(lam, name, sleep=sleep)
    except ClientError as e:
        assert e.response["ResponseMetadata"]["HTTPStatusCode"] == 429
        assert e.response["Error"]["Code"] == "TooManyRequestsException"
        return e.response["Reason"]


def test_reserved_concurrency_is_never_exceeded(lam, function):
    name, limit = function(HOW), 3
    lam.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=limit)
    answers = []
    for _ in range(3):
        answers += at_once(50, lambda: throttled(lam, name, 0.3))
    ran = [a for a in answers if isinstance(a, dict)]
    assert limit <= len(ran) < len(answers)
    assert {a for a in answers if isinstance(a, str)} == {"ReservedFunctionConcurrentInvocationLimitExceeded"}
    marks = sorted([(a["start"], 1) for a in ran] + [(a["end"], -1) for a in ran])
    inside = most = 0
    for _, step in marks:
        inside += step
        most = max(most, inside)
    assert most <= limit
    assert len({a["environment"] for a in ran}) <= limit


def test_a_function_that_is_off_is_off_in_every_way(lam, function):
    name = function(HOW)
    lam.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    for invoke in (lam.invoke, lam.invoke_with_response_stream):
        with pytest.raises(ClientError) as e:
            invoke(FunctionName=name, Payload="{}")
        assert e.value.response["Error"]["Code"] == "TooManyRequestsException"
        assert e.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
        assert e.value.response["Error"]["Message"] == "Rate Exceeded."
    lam.delete_function_concurrency(FunctionName=name)
    assert call(lam, name)["how"] == "on-demand"


def test_provisioned_environments_are_used_first(lam, function, client):
    name = function(HOW)
    version = lam.publish_version(FunctionName=name)["Version"]
    c = provision(lam, name, version, 2)
    assert (c["RequestedProvisionedConcurrentExecutions"], c["AllocatedProvisionedConcurrentExecutions"],
            c["AvailableProvisionedConcurrentExecutions"]) == (2, 2, 2)
    assert "StatusReason" not in c

    # They were initialised before anybody called, and say so in the log.
    group = f"/aws/lambda/{name}"
    def initialised():
        events = client("logs").filter_log_events(logGroupName=group)["events"]
        return sum("INIT_START" in e["message"] for e in events) == 2
    eventually(initialised)

    # Two run in what is ready, the third on demand.
    got = at_once(3, lambda: call(lam, name, version, sleep=2))
    assert sorted(a["how"] for a in got) == ["on-demand", "provisioned-concurrency", "provisioned-concurrency"]
    assert len({a["environment"] for a in got}) == 3

    # An alias of that version is served by the same, $LATEST is not.
    lam.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    assert call(lam, name, "live")["how"] == "provisioned-concurrency"
    assert call(lam, name)["how"] == "on-demand"

    lam.delete_provisioned_concurrency_config(FunctionName=name, Qualifier=version)
    assert call(lam, name, version)["how"] == "on-demand"
    provision(lam, name, version, 1)
    again = call(lam, name, version)
    assert again["how"] == "provisioned-concurrency" and again["environment"] not in {a["environment"] for a in got}


def test_a_provisioned_environment_that_crashes_is_replaced(lam, function):
    name = function(HOW)
    version = lam.publish_version(FunctionName=name)["Version"]
    provision(lam, name, version, 1)
    first = call(lam, name, version)
    assert "Runtime exited" in call(lam, name, version, exit=True)["errorMessage"]
    second = call(lam, name, version)
    assert second["how"] == "provisioned-concurrency" and second["environment"] != first["environment"]


def test_provisioned_concurrency_fails_with_the_initialization(lam, function):
    name = function("raise Exception('not today')\ndef handler(event, context): pass\n")
    version = lam.publish_version(FunctionName=name)["Version"]
    c = provision(lam, name, version, 1, "FAILED")
    assert c["StatusReason"] == "FUNCTION_ERROR_INIT_FAILURE"
    assert c["AvailableProvisionedConcurrentExecutions"] == 0


def test_provisioned_concurrency_moves_with_an_alias(lam, function):
    name = function(HOW)
    one = lam.publish_version(FunctionName=name)["Version"]
    lam.create_alias(FunctionName=name, Name="live", FunctionVersion=one)
    provision(lam, name, "live", 2)
    assert call(lam, name, "live")["how"] == "provisioned-concurrency"
    assert call(lam, name, one)["how"] == "on-demand"  # kept for the alias alone

    lam.update_function_code(FunctionName=name, ZipFile=package(HOW + "    # changed\n"))
    lam.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 1200})
    assert call(lam, name, "live")["how"] == "provisioned-concurrency"  # $LATEST alone changed
    two = lam.publish_version(FunctionName=name)["Version"]
    lam.update_alias(FunctionName=name, Name="live", FunctionVersion=two)
    settled(lam, name, "live")
    got = call(lam, name, "live")
    assert (got["how"], got["version"]) == ("provisioned-concurrency", two)

    # With weights both versions have their share.
    lam.update_alias(FunctionName=name, Name="live", RoutingConfig={"AdditionalVersionWeights": {one: 0.5}})
    settled(lam, name, "live")
    got = [call(lam, name, "live") for _ in range(20)]
    assert {a["how"] for a in got} == {"provisioned-concurrency"}
    assert {a["version"] for a in got} == {one, two}

    with pytest.raises(ClientError, match="Provisioned Concurrency Configs cannot be applied to unpublished function versions."):
        lam.update_alias(FunctionName=name, Name="live", FunctionVersion="$LATEST", RoutingConfig={})


def test_provisioned_concurrency_outlives_a_crash(tmp_path):
    with Cirro(tmp_path) as platform:
        lam = make_client(platform.url, "lambda")
        name = unique()
        lam.create_function(FunctionName=name, Runtime=RUNTIME, Handler="app.handler", Role=ROLE, Code={"ZipFile": package(HOW)}, Publish=True)
        lam.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 1200})
        lam.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=3)
        provision(lam, name, "1", 2)
        platform.restart(signal.SIGKILL)
        lam = make_client(platform.url, "lambda")
        c = settled(lam, name, "1")
        assert c["AvailableProvisionedConcurrentExecutions"] == 2
        assert lam.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 3
        assert call(lam, name, "1")["how"] == "provisioned-concurrency"


def test_limits_of_provisioned_concurrency(lam, function):
    name = function(HOW)
    version = lam.publish_version(FunctionName=name)["Version"]
    lam.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=2)

    def refused(**kw):
        with pytest.raises(ClientError) as e:
            lam.put_provisioned_concurrency_config(**{"FunctionName": name, "Qualifier": version, "ProvisionedConcurrentExecutions": 1, **kw})
        return e.value.response["Error"]["Code"], e.value.response["Error"]["Message"]
    assert refused(ProvisionedConcurrentExecutions=3) == (
        "InvalidParameterValueException", "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function")
    assert refused(Qualifier="$LATEST")[1] == "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
    provision(lam, name, version, 2)

    # All that is reserved is kept ready: nothing is left for others.
    assert throttled(lam, name) == "ReservedFunctionConcurrentInvocationLimitExceeded"
    with pytest.raises(ClientError, match="should not be lower than function's total provisioned concurrency"):
        lam.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    lam.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    assert refused(Qualifier="live") == (
        "ResourceConflictException", "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version")
