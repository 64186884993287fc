"""Executions survive what a platform may die of: SIGKILL at any time, again and again."""
import concurrent.futures
import json
import os
import random
import signal
import time

from botocore.exceptions import BotoCoreError, ClientError

from cirro import Cirro
from conftest import ROLE, RUNTIME, eventually, make_client, package

LONG = bool(os.environ.get("CIRRO_LONG"))
ROUNDS, EXECUTIONS = (100, 1000) if LONG else (4, 120)

TASK = "arn:aws:states:::lambda:invoke"
SOURCE = """
def handler(event, context):
    if event["n"] % 7 == 0 and event["retries"] == 0: raise RuntimeError("once")
    return event["n"] * 2
"""


def machine(function):
    task = {"Type": "Task", "Resource": TASK, "Parameters": {"FunctionName": function, "Payload": {"n.$": "$.n", "retries.$": "$$.State.RetryCount"}},
            "Retry": [{"ErrorEquals": ["RuntimeError"], "IntervalSeconds": 1, "MaxAttempts": 3}],
            "ResultSelector": {"v.$": "$.Payload"}, "ResultPath": "$.t"}
    return {"StartAt": "P", "States": {
        "P": {"Type": "Parallel", "Branches": [
            {"StartAt": "T", "States": {"T": {**task, "OutputPath": "$.t.v", "End": True}}},
            {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 20, "Next": "V"}, "V": {"Type": "Pass", "OutputPath": "$.n", "End": True}}}],
              "ResultPath": "$.p", "Next": "C"},
        "C": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericGreaterThan": 10, "Next": "M"}], "Default": "S"},
        "M": {"Type": "Map", "ItemsPath": "$.p", "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Wait", "Seconds": 5, "End": True}}},
              "ResultPath": "$.m", "Next": "S"},
        "S": {"Type": "Succeed"}}}


def check(events):
    """A history is well formed: numbers without a gap, each event after the one it follows, states entered and left in turn, one end."""
    assert [e["id"] for e in events] == list(range(1, len(events) + 1))
    assert events[0]["type"] == "ExecutionStarted" and events[-1]["type"] == "ExecutionSucceeded"
    assert sum(e["type"].startswith("Execution") for e in events) == 2
    by_id, followers = {e["id"]: e for e in events}, {}
    for e in events[1:]:
        assert e["previousEventId"] < e["id"]
        if e["type"] in ("ParallelStateSucceeded", "MapStateSucceeded", "MapIterationSucceeded") and e["id"] + 1 < len(events):
            beside = by_id[e["id"] + 1]
            if beside["previousEventId"] == e["previousEventId"]:  # AWS lets the line go on from before such an event
                continue
        followers.setdefault(e["previousEventId"], []).append(e["type"])
    entered, left = ([e for e in events if e["type"].endswith(end)] for end in ("StateEntered", "StateExited"))
    assert len(entered) == len(left)
    for e in left:
        at = e
        while not (at["type"].endswith("StateEntered") and at["stateEnteredEventDetails"]["name"] == e["stateExitedEventDetails"]["name"]):
            at = by_id[at["previousEventId"]]
    for previous, types in followers.items():
        started = previous and by_id[previous]["type"] in ("ParallelStateStarted", "MapStateStarted")
        assert started or len(types) == 1 or previous == 0, (previous, types)
    for what in ("TaskSucceeded", "TaskFailed"):
        for e in events:
            if e["type"] == what:
                assert by_id[e["previousEventId"]]["type"] == "TaskStarted"


def test_executions_survive_sigkill(tmp_path):
    rng = random.Random(7)
    with Cirro(tmp_path) as platform:
        def client(service):
            return make_client(platform.url, service)
        client("lambda").create_function(FunctionName="f", Runtime=RUNTIME, Handler="app.handler", Role=ROLE, Timeout=60, Code={"ZipFile": package(SOURCE)})
        client("lambda").get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig={"Delay": 0.1, "MaxAttempts": 1200})
        arn = client("stepfunctions").create_state_machine(name="m", definition=json.dumps(machine("f")), roleArn=ROLE)["stateMachineArn"]
        acknowledged = {}

        def start(n):
            sfn = client("stepfunctions")
            try:
                return n, sfn.start_execution(stateMachineArn=arn, name=f"x{n}", input=json.dumps({"n": n}))["executionArn"]
            except sfn.exceptions.ExecutionAlreadyExists:  # it was made, and has ended since
                return n, f"{arn.replace(':stateMachine:', ':execution:')}:x{n}"
            except (BotoCoreError, ClientError):  # the platform died: the same start again finds the execution, or makes it
                return n, None
        waiting = list(range(EXECUTIONS))
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for round_ in range(ROUNDS):
                some, waiting = waiting[:-(-EXECUTIONS // ROUNDS)], waiting[-(-EXECUTIONS // ROUNDS):]
                starts = [pool.submit(start, n) for n in some]
                time.sleep(rng.uniform(0.05, 0.6))
                platform.stop(signal.SIGKILL)
                for n, execution in (s.result() for s in starts):
                    if execution:
                        acknowledged[n] = execution
                    else:
                        waiting.append(n)
                platform.start()
            for n in waiting:
                acknowledged[n] = start(n)[1]
                assert acknowledged[n]
        sfn = client("stepfunctions")

        def running():
            return [e for p in sfn.get_paginator("list_executions").paginate(stateMachineArn=arn, statusFilter="RUNNING") for e in p["executions"]]
        eventually(lambda: not running(), within=300 if not LONG else 1200, every=0.5)
        done = {e["name"]: e for p in sfn.get_paginator("list_executions").paginate(stateMachineArn=arn) for e in p["executions"]}
        for n, execution in acknowledged.items():
            assert done[f"x{n}"]["executionArn"] == execution, "an acknowledged execution is lost"
        assert len(done) == EXECUTIONS
        for name, e in done.items():
            d = sfn.describe_execution(executionArn=e["executionArn"])
            n = int(name[1:])
            want = {"n": n, "p": [2 * n, n]} | ({"m": [2 * n, n]} if n > 10 else {})
            assert (d["status"], json.loads(d["output"])) == ("SUCCEEDED", want)
            check([h for p in sfn.get_paginator("get_execution_history").paginate(executionArn=e["executionArn"], maxResults=1000) for h in p["events"]])
