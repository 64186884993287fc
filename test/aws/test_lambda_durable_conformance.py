"""AWS's own conformance requirements for durable execution: the histories that its service writes, event by event.

The requirements and the matcher are those of AWS's package; the handlers are in test/functions/durable_requirements.py.
https://github.com/aws/aws-durable-execution-conformance-tests
"""
import concurrent.futures
import json
import pathlib
import re
import time

import pytest
import yaml

import conformance
from cirro import Cirro
from conftest import ROLE, RUNTIME, make_client, package_with, unique

HANDLERS = pathlib.Path(__file__).parent.parent / "functions" / "durable_requirements.py"
NUMBERS = re.findall(r'"(\d+-\d+)"', "".join(re.findall(r"@requirement\((.*)\)", HANDLERS.read_text())))


@pytest.fixture(scope="module")
def awslambda(tmp_path_factory):
    """A platform whose waits take three times as long as they say: more than a busy machine needs to end an invocation."""
    with Cirro(tmp_path_factory.mktemp("conformance"), env={"CIRRO_RETRY_SCALE": "3"}) as platform:
        client = make_client(platform.url, "lambda")

        def create(name, code, **config):
            client.create_function(FunctionName=name, Runtime=RUNTIME, Handler="app.handler", Role=ROLE, Timeout=60, MemorySize=512,
                                   Code={"ZipFile": code}, **config)
            client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 1200})
        durable = {"DurableConfig": {"ExecutionTimeout": 900}}
        sdk = "from aws_durable_execution_sdk_python import durable_execution\n\n\n@durable_execution\ndef handler(event, context):\n    "
        create("echo", package_with(["aws_durable_execution_sdk_python"], sdk + "return event"), **durable)
        create("failing", package_with(["aws_durable_execution_sdk_python"], sdk + "raise ValueError('always')"), **durable)
        create("handlers", package_with(["aws_durable_execution_sdk_python"], HANDLERS.read_text()), **durable,
               Environment={"Variables": {"ECHO": "echo:$LATEST", "FAILING": "failing:$LATEST"}})
        yield client


def answer(awslambda, arn, actions):
    """Answer the callbacks in the order in which they are made, each by its first action that is left."""
    answered, deadline = set(), time.monotonic() + 120
    while actions and time.monotonic() < deadline:
        for event in awslambda.get_durable_execution_history(DurableExecutionArn=arn)["Events"]:
            if event["EventType"] != "CallbackStarted" or event["Id"] in answered:
                continue
            action = next((a for a in actions if a["CallbackName"] in ("*", event["Name"])), None)
            if action:
                actions.remove(action)
                if action["Operation"] != "heartbeat":
                    answered.add(event["Id"])
                time.sleep(action.get("Delay", 0))
                send(awslambda, event["CallbackStartedDetails"]["CallbackId"], action)
        time.sleep(0.05)


def send(awslambda, id, action):
    if action["Operation"] == "heartbeat":
        awslambda.send_durable_execution_callback_heartbeat(CallbackId=id)
    elif action["Operation"] == "failure":
        awslambda.send_durable_execution_callback_failure(CallbackId=id, Error=action["Payload"])
    else:
        result = {"Result": json.dumps(action["Payload"]).encode()} if action.get("Payload") is not None else {}
        awslambda.send_durable_execution_callback_success(CallbackId=id, **result)


def settled(events):
    """The history as it is where each invocation has ended before what it waits for comes.

    A chained invocation can be faster than the end of the invocation that began it; AWS's is not."""
    events = [dict(e) for e in events]
    for _ in events:
        for i in range(len(events) - 1):
            first, second = events[i:i + 2]
            if first["EventType"].startswith("ChainedInvoke") and second["EventType"] == "InvocationCompleted" and (
                    not first["EventType"].endswith("Started")) and (
                    second["InvocationCompletedDetails"]["StartTimestamp"] < first["EventTimestamp"]):
                events[i:i + 2] = {**second, "EventId": first["EventId"]}, {**first, "EventId": second["EventId"]}
    return events


def carry_out(awslambda, number):
    """Carry a requirement out and return what it finds wrong."""
    from aws_durable_execution_conformance_tests.history import EventHistoryMatcher
    from aws_durable_execution_conformance_tests.variables import PlaceholderContext
    file, = conformance.package().glob(f"test_requirements/*/{number}.yaml")
    asked, values = yaml.safe_load(file.read_text()), PlaceholderContext()
    values.resolve_variables(asked.get("Variables"))
    arn = awslambda.invoke(FunctionName="handlers", Qualifier="$LATEST", InvocationType="Event", DurableExecutionName=f"{number}-{unique()}",
                           Payload=json.dumps(values.substitute(asked.get("Input"))))["DurableExecutionArn"]
    answer(awslambda, arn, values.substitute(asked.get("CallbackActions", [])))
    expected, deadline = values.substitute(asked.get("ExpectedResult")), time.monotonic() + 240
    while time.monotonic() < deadline:
        execution = awslambda.get_durable_execution(DurableExecutionArn=arn)
        events = settled(awslambda.get_durable_execution_history(DurableExecutionArn=arn, IncludeExecutionData=True, MaxItems=1000)["Events"])
        if execution["Status"] != "RUNNING" or not expected and len(events) > len(asked["ExpectedExecutionHistory"]):
            break
        time.sleep(0.1)
    told = "\n".join(f"{e['EventId']} {e['EventType']} {e.get('Name', '')}" for e in events)
    errors = list(EventHistoryMatcher(values).match(asked["ExpectedExecutionHistory"], events).errors)
    if not expected:
        awslambda.stop_durable_execution(DurableExecutionArn=arn)
    elif execution["Status"] != expected["ExecutionStatus"]:
        errors.append(f"ended {execution['Status']}: {execution.get('Error')}")
    elif "Result" in expected and expected["Result"] not in (json.loads(execution["Result"]), execution["Result"]):
        errors.append(f"result {execution['Result']}")
    return "\n".join([*errors, told]) if errors else ""


@pytest.fixture(scope="module")
def findings(awslambda):
    """All requirements at once, for most of them wait most of the time."""
    conformance.package()
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        yield {n: pool.submit(carry_out, awslambda, n) for n in NUMBERS}


@pytest.mark.parametrize("number", NUMBERS)
def test_requirement(findings, number):
    wrong = findings[number].result()
    assert not wrong, wrong
