"""SnapStart: published versions that begin where they were initialised."""
import concurrent.futures
import json
import os
import signal

import pytest
from botocore.exceptions import ClientError, WaiterError

from cirro import Cirro
from conftest import ROLE, RUNTIME, eventually, make_client, package, unique

SNAP = {"ApplyOn": "PublishedVersions"}
QUICK = {"Delay": 0.1, "MaxAttempts": 1200}

COUNTER = """
    import os, random, uuid
    print("initialised")
    VALUE, calls = str(uuid.uuid4()), 0
    open("/tmp/mark", "w").write(VALUE)
    def handler(event, context):
        global calls
        calls += 1
        return {"value": VALUE, "mark": open("/tmp/mark").read(), "calls": calls, "random": random.random(),
                "uuid": str(uuid.uuid4()), "how": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"], "version": context.function_version}
"""

HOOKS = """
    import os, boto3
    from snapshot_restore_py import register_before_snapshot, register_after_restore
    calls = []
    session = boto3.session.Session()
    early = session.get_credentials()._expiry_time
    def note(what, more=""):
        calls.append(what + more)
    @register_before_snapshot
    def before():
        note("before 1")
    register_before_snapshot(note, "before ", more="2")
    @register_after_restore
    def after():
        note("after 1")
    register_after_restore(note, "after ", more="2")
    def handler(event, context):
        credentials = session.get_credentials()
        frozen = credentials.get_frozen_credentials()
        return {"calls": calls, "me": boto3.client("sts").get_caller_identity()["Arn"], "method": credentials.method,
                "fresh": (credentials._expiry_time - early).total_seconds(),
                "environment": sorted(n for n in os.environ if n.startswith("AWS_")), "token": bool(frozen.token)}
"""

COUNTER_JS = """
    console.log("initialised");
    const { randomUUID } = require("crypto");
    const value = randomUUID();
    let calls = 0;
    exports.handler = async () => ({ value, calls: ++calls, how: process.env.AWS_LAMBDA_INITIALIZATION_TYPE,
      key: process.env.AWS_ACCESS_KEY_ID ?? null });
"""


@pytest.fixture
def lam(client):
    return client("lambda")


@pytest.fixture
def published(lam, function):
    """published(source) makes a function with SnapStart and a version of it, and returns its name."""
    def make(source, status="published_version_active", **config):
        name = function(source, SnapStart=SNAP, **config)
        lam.publish_version(FunctionName=name)
        lam.get_waiter(status).wait(FunctionName=name, Qualifier="1", WaiterConfig=QUICK)
        return name
    return make


def call(lam, name, qualifier="1", **kw):
    # Whoever asks for the log is answered when the environment has come to rest: the next call finds it idle.
    r = lam.invoke(FunctionName=name, Qualifier=qualifier, LogType="Tail", **kw)
    assert "FunctionError" not in r, r["Payload"].read()
    return json.load(r["Payload"])


@pytest.fixture
def logged(client):
    """logged(name, part) waits until the function's log has a part in n lines, and returns them all as (stream, message)."""
    def wait(name, part, n=1):
        def look():
            try:
                pages = client("logs").get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}")
                all = [(e["logStreamName"], e["message"].rstrip("\n")) for page in pages for e in page["events"]]
            except ClientError:  # no group yet
                return None
            return all if sum(part in m for _, m in all) >= n else None
        return eventually(look)
    return wait


def test_a_version_waits_for_its_snapshot(lam, function):
    name = function("import time\ntime.sleep(3)\ndef handler(event, context): return 1\n", SnapStart=SNAP)
    latest = lam.get_function_configuration(FunctionName=name)
    assert latest["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"}
    version = lam.publish_version(FunctionName=name, Description="first")
    assert (version["State"], version["StateReasonCode"], version["Description"]) == ("Pending", "Creating", "first")
    with pytest.raises(ClientError) as e:
        lam.invoke(FunctionName=name, Qualifier="1")
    assert e.value.response["Error"]["Code"] == "ResourceConflictException"
    assert e.value.response["Error"]["Message"] == (
        "The operation cannot be performed at this time. The function is currently in the following state: Pending")
    for waiter in ("published_version_active", "function_active_v2"):
        lam.get_waiter(waiter).wait(FunctionName=name, Qualifier="1", WaiterConfig=QUICK)
    version = lam.get_function(FunctionName=name, Qualifier="1")["Configuration"]
    assert (version["State"], version["Description"]) == ("Active", "first")
    assert version["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}
    assert call(lam, name) == 1
    lam.update_function_configuration(FunctionName=name, SnapStart={"ApplyOn": "None"})
    lam.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=QUICK)
    assert lam.publish_version(FunctionName=name)["SnapStart"] == {"ApplyOn": "None", "OptimizationStatus": "Off"}
    assert lam.get_function_configuration(FunctionName=name, Qualifier="1")["SnapStart"]["OptimizationStatus"] == "On"


def test_a_version_begins_where_it_was_initialised(lam, published, logged):
    name = published(COUNTER)
    logged(name, "INIT_REPORT Init Duration: ")
    first = call(lam, name)
    assert (first["calls"], first["how"], first["version"]) == (1, "snap-start", "1")
    assert first["mark"] == first["value"]
    assert call(lam, name)["calls"] == 2
    assert call(lam, name, "$LATEST")["how"] == "on-demand"
    log = logged(name, "REPORT RequestId", 3)
    init = [(s, m) for s, m in log if s == log[0][0]]
    assert init[0][1].startswith("INIT_START Runtime Version: python:") and "Runtime Version ARN: arn:aws:lambda:" in init[0][1]
    assert [m for _, m in init[1:2]] == ["initialised"]
    restored = [m for s, m in log if "[1]" in s and any(x == s and m.startswith("RESTORE_START") for x, m in log)]
    assert restored[0].startswith("RESTORE_START Runtime Version: python:")
    assert restored[1].startswith("RESTORE_REPORT Restore Duration: ") and restored[1].endswith(" ms")
    reports = [m for m in restored if m.startswith("REPORT")]
    assert "\tRestore Duration: " in reports[0] and "\tBilled Restore Duration: " in reports[0] and "Init Duration" not in reports[0]
    assert "Restore Duration" not in reports[1]


def test_each_environment_is_unlike_the_others(lam, published):
    name = published("""
        import random, time, uuid
        def handler(event, context):
            time.sleep(0.3)
            return {"random": random.random(), "uuid": str(uuid.uuid4())}
    """)
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        got = [f.result() for f in [pool.submit(call, lam, name) for _ in range(6)]]
    assert len({g["random"] for g in got}) == len({g["uuid"] for g in got}) == 6


def test_hooks_and_credentials(lam, published):
    name = published(HOOKS, MemorySize=512)
    got = call(lam, name)
    assert got["calls"] == ["before 2", "before 1", "after 1", "after 2"]
    assert got["me"] == f"arn:aws:sts::000000000000:assumed-role/test/{name}"
    assert (got["method"], got["token"]) == ("container-role", True)
    assert got["fresh"] > 600, "credentials of before the snapshot are not used after it"
    assert {"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN"} <= set(got["environment"])
    assert not {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_LOG_STREAM_NAME"} & set(got["environment"])


@pytest.mark.parametrize("source, kind", [
    ("import nowhere\ndef handler(event, context): pass\n", "Runtime.ImportModuleError"),
    ("from snapshot_restore_py import *\nregister_before_snapshot(lambda: 1 / 0)\ndef handler(event, context): pass\n", "Runtime.BeforeSnapshotError"),
])
def test_a_version_that_cannot_be_initialised_fails(lam, published, logged, function, source, kind):
    name = function(source, SnapStart=SNAP)
    lam.publish_version(FunctionName=name)
    with pytest.raises(WaiterError):
        lam.get_waiter("published_version_active").wait(FunctionName=name, Qualifier="1", WaiterConfig=QUICK)
    version = lam.get_function_configuration(FunctionName=name, Qualifier="1")
    assert (version["State"], version["StateReasonCode"]) == ("Failed", "FunctionError")
    assert kind in version["StateReason"]
    logged(name, f"\tPhase: snap-start\tStatus: error\tError Type: {kind}")
    with pytest.raises(ClientError, match="currently in the following state: Failed"):
        lam.invoke(FunctionName=name, Qualifier="1")


def test_a_hook_that_fails_after_the_restore(lam, published, logged):
    name = published("from snapshot_restore_py import *\nregister_after_restore(lambda: 1 / 0)\ndef handler(event, context): pass\n")
    with pytest.raises(ClientError) as e:
        lam.invoke(FunctionName=name, Qualifier="1")
    assert (e.value.response["Error"]["Code"], e.value.response["ResponseMetadata"]["HTTPStatusCode"]) == ("SnapStartException", 400)
    log = logged(name, "RESTORE_REPORT Restore Duration: ")
    assert any(m.startswith("RESTORE_REPORT") and m.endswith("\tStatus: error\tError Type: Runtime.AfterRestoreError") for _, m in log)
    assert any(m.startswith("[ERROR] ZeroDivisionError") for _, m in log)


@pytest.mark.skipif(not os.environ.get("CIRRO_LONG"), reason="takes the 10 seconds that a restore may take; CIRRO_LONG=1 runs it")
def test_a_hook_that_takes_too_long(lam, published, logged):
    name = published("import time\nfrom snapshot_restore_py import *\nregister_after_restore(time.sleep, 60)\ndef handler(event, context): pass\n",
                     Timeout=30)
    with pytest.raises(ClientError) as e:
        lam.invoke(FunctionName=name, Qualifier="1")
    assert (e.value.response["Error"]["Code"], e.value.response["ResponseMetadata"]["HTTPStatusCode"]) == ("SnapStartTimeoutException", 408)
    assert e.value.response["Error"]["Message"] == "Lambda couldn't restore the snapshot within the timeout limit."
    log = logged(name, "RESTORE_REPORT Restore Duration: ")
    assert any(m.startswith("RESTORE_REPORT") and m.endswith("\tStatus: timeout") for _, m in log)


def test_node(lam, published, logged):
    name = published(None, Runtime="nodejs20.x", Zip=package(COUNTER_JS, "app.js"))
    first, second = call(lam, name), call(lam, name)
    assert (first["calls"], first["how"], first["key"]) == (1, "snap-start", None)
    assert (second["calls"], second["value"]) == (2, first["value"])
    log = logged(name, "REPORT RequestId", 2)
    report = next(m for _, m in log if m.startswith("REPORT"))
    assert "\tRestore Duration: " in report and "Init Duration" not in report


def test_json_log(lam, published, logged):
    name = published(COUNTER, LoggingConfig={"LogFormat": "JSON", "SystemLogLevel": "DEBUG"})
    call(lam, name)
    logged(name, '"platform.initReport"')  # the version's own initialization writes to another stream, in its own time
    records = [json.loads(m) for _, m in logged(name, '"platform.report"') if m.startswith('{"time"')]
    by = {}
    for r in records:
        by.setdefault(r["type"], r["record"])
    assert by["platform.initStart"]["initializationType"] == "snap-start"
    assert by["platform.initReport"]["phase"] == "snap-start" and by["platform.initReport"]["status"] == "success"
    assert by["platform.restoreStart"]["functionName"] == name and by["platform.restoreStart"]["functionVersion"] == "1"
    assert by["platform.restoreRuntimeDone"]["status"] == "success"
    assert by["platform.restoreReport"]["metrics"]["durationMs"] > 0
    assert by["platform.report"]["metrics"]["restoreDurationMs"] == by["platform.restoreReport"]["metrics"]["durationMs"]
    assert "initDurationMs" not in by["platform.report"]["metrics"]


def test_what_snapstart_does_not_go_with(lam, published):
    def refused(f, **kw):
        with pytest.raises(ClientError) as e:
            f(**kw)
        assert e.value.response["Error"]["Code"] == "InvalidParameterValueException"
        return e.value.response["Error"]["Message"]
    name = published("def handler(event, context): return 1\n")
    assert refused(lam.update_function_configuration, FunctionName=name, EphemeralStorage={"Size": 1024}).endswith(
        "is not supported for SnapStart enabled functions.")
    assert refused(lam.update_function_configuration, FunctionName=name, Runtime="provided.al2023") == (
        "provided.al2023 is not supported for SnapStart enabled functions.")
    for qualifier in ("1", lam.create_alias(FunctionName=name, Name="live", FunctionVersion="1")["Name"]):
        assert refused(lam.put_provisioned_concurrency_config, FunctionName=name, Qualifier=qualifier,
                       ProvisionedConcurrentExecutions=1).endswith("is not supported for SnapStart enabled functions.")
    assert call(lam, name, "live") == 1


def test_versions_outlive_a_crash(tmp_path):
    with Cirro(tmp_path) as platform:
        lam = make_client(platform.url, "lambda")
        name = unique()
        lam.create_function(FunctionName=name, Runtime=RUNTIME, Handler="app.handler", Role=ROLE, SnapStart=SNAP, Publish=True,
                            Code={"ZipFile": package(COUNTER)})
        platform.restart(signal.SIGKILL)  # perhaps in the middle of it
        lam = make_client(platform.url, "lambda")
        lam.get_waiter("published_version_active").wait(FunctionName=name, Qualifier="1", WaiterConfig=QUICK)
        assert call(lam, name)["how"] == "snap-start"
        platform.restart(signal.SIGKILL)
        lam = make_client(platform.url, "lambda")
        version = lam.get_function_configuration(FunctionName=name, Qualifier="1")
        assert (version["State"], version["SnapStart"]["OptimizationStatus"]) == ("Active", "On")
        got = call(lam, name)
        assert (got["how"], got["calls"]) == ("snap-start", 1)
