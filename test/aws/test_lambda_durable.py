"""Lambda durable functions by AWS's durable execution SDK for Python, unmodified, in the function.

https://docs.aws.amazon.com/lambda/latest/dg/durable-functions.html
https://github.com/aws/aws-durable-execution-sdk-python
"""
import concurrent.futures
import json
import os
import random
import re
import signal
import time

import pytest
import requests
from botocore.exceptions import BotoCoreError, ClientError

from cirro import ROOT, Cirro
from conftest import ROLE, RUNTIME, eventually, make_client, package_with, unique

SOURCE = '''
import json
import os
import time

import boto3
from aws_durable_execution_sdk_python import (
    CallbackExternalError, CallbackTimeoutError, InvokeError, StepError, durable_execution)
from aws_durable_execution_sdk_python.config import (
    CallbackConfig, CompletionConfig, Duration, MapConfig, ParallelConfig, StepConfig, StepSemantics)
from aws_durable_execution_sdk_python.retries import JitterStrategy, RetryStrategyConfig, create_retry_strategy
from aws_durable_execution_sdk_python.waits import WaitForConditionConfig, WaitForConditionDecision

dynamodb = boto3.client("dynamodb")


def did(what):
    """How often this has been done, told from outside of the function."""
    done = dynamodb.update_item(TableName=os.environ["TABLE"], Key={"id": {"S": what}}, UpdateExpression="ADD n :one",
                                ExpressionAttributeValues={":one": {"N": "1"}}, ReturnValues="UPDATED_NEW")
    return int(done["Attributes"]["n"]["N"])


def retries(attempts):
    return StepConfig(retry_strategy=create_retry_strategy(RetryStrategyConfig(
        max_attempts=attempts, initial_delay=Duration.from_seconds(5), backoff_rate=2, jitter_strategy=JitterStrategy.NONE)))


def steps(event, context):
    first = context.step(lambda _: did(event["key"] + "/first"), "first")
    context.wait(Duration.from_seconds(event.get("seconds", 30)), "pause")
    second = context.step(lambda _: did(event["key"] + "/second"), "second")
    return {"first": first, "second": second, "input": event}


def retried(event, context):
    def attempt(_):
        n = did(event["key"])
        if n < 3:
            raise RuntimeError(f"attempt {n}")
        return n
    return context.step(attempt, "flaky", retries(event["attempts"]))


def condition(event, context):
    def check(state, _):
        return state + 1

    def decide(state, attempts):
        return WaitForConditionDecision.stop_polling() if state == 3 else WaitForConditionDecision.continue_waiting(Duration.from_seconds(10))
    return context.wait_for_condition(check, WaitForConditionConfig(wait_strategy=decide, initial_state=0), "until three")


def together(event, context):
    def waits(c):
        c.wait(Duration.from_seconds(60))
        return c.step(lambda _: did(event["key"] + "/waits"))

    def fails(c):
        raise ValueError("one branch")

    def nested(c):
        return c.run_in_child_context(lambda inner: inner.step(lambda _: did(event["key"] + "/nested"), "leaf"), "inner")
    branches = context.parallel([waits, fails, nested], "branches", ParallelConfig(completion_config=CompletionConfig.all_completed()))
    items = context.map([1, 2, 3, 4], lambda c, item, index, items: c.step(lambda _: item * 10), "items", MapConfig(max_concurrency=2))
    return {"branches": [b.status.value for b in branches.all], "results": branches.get_results(), "items": items.get_results()}


def callback(event, context):
    config = CallbackConfig(timeout=Duration.from_seconds(event.get("timeout", 0)),
                            heartbeat_timeout=Duration.from_seconds(event.get("heartbeat", 0)))
    approval = context.create_callback("approval", config)
    try:
        return {"approved": approval.result()}
    except CallbackTimeoutError as e:
        return {"timeout": e.message}
    except CallbackExternalError as e:
        return {"refused": e.message, "data": e.data, "stack": e.stack_trace}


def submitted(event, context):
    def submit(callback_id, _):
        dynamodb.put_item(TableName=os.environ["TABLE"], Item={"id": {"S": event["key"]}, "callback": {"S": callback_id}})
    return context.wait_for_callback(submit, "submit")


def chained(event, context):
    try:
        return {"answer": context.invoke(event["function"], event["payload"], "other")}
    except InvokeError as e:
        return {"error": e.error_type, "message": e.message}


def child(event, context):
    context.wait(Duration.from_seconds(event.get("seconds", 10)))
    if event.get("fail"):
        raise KeyError("the child's")
    return {"child": event["n"] * 2}


def fails(event, context):
    context.step(lambda _: 1, "before")
    raise ValueError("as it should")


def large(event, context):
    sizes = [len(context.step(lambda _: "x" * 200_000)) for _ in range(40)]
    context.wait(Duration.from_seconds(1))
    return {"sum": sum(sizes), "again": context.step(lambda _: did(event["key"]))}


def large_result(event, context):
    return "y" * event["size"]


def crashes(event, context):
    first = context.step(lambda _: did(event["key"] + "/first"))

    def second(_):
        n = did(event["key"] + "/second")
        if n <= event["times"]:
            os._exit(1)
        return n
    return [first, context.step(second)]


def at_most_once(event, context):
    def once(_):
        did(event["key"])
        os._exit(1)
    try:
        return context.step(once, "once", StepConfig(
            step_semantics=StepSemantics.AT_MOST_ONCE_PER_RETRY, retry_strategy=create_retry_strategy(RetryStrategyConfig(max_attempts=1))))
    except StepError as e:
        return {"error": e.error_type}


def journey(event, context):
    key, n = event["key"], event["n"]

    def flaky(_):
        if did(key + "/flaky") == 1:
            raise RuntimeError("once")
        return n

    def waits(c):
        c.wait(Duration.from_seconds(20 + n))
        return c.step(lambda _: did(key + "/waited") > 0, "waited")

    def chains(c):
        return c.invoke(event["function"], {"do": "child", "n": n, "seconds": 10})["child"]

    def asks(c):
        return int(c.create_callback("asked").result())
    first = context.step(lambda _: did(key + "/first") > 0, "first")
    branches = context.parallel([waits, chains, asks, lambda c: c.step(flaky, "flaky", retries(100))], "branches")
    items = context.map([1, 2, 3], lambda c, item, *_: c.step(lambda _: item * n, f"item-{item}"), "items")
    context.wait(Duration.from_seconds(30))
    return [first, branches.get_results(), items.get_results(), context.step(lambda _: did(key + "/last") > 0, "last")]


def sleeps(event, context):
    context.step(lambda _: did(event["key"]))
    time.sleep(event["seconds"])


@durable_execution
def handler(event, context):
    if "body" in event:  # by a URL
        event = json.loads(event["body"])
    return globals()[event["do"]](event, context)
'''

LONG = bool(os.environ.get("CIRRO_LONG"))
ROUNDS, EXECUTIONS = (50, 300) if LONG else (4, 30)
RUNNING, SUCCEEDED, FAILED, TIMED_OUT, STOPPED = "RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED"


class Durable:
    """A durable function, its executions, and what they count."""

    def __init__(self, client, name, table):
        self.client, self.name, self.table = client("lambda"), name, table
        self.dynamodb = client("dynamodb")

    def invoke(self, event, qualifier="$LATEST", **how):
        return self.client.invoke(FunctionName=self.name, Qualifier=qualifier, Payload=json.dumps(event), **how)

    def start(self, do, named=None, **event):
        how = {"DurableExecutionName": named} if named else {}
        return self.invoke({"do": do, **event}, InvocationType="Event", **how)["DurableExecutionArn"]

    def get(self, arn):
        return self.client.get_durable_execution(DurableExecutionArn=arn)

    def ended(self, arn):
        return eventually(lambda: (e := self.get(arn))["Status"] != RUNNING and e)

    def result(self, arn):
        e = self.ended(arn)
        assert e["Status"] == SUCCEEDED, e
        return json.loads(e["Result"])

    def history(self, arn, **how):
        events, how = [], {"IncludeExecutionData": True, **how}
        while True:
            page = self.client.get_durable_execution_history(DurableExecutionArn=arn, **how)
            events += page["Events"]
            if not page.get("NextMarker"):
                return events
            how["Marker"] = page["NextMarker"]

    def event(self, arn, kind):
        return eventually(lambda: next((e for e in self.history(arn) if e["EventType"] == kind), None))

    def counted(self, key):
        item = self.dynamodb.get_item(TableName=self.table, Key={"id": {"S": key}}, ConsistentRead=True).get("Item")
        return int(item["n"]["N"]) if item else 0


def new_table(client):
    name = unique("durable")
    client("dynamodb").create_table(TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                                    AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}])
    client("dynamodb").get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    return name


def code():
    return package_with(["aws_durable_execution_sdk_python"], SOURCE)


@pytest.fixture(scope="module")
def durable(client, function):
    table = new_table(client)
    name = function("", Zip=code(), Timeout=60, MemorySize=512, Environment={"Variables": {"TABLE": table}},
                    DurableConfig={"ExecutionTimeout": 900, "RetentionPeriodInDays": 1})
    return Durable(client, name, table)


def types(events):
    return [e["EventType"] for e in events]


def story(events):
    """What happened, without the ends of invocations: a wait that is scaled down may be over before one has ended."""
    return [t for t in types(events) if t != "InvocationCompleted"]


def details(event):
    return next(v for k, v in event.items() if k.endswith("Details"))


def refused(call, *args, **kw):
    with pytest.raises(ClientError) as e:
        call(*args, **kw)
    return e.value.response["Error"]["Code"], e.value.response["Error"]["Message"]


def test_steps_and_a_wait(durable):
    key = unique()
    arn = durable.start("steps", named=key, key=key)
    assert re.fullmatch(rf"arn:aws:lambda:us-east-1:\d{{12}}:function:{durable.name}:\$LATEST/durable-execution/{key}/[a-zA-Z0-9_-]+", arn)
    assert durable.result(arn) == {"first": 1, "second": 1, "input": {"do": "steps", "key": key}}
    execution = durable.get(arn)
    assert execution["DurableExecutionArn"] == arn and execution["DurableExecutionName"] == key
    assert execution["FunctionArn"].endswith(f":function:{durable.name}:$LATEST") and execution["Version"] == "$LATEST"
    assert json.loads(execution["InputPayload"]) == {"do": "steps", "key": key}
    assert execution["StartTimestamp"] < execution["EndTimestamp"]

    events = durable.history(arn)
    assert [e["EventId"] for e in events] == list(range(1, len(events) + 1))
    assert story(events) == ["ExecutionStarted", "StepStarted", "StepSucceeded", "WaitStarted",
                             "WaitSucceeded", "StepStarted", "StepSucceeded", "ExecutionSucceeded"]
    invocations = [details(e) for e in events if e["EventType"] == "InvocationCompleted"]
    assert len(invocations) == len({i["RequestId"] for i in invocations}) == 2 and types(events)[-2] == "InvocationCompleted"
    assert all(i["StartTimestamp"] <= i["EndTimestamp"] and "Payload" not in i.get("Error", {}) for i in invocations)
    assert [e.get("Name") for e in events if e["EventType"].startswith(("Step", "Wait"))] == ["first"] * 2 + ["pause"] * 2 + ["second"] * 2
    assert [e.get("SubType") for e in events if e["EventType"].startswith(("Step", "Wait"))] == ["Step"] * 2 + ["Wait"] * 2 + ["Step"] * 2
    assert len({e["Id"] for e in events if "Id" in e}) == 4 and events[0]["Id"] == events[-1]["Id"]
    assert details(events[0])["ExecutionTimeout"] == 900 and json.loads(details(events[0])["Input"]["Payload"])["key"] == key
    assert details(events[2])["Result"] == {"Payload": "1", "Truncated": False}
    assert [details(e)["Duration"] for e in events if e["EventType"].startswith("Wait")] == [30, 30]
    assert json.loads(details(events[-1])["Result"]["Payload"])["second"] == 1


def test_a_caller_waits_for_the_whole_execution(durable):
    key = unique()
    reply = durable.invoke({"do": "steps", "key": key})
    assert reply["StatusCode"] == 200 and "FunctionError" not in reply and reply["ExecutedVersion"] == "$LATEST"
    assert json.load(reply["Payload"])["second"] == 1
    assert durable.get(reply["DurableExecutionArn"])["Status"] == SUCCEEDED


def test_history_in_pages_reversed_and_without_data(durable):
    arn = durable.start("steps", key=unique())
    durable.result(arn)
    events = durable.history(arn)
    assert durable.history(arn, MaxItems=3) == events
    assert durable.history(arn, ReverseOrder=True, MaxItems=4) == events[::-1]
    bare = durable.history(arn, IncludeExecutionData=False)
    assert types(bare) == types(events)
    assert details(bare[2])["Result"] == {"Truncated": True} and "Payload" not in details(bare[0])["Input"]


def test_a_step_is_retried_later_and_later(durable):
    key = unique()
    arn = durable.start("retried", key=key, attempts=5)
    assert durable.result(arn) == 3
    events = durable.history(arn)
    assert story(events) == ["ExecutionStarted"] + ["StepStarted", "StepFailed"] * 2 + ["StepStarted", "StepSucceeded", "ExecutionSucceeded"]
    assert types(events).count("InvocationCompleted") == 3
    assert [details(e)["RetryDetails"] for e in events if e["EventType"] == "StepFailed"] == [
        {"CurrentAttempt": 1, "NextAttemptDelaySeconds": 5}, {"CurrentAttempt": 2, "NextAttemptDelaySeconds": 10}]
    assert [details(e)["Error"]["Payload"]["ErrorMessage"] for e in events if e["EventType"] == "StepFailed"] == ["attempt 1", "attempt 2"]


def test_a_step_runs_out_of_attempts(durable):
    arn = durable.start("retried", key=unique(), attempts=2)
    execution = durable.ended(arn)
    assert execution["Status"] == FAILED and "Result" not in execution
    assert execution["Error"]["ErrorMessage"] == "attempt 2" and "StepError" in execution["Error"]["ErrorType"]
    failed = [details(e) for e in durable.history(arn) if e["EventType"] == "StepFailed"]
    assert failed[-1]["RetryDetails"] == {"CurrentAttempt": 2}


def test_wait_for_condition(durable):
    arn = durable.start("condition")
    assert durable.result(arn) == 3
    events = [e for e in durable.history(arn) if e["EventType"].startswith("Step")]
    assert types(events) == ["StepStarted", "StepSucceeded"] * 3 and {e["SubType"] for e in events} == {"WaitForCondition"}
    assert [details(e)["Result"]["Payload"] for e in events if e["EventType"] == "StepSucceeded"] == ["1", "2", "3"]


def test_parallel_map_and_child_contexts(durable):
    key = unique()
    arn = durable.start("together", key=key)
    assert durable.result(arn) == {"branches": [SUCCEEDED, FAILED, SUCCEEDED], "results": [1, 1], "items": [10, 20, 30, 40]}
    events = durable.history(arn)
    started = {e["Id"]: e for e in events if e["EventType"] == "ContextStarted"}
    kinds = sorted(e["SubType"] for e in started.values())
    assert kinds == ["Map"] + ["MapIteration"] * 4 + ["Parallel"] + ["ParallelBranch"] * 3 + ["RunInChildContext"]
    leaf = next(e for e in events if e.get("Name") == "leaf")
    assert started[leaf["ParentId"]]["Name"] == "inner"
    assert started[started[leaf["ParentId"]]["ParentId"]]["SubType"] == "ParallelBranch"
    assert len([e for e in events if e["EventType"] == "ContextFailed"]) == 1


def test_a_callback_succeeds(durable):
    arn = durable.start("callback", timeout=90000, heartbeat=80000)
    started = details(durable.event(arn, "CallbackStarted"))
    assert (started["Timeout"], started["HeartbeatTimeout"]) == (90000, 80000)
    durable.client.send_durable_execution_callback_heartbeat(CallbackId=started["CallbackId"])
    assert durable.get(arn)["Status"] == RUNNING
    durable.client.send_durable_execution_callback_success(CallbackId=started["CallbackId"], Result='{"by": "böss"}')
    assert durable.result(arn) == {"approved": '{"by": "böss"}'}
    assert details(durable.event(arn, "CallbackSucceeded"))["Result"]["Payload"] == '{"by": "böss"}'
    # Once only.
    for send in ("success", "failure", "heartbeat"):
        code, _ = refused(getattr(durable.client, f"send_durable_execution_callback_{send}"), CallbackId=started["CallbackId"])
        assert code == "CallbackTimeoutException"


def test_a_callback_fails(durable):
    arn = durable.start("callback")
    started = details(durable.event(arn, "CallbackStarted"))
    assert "Timeout" not in started and "HeartbeatTimeout" not in started
    error = {"ErrorType": "Declined", "ErrorMessage": "not today", "ErrorData": "[1]", "StackTrace": ["a", "b"]}
    durable.client.send_durable_execution_callback_failure(CallbackId=started["CallbackId"], Error=error)
    assert durable.result(arn) == {"refused": "not today", "data": "[1]", "stack": ["a", "b"]}
    assert details(durable.event(arn, "CallbackFailed"))["Error"]["Payload"] == error


@pytest.mark.parametrize("limit, kind, message", [("timeout", "Callback.Timeout", "Callback timed out"),
                                                  ("heartbeat", "Callback.Heartbeat", "Callback timed out on heartbeat")])
def test_a_callback_is_awaited_for_so_long(durable, limit, kind, message):
    arn = durable.start("callback", **{limit: 20})
    assert durable.result(arn) == {"timeout": message}
    started, late = durable.event(arn, "CallbackStarted"), durable.event(arn, "CallbackTimedOut")
    assert details(late)["Error"]["Payload"]["ErrorType"] == kind
    code, _ = refused(durable.client.send_durable_execution_callback_success, CallbackId=details(started)["CallbackId"], Result="1")
    assert code == "CallbackTimeoutException"


def test_a_callback_whose_id_a_step_hands_on(durable):
    key = unique()
    arn = durable.start("submitted", key=key)
    item = eventually(lambda: durable.dynamodb.get_item(TableName=durable.table, Key={"id": {"S": key}}).get("Item"))
    durable.client.send_durable_execution_callback_success(CallbackId=item["callback"]["S"], Result=b'"yes"')
    assert durable.result(arn) == '"yes"'


def test_chained_invokes(client, durable, function):
    plain = function("""
        def handler(event, context):
            if event["n"] < 0: raise IndexError("too small")
            return event["n"] + 1
        """)
    arn = durable.start("chained", function=plain, payload={"n": 1})
    assert durable.result(arn) == {"answer": 2}
    assert details(durable.event(arn, "ChainedInvokeStarted"))["FunctionName"] == plain
    assert details(durable.event(arn, "ChainedInvokeSucceeded"))["Result"]["Payload"] == "2"
    arn = durable.start("chained", function=plain, payload={"n": -1})
    assert durable.result(arn) == {"error": "IndexError", "message": "too small"}
    error = details(durable.event(arn, "ChainedInvokeFailed"))["Error"]["Payload"]
    assert (error["ErrorType"], error["ErrorMessage"]) == ("IndexError", "too small") and error["StackTrace"]

    itself = f"{durable.name}:$LATEST"
    arn = durable.start("chained", function=itself, payload={"do": "child", "n": 4})
    assert durable.result(arn) == {"answer": {"child": 8}}
    chain = details(durable.event(arn, "ChainedInvokeStarted"))
    assert durable.result(chain["DurableExecutionArn"]) == {"child": 8} and chain["ExecutedVersion"] == "$LATEST"
    arn = durable.start("chained", function=itself, payload={"do": "child", "n": 4, "fail": True})
    assert durable.result(arn) == {"error": "KeyError", "message": "\"the child's\""}

    arn = durable.start("chained", function="nowhere", payload={})
    assert durable.result(arn)["error"] == "ResourceNotFoundException"


def test_a_chained_invoke_is_stopped_with_its_child(durable):
    arn = durable.start("chained", function=f"{durable.name}:$LATEST", payload={"do": "child", "n": 4, "seconds": 30_000_000})
    chain = eventually(lambda: details(durable.event(arn, "ChainedInvokeStarted")).get("DurableExecutionArn"))
    durable.client.stop_durable_execution(DurableExecutionArn=chain, Error={"ErrorType": "Gone", "ErrorMessage": "by hand"})
    assert durable.result(arn) == {"error": "Gone", "message": "by hand"}
    assert details(durable.event(arn, "ChainedInvokeStopped"))["Error"]["Payload"] == {"ErrorType": "Gone", "ErrorMessage": "by hand"}


def test_an_execution_fails(durable):
    reply = durable.invoke({"do": "fails"})
    assert reply["FunctionError"]
    assert json.load(reply["Payload"])["errorMessage"] == "as it should"
    execution = durable.get(reply["DurableExecutionArn"])
    assert execution["Status"] == FAILED
    assert (execution["Error"]["ErrorType"], execution["Error"]["ErrorMessage"]) == ("ValueError", "as it should")
    events = durable.history(reply["DurableExecutionArn"])
    assert types(events)[-2:] == ["InvocationCompleted", "ExecutionFailed"]
    assert details(events[-1])["Error"]["Payload"]["ErrorMessage"] == "as it should"


def test_state_of_more_than_a_page(durable):
    arn = durable.start("large", key=unique())
    assert durable.result(arn) == {"sum": 40 * 200_000, "again": 1}


def test_a_result_larger_than_an_answer(durable):
    """What would not fit into the answer's envelope, the SDK checkpoints. Who does not wait may have less of it."""
    reply = durable.invoke({"do": "large_result", "size": 6 * 1024 * 1024 - 10})
    assert len(json.load(reply["Payload"])) == 6 * 1024 * 1024 - 10
    assert types(durable.history(reply["DurableExecutionArn"]))[-1] == "InvocationCompleted"
    execution = durable.ended(durable.start("large_result", size=1024 * 1024))
    assert execution["Status"] == FAILED
    assert "Execution output payload size must be less than or equal to 1048576 bytes." in execution["Error"]["ErrorMessage"]


def test_a_function_that_dies_starts_over_from_its_last_step(durable):
    key = unique()
    arn = durable.start("crashes", key=key, times=2)
    assert durable.result(arn) == [1, 3]
    assert durable.counted(key + "/first") == 1
    assert types(durable.history(arn)).count("InvocationCompleted") == 3


def test_a_function_that_always_dies_fails(durable):
    key = unique()
    arn = durable.start("crashes", key=key, times=1000)
    execution = durable.ended(arn)
    assert execution["Status"] == FAILED and execution["Error"]["ErrorType"]
    assert durable.counted(key + "/first") == 1 and 1 < durable.counted(key + "/second") < 1000


def test_a_step_that_may_run_once_does_not_run_again(durable):
    key = unique()
    arn = durable.start("at_most_once", key=key)
    assert "StepInterrupted" in durable.result(arn)["error"]
    assert durable.counted(key) == 1


def test_an_execution_is_stopped(durable):
    arn = durable.start("steps", key=unique(), seconds=31_000_000)
    durable.event(arn, "WaitStarted")
    stopped = durable.client.stop_durable_execution(DurableExecutionArn=arn, Error={"ErrorType": "Enough", "ErrorMessage": "no more"})
    execution = durable.get(arn)
    assert execution["Status"] == STOPPED and execution["EndTimestamp"] == stopped["StopTimestamp"]
    assert execution["Error"] == {"ErrorType": "Enough", "ErrorMessage": "no more"}
    last = eventually(lambda: (e := durable.history(arn)[-1])["EventType"] == "ExecutionStopped" and e)
    assert details(last)["Error"]["Payload"] == {"ErrorType": "Enough", "ErrorMessage": "no more"}
    again = durable.client.stop_durable_execution(DurableExecutionArn=arn)
    assert again["StopTimestamp"] == stopped["StopTimestamp"]


def test_an_execution_takes_too_long(client, function):
    table = new_table(client)
    name = function("", Zip=code(), Timeout=60, MemorySize=512, Environment={"Variables": {"TABLE": table}}, DurableConfig={"ExecutionTimeout": 10})
    durable = Durable(client, name, table)
    arn = durable.start("steps", key=unique(), seconds=31_000_000)
    execution = durable.ended(arn)
    assert execution["Status"] == TIMED_OUT and "Result" not in execution
    assert types(durable.history(arn))[-1] == "ExecutionTimedOut"


def test_a_name_starts_one_execution(durable):
    name, key = unique(), unique()
    first = durable.start("steps", named=name, key=key, seconds=500)
    assert durable.start("steps", named=name, key=key, seconds=500) == first
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        other = unique()
        assert len(set(pool.map(lambda _: durable.start("steps", named=other, key=other), range(8)))) == 1
    code, _ = refused(durable.start, "steps", named=name, key="another")
    assert code == "DurableExecutionAlreadyStartedException"
    durable.result(first)
    assert durable.start("steps", named=name, key=key, seconds=500) == first
    reply = durable.invoke({"do": "steps", "key": key, "seconds": 500}, DurableExecutionName=name)
    assert json.load(reply["Payload"])["first"] == 1 and reply["DurableExecutionArn"] == first
    assert durable.counted(key + "/first") == 1


def test_list_with_filters(client, function):
    name = function("", Zip=code(), Timeout=60, MemorySize=512, DurableConfig={"ExecutionTimeout": 31_622_400}, Publish=True)
    durable = Durable(client, name, None)
    waiting = [durable.start("child", named=f"w-{i}", n=i, seconds=31_000_000) for i in range(3)]
    published = durable.invoke({"do": "child", "n": 1, "seconds": 31_000_000}, qualifier="1", InvocationType="Event")["DurableExecutionArn"]
    assert f":function:{name}:1/durable-execution/" in published
    failed = durable.start("child", named="f", n=1, fail=True)
    durable.ended(failed)

    def listed(**how):
        return [e["DurableExecutionArn"] for p in durable.client.get_paginator("list_durable_executions_by_function").paginate(
            FunctionName=name, **how) for e in p["DurableExecutions"]]
    assert set(listed()) == {*waiting, published, failed} and listed(ReverseOrder=True) == listed()[::-1]
    assert listed(PaginationConfig={"PageSize": 2}) == listed()
    assert listed(Statuses=["FAILED"]) == [failed] and set(listed(Statuses=["RUNNING", "FAILED"])) == {*waiting, published, failed}
    assert listed(DurableExecutionName="w-1") == [waiting[1]]
    assert listed(Qualifier="1") == [published]
    at = durable.get(failed)["StartTimestamp"]
    assert set(listed(StartedAfter=at)) <= {failed} and set(listed(StartedBefore=at)) <= {*waiting, published, failed}
    one = next(e for p in durable.client.get_paginator("list_durable_executions_by_function").paginate(FunctionName=name, Statuses=["FAILED"])
               for e in p["DurableExecutions"])
    assert one["DurableExecutionName"] == "f" and one["Status"] == FAILED and one["FunctionArn"].endswith(f":{name}:$LATEST")
    assert one["StartTimestamp"] <= one["EndTimestamp"]
    for arn in (*waiting, published):
        durable.client.stop_durable_execution(DurableExecutionArn=arn)


def test_an_execution_stays_with_its_version(client, function):
    """An alias that moves on meanwhile is for the executions that begin then."""
    answers = "from aws_durable_execution_sdk_python import *\nfrom aws_durable_execution_sdk_python.config import Duration\n" \
              "@durable_execution\ndef handler(event, context):\n    context.create_callback('go').result()\n    return '%s'\n"
    name = function("", Zip=package_with(["aws_durable_execution_sdk_python"], answers % "one"), Timeout=60, MemorySize=512,
                    DurableConfig={"ExecutionTimeout": 900}, Publish=True)
    durable = Durable(client, name, None)
    durable.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    arns = [durable.invoke({}, qualifier="live", InvocationType="Event")["DurableExecutionArn"]]
    callbacks = [details(durable.event(arns[0], "CallbackStarted"))["CallbackId"]]
    durable.client.update_function_code(FunctionName=name, ZipFile=package_with(["aws_durable_execution_sdk_python"], answers % "two"))
    durable.client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 1200})
    assert durable.client.publish_version(FunctionName=name)["Version"] == "2"
    durable.client.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    arns.append(durable.invoke({}, qualifier="live", InvocationType="Event")["DurableExecutionArn"])
    callbacks.append(details(durable.event(arns[1], "CallbackStarted"))["CallbackId"])
    for id in callbacks:
        durable.client.send_durable_execution_callback_success(CallbackId=id, Result=b"")
    assert [durable.result(a) for a in arns] == ["one", "two"] and [durable.get(a)["Version"] for a in arns] == ["1", "2"]


def test_outcomes_go_to_destinations(client, function):
    name = function("", Zip=code(), Timeout=60, MemorySize=512, DurableConfig={"ExecutionTimeout": 900}, Publish=True)
    sqs, durable = client("sqs"), Durable(client, name, None)
    queues = {kind: sqs.create_queue(QueueName=unique())["QueueUrl"] for kind in ("OnSuccess", "OnFailure")}
    durable.client.put_function_event_invoke_config(FunctionName=name, Qualifier="1", DestinationConfig={
        kind: {"Destination": sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]}
        for kind, url in queues.items()})

    def told(kind):
        return json.loads(eventually(lambda: sqs.receive_message(QueueUrl=queues[kind], WaitTimeSeconds=5).get("Messages"))[0]["Body"])
    durable.invoke({"do": "child", "n": 4}, qualifier="1", InvocationType="Event")
    good = told("OnSuccess")
    assert good["responsePayload"] == {"child": 8} and good["requestPayload"] == {"do": "child", "n": 4}
    assert good["requestContext"]["functionArn"].endswith(f":{name}:1")
    durable.invoke({"do": "child", "n": 4, "fail": True}, qualifier="1", InvocationType="Event")
    bad = told("OnFailure")
    assert bad["responsePayload"]["errorType"] == "KeyError" and bad["requestPayload"]["fail"]


def test_a_queue_begins_executions(client, durable, function):
    source = "from aws_durable_execution_sdk_python import *\nfrom aws_durable_execution_sdk_python.config import Duration\n" \
             "@durable_execution\ndef handler(event, context):\n    context.wait(Duration.from_seconds(10))\n" \
             "    return context.step(lambda _: [r['body'] for r in event['Records']])\n"
    name = function("", Zip=package_with(["aws_durable_execution_sdk_python"], source), Timeout=60, MemorySize=512,
                    DurableConfig={"ExecutionTimeout": 900}, Publish=True)
    queue = client("sqs").create_queue(QueueName=unique(), Attributes={"VisibilityTimeout": "900"})["QueueUrl"]
    arn = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    mapping = durable.client.create_event_source_mapping(FunctionName=f"{name}:1", EventSourceArn=arn, BatchSize=1)["UUID"]
    client("sqs").send_message(QueueUrl=queue, MessageBody="one")

    def ended():
        found = durable.client.list_durable_executions_by_function(FunctionName=name, Statuses=["SUCCEEDED"])["DurableExecutions"]
        return found and found[0]["DurableExecutionArn"]
    assert json.loads(durable.get(eventually(ended))["Result"]) == ["one"]
    durable.client.delete_event_source_mapping(UUID=mapping)


def test_a_state_machine_and_a_url_wait_for_the_end(client, function, endpoint):
    name = function("", Zip=code(), Timeout=60, MemorySize=512, DurableConfig={"ExecutionTimeout": 900}, Publish=True)
    durable = Durable(client, name, None)
    durable.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    sfn, live = client("stepfunctions"), {"FunctionName": f"{name}:live"}

    def run(**parameters):
        machine = {"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True,
                                                    "Parameters": {**live, **parameters}}}}
        arn = sfn.create_state_machine(name=unique(), definition=json.dumps(machine), roleArn=ROLE)["stateMachineArn"]
        execution = sfn.start_execution(stateMachineArn=arn)["executionArn"]
        return eventually(lambda: (d := sfn.describe_execution(executionArn=execution))["status"] != "RUNNING" and d)
    assert json.loads(run(Payload={"do": "child", "n": 4})["output"])["Payload"] == {"child": 8}
    assert run(Payload={"do": "child", "n": 4, "fail": True})["error"] == "KeyError"

    durable.client.add_permission(FunctionName=name, Qualifier="live", StatementId="all", Action="lambda:InvokeFunctionUrl", Principal="*",
                                  FunctionUrlAuthType="NONE")
    url = durable.client.create_function_url_config(FunctionName=name, Qualifier="live", AuthType="NONE")["FunctionUrl"]
    by_path = f"{endpoint}/_aws/lambda-url/{re.match(r'https?://([^.]+)', url)[1]}/"
    answer = requests.post(by_path, json={"do": "child", "n": 5})
    assert (answer.status_code, answer.json()) == (200, {"child": 10})
    assert requests.post(by_path, json={"do": "child", "n": 5, "fail": True}).status_code == 502
    assert len(durable.client.list_durable_executions_by_function(FunctionName=name)["DurableExecutions"]) == 4


def test_the_example_of_the_documentation(client, function):
    page = (ROOT / "docs" / "workflows.md").read_text().split("## Durable functions")[1]
    source = re.search(r"```python\n(.*?)```", page, re.DOTALL)[1]
    name = function("", Zip=package_with(["aws_durable_execution_sdk_python"], source), Timeout=60, MemorySize=512, DurableConfig={"ExecutionTimeout": 900})
    durable = Durable(client, name, None)

    def order(id, *prices):
        return durable.invoke({"id": id, "prices": prices}, InvocationType="Event")["DurableExecutionArn"]

    def approve(arn, word):
        id = details(durable.event(arn, "CallbackStarted"))["CallbackId"]
        durable.client.send_durable_execution_callback_success(CallbackId=id, Result=word)
    cheap, dear, refused = order(1, 20, 30), order(2, 80, 40), order(3, 200)
    approve(dear, "yes")
    approve(refused, "no")
    assert durable.result(cheap) == {"order": 1, "paid": 50}
    assert durable.result(dear) == {"order": 2, "paid": 120}
    assert durable.result(refused) == {"order": 3, "refused": True}


def test_what_is_refused(client, durable, function):
    awslambda = durable.client
    assert refused(awslambda.invoke, FunctionName=durable.name, Payload="{}") == (
        "InvalidParameterValueException", "You cannot invoke a durable function using an unqualified ARN.")
    long = function("", Zip=code(), DurableConfig={"ExecutionTimeout": 901})
    assert refused(awslambda.invoke, FunctionName=f"{long}:$LATEST", Payload="{}") == (
        "InvalidParameterValueException", "You cannot synchronously invoke a durable function with an executionTimeout greater than 15 minutes.")
    plain = function("def handler(event, context): return 1")
    assert refused(awslambda.invoke, FunctionName=plain, DurableExecutionName="n", Payload="{}")[0] == "InvalidParameterValueException"

    arn = durable.start("fails")
    durable.ended(arn)
    absent = arn.rsplit("/", 1)[0] + "/00000000-0000-0000-0000-000000000000"
    for call in (awslambda.get_durable_execution, awslambda.get_durable_execution_history, awslambda.stop_durable_execution):
        assert refused(call, DurableExecutionArn=absent)[0] == "ResourceNotFoundException"
    assert refused(awslambda.list_durable_executions_by_function, FunctionName="nowhere")[0] == "ResourceNotFoundException"
    assert refused(awslambda.checkpoint_durable_execution, DurableExecutionArn=arn, CheckpointToken="AAAA", Updates=[]) == (
        "InvalidParameterValueException", "Invalid checkpoint token")
    assert refused(awslambda.get_durable_execution_state, DurableExecutionArn=arn, CheckpointToken="AAAA") == (
        "InvalidParameterValueException", "Invalid checkpoint token")
    assert refused(awslambda.send_durable_execution_callback_success, CallbackId="AAAA")[0] == "InvalidParameterValueException"
    # Durability is for good, from the beginning.
    assert refused(awslambda.update_function_configuration, FunctionName=plain, DurableConfig={"ExecutionTimeout": 5})[0] == (
        "InvalidParameterValueException")


BARE = '''
import json

import boto3
from botocore.exceptions import ClientError

awslambda = boto3.client("lambda")


def handler(event, context):
    """Checkpoints what its input asks for, and answers what each of them came to."""
    asked = json.loads(event["InitialExecutionState"]["Operations"][0]["ExecutionDetails"]["InputPayload"])
    if "answer" in asked:
        return asked["answer"]
    token, came = event["CheckpointToken"], []
    for batch in asked["batches"]:
        try:
            done = awslambda.checkpoint_durable_execution(DurableExecutionArn=event["DurableExecutionArn"], CheckpointToken=token, Updates=batch)
            token = done["CheckpointToken"]
            came.append([[o["Id"], o["Status"]] for o in done["NewExecutionState"].get("Operations", [])])
        except ClientError as e:
            came.append([e.response["Error"]["Code"], e.response["Error"]["Message"]])
    same = {"ClientToken": "once", "CheckpointToken": token, "DurableExecutionArn": event["DurableExecutionArn"],
            "Updates": [{"Id": "client-token", "Type": "STEP", "Action": "START"}]}
    first, second = (awslambda.checkpoint_durable_execution(**same)["CheckpointToken"] for _ in range(2))
    try:
        awslambda.checkpoint_durable_execution(DurableExecutionArn=event["DurableExecutionArn"], CheckpointToken=token, Updates=[])
        stale = None
    except ClientError as e:
        stale = e.response["Error"]["Message"]
    state = awslambda.get_durable_execution_state(DurableExecutionArn=event["DurableExecutionArn"], CheckpointToken=second, MaxItems=1000)
    return {"Status": "SUCCEEDED", "Result": json.dumps({
        "came": came, "same": first == second, "stale": stale, "state": [[o["Id"], o["Status"]] for o in state["Operations"][1:]],
        "event": event}, default=str)}
'''


@pytest.fixture(scope="module")
def bare(client, function):
    return Durable(client, function(BARE, DurableConfig={"ExecutionTimeout": 900}), None)


def step(action, id="s", **more):
    return {"Id": id, "Type": "STEP", "Action": action, **more}


WRONG = [
    ([step("CANCEL")], "Invalid action for the given operation type."),
    ([step("RETRY")], "Invalid StepOptions for the given action."),
    ([step("FAIL", Payload="1")], "Cannot provide a Payload for FAIL action."),
    ([step("SUCCEED", Error={"ErrorType": "E"})], "Cannot provide an Error for SUCCEED action."),
    ([step("START"), step("START")], "Cannot checkpoint multiple operations with the same ID."),
    ([step("START", ParentId="nobody")], "Invalid parent operation id."),
    ([step("START", "parent"), step("START", "inner", ParentId="parent")], "Invalid parent operation id."),
    ([{"Id": "e", "Type": "EXECUTION", "Action": "SUCCEED"}, step("START")], "EXECUTION checkpoint must be the last update."),
    ([{"Id": "i", "Type": "CHAINED_INVOKE", "Action": "START"}], "Update for CHAINED_INVOKE operation requires ChainedInvokeOptions."),
]


def test_checkpoints_are_all_or_nothing(bare):
    batches = [wrong for wrong, _ in WRONG] + [
        [step("START", "a"), step("SUCCEED", "a", Payload="1"), {"Id": "c", "Type": "CONTEXT", "Action": "START"}, step("START", "b", ParentId="c")],
        [step("SUCCEED", "a", Payload="2")],
        [step("START", "a", Name="other")],
        [{"Id": "a", "Type": "WAIT", "Action": "START", "WaitOptions": {"WaitSeconds": 1}}],
        [],
    ]
    reply = bare.invoke({"batches": batches})
    assert "FunctionError" not in reply, reply["Payload"].read()
    result = json.load(reply["Payload"])
    assert result["came"][:len(WRONG)] == [["InvalidParameterValueException", message] for _, message in WRONG]
    assert result["came"][len(WRONG):] == [
        [["a", "SUCCEEDED"], ["c", "STARTED"], ["b", "STARTED"]],
        ["InvalidParameterValueException", "Invalid current STEP state to close."],
        ["InvalidParameterValueException", "Inconsistent operation name."],
        ["InvalidParameterValueException", "Inconsistent operation type."],
        []]
    assert result["same"] and result["stale"] == "Invalid checkpoint token"
    assert result["state"] == [["a", "SUCCEEDED"], ["c", "STARTED"], ["b", "STARTED"], ["client-token", "STARTED"]]
    event, arn = result["event"], reply["DurableExecutionArn"]
    assert event["DurableExecutionArn"] == arn and not event["InitialExecutionState"].get("NextMarker")
    only, = event["InitialExecutionState"]["Operations"]
    assert (only["Type"], only["Status"]) == ("EXECUTION", "STARTED") and isinstance(only["StartTimestamp"], int)


@pytest.mark.parametrize("answer, message", [
    ("text", "Invalid Status in invocation output."), ({"Status": "DONE"}, "Invalid Status in invocation output."),
    ({"Status": "FAILED", "Result": "1"}, "Cannot provide a Result for FAILED status."),
    ({"Status": "SUCCEEDED", "Error": {"ErrorType": "E"}}, "Cannot provide an Error for SUCCEEDED status."),
    ({"Status": "PENDING"}, "Cannot return PENDING status with no pending operations.")])
def test_answers_that_say_nothing_fail_the_execution(bare, answer, message):
    arn = bare.invoke({"answer": answer}, InvocationType="Event")["DurableExecutionArn"]
    execution = bare.ended(arn)
    assert execution["Status"] == FAILED and execution["Error"]["ErrorType"] == "InvalidParameterValueException"
    assert execution["Error"]["ErrorMessage"] == message


def check(events):
    """A history is well formed: no number is missing, each operation begins before it ends, and ends once."""
    assert [e["EventId"] for e in events] == list(range(1, len(events) + 1))
    assert events[0]["EventType"] == "ExecutionStarted" and events[-1]["EventType"] == "ExecutionSucceeded"
    under_way, ended = set(), set()
    for e in events[:-1]:
        kind, id = e["EventType"], e.get("Id")
        if kind == "InvocationCompleted":
            continue
        assert id not in ended and ("ParentId" not in e or e["ParentId"] in under_way), e
        if kind.endswith("Started"):
            assert id not in under_way
            under_way.add(id)
            continue
        retried = "NextAttemptDelaySeconds" in details(e).get("RetryDetails", {})
        assert id in under_way or kind.startswith(("Step", "Context")), e
        under_way.discard(id)
        if not retried:
            ended.add(id)
    assert under_way == {events[0]["Id"]}


def test_executions_survive_sigkill(tmp_path):
    """Whatever the platform dies of, executions go on where they stood: a step that was done is not done again."""
    rng = random.Random(7)
    with Cirro(tmp_path) as platform:
        def client(service):
            return make_client(platform.url, service)
        table = new_table(client)
        client("lambda").create_function(
            FunctionName="f", Runtime=RUNTIME, Handler="app.handler", Role=ROLE, Timeout=60, MemorySize=512, Code={"ZipFile": code()},
            Environment={"Variables": {"TABLE": table}}, DurableConfig={"ExecutionTimeout": 31_622_400})
        client("lambda").get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig={"Delay": 0.1, "MaxAttempts": 1200})
        durable = Durable(client, "f", table)
        started, asked, done = {}, set(), {}

        def begin(n):
            try:
                started[n] = durable.start("journey", named=f"j-{n}", key=f"j-{n}", n=n, function="f:$LATEST")
            except (BotoCoreError, ClientError):
                pass  # not acknowledged

        def go_on(n):
            """Answer an execution's callback, and note which of its steps are done."""
            try:
                for e in durable.history(started[n]):
                    if e["EventType"] == "CallbackStarted" and n not in asked:
                        durable.client.send_durable_execution_callback_success(CallbackId=details(e)["CallbackId"], Result=str(n).encode())
                        asked.add(n)
                    if e["EventType"] == "StepSucceeded" and e["Name"] in ("first", "waited", "flaky", "last"):
                        key = f"j-{n}/{e['Name']}"
                        if key not in done:
                            done[key] = durable.counted(key)
            except ClientError as e:
                assert e.response["Error"]["Code"] == "CallbackTimeoutException"  # it was answered just before a crash
                asked.add(n)
            except BotoCoreError:
                pass
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for round in range(ROUNDS):
                wave = [pool.submit(begin, n) for n in range(EXECUTIONS) if n not in started]
                time.sleep(rng.uniform(0.5, 3))
                wave += [pool.submit(go_on, n) for n in list(started)]
                time.sleep(rng.uniform(0, 1.5))
                platform.stop(signal.SIGKILL)
                concurrent.futures.wait(wave)
                platform.start()
            list(pool.map(begin, [n for n in range(EXECUTIONS) if n not in started]))
            assert len(started) == EXECUTIONS

            def finish(n):
                eventually(lambda: go_on(n) or n in asked)
                return durable.result(started[n])
            for n, result in enumerate(pool.map(finish, range(EXECUTIONS))):
                assert result == [True, [True, 2 * n, n, n], [n, 2 * n, 3 * n], True]
        for n, arn in started.items():
            check(durable.history(arn))
        assert {k: durable.counted(k) for k in done} == done
