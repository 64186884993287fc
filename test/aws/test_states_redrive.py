"""Redrives of map runs, and of whatever else did not end well, with boto3."""
import json
import os
import signal
import threading

import pytest
from botocore.exceptions import BotoCoreError

from cirro import Cirro
from conftest import ROLE, eventually, make_client, unique

LONG = os.environ.get("CIRRO_LONG") == "1"


@pytest.fixture(scope="module")
def sfn(client):
    return client("stepfunctions")


def mapped(processor, mode="STANDARD", **fields):
    return {"StartAt": "M", "States": {"M": {"Type": "Map", "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": mode}, **processor},
                                             "End": True, **fields}}}


def start(sfn, definition, payload):
    arn = sfn.create_state_machine(name=unique("sm"), definition=json.dumps(definition), roleArn=ROLE)["stateMachineArn"]
    return sfn.start_execution(stateMachineArn=arn, input=json.dumps(payload))["executionArn"]


def ended(sfn, execution):
    return eventually(lambda: (lambda d: d if d["status"] != "RUNNING" else None)(sfn.describe_execution(executionArn=execution)))


def types(sfn, execution):
    return [e["type"] for e in history(sfn, execution)]


def history(sfn, execution):
    return sfn.get_execution_history(executionArn=execution)["events"]


# Each item names a queue; an item fails until its queue is there.
ASKING = {"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sqs:getQueueUrl", "Parameters": {"QueueName.$": "$"},
                                           "ResultSelector": {"n": 1}, "OutputPath": "$.n", "End": True}}}


@pytest.mark.parametrize("mode", ["STANDARD", "EXPRESS"])
def test_a_failed_map_run_goes_on_with_what_did_not_end_well(sfn, client, mode):
    sqs = client("sqs")
    names = [unique("q") for _ in range(5)]
    for name in names[:2] + names[3:]:
        sqs.create_queue(QueueName=name)
    execution = start(sfn, mapped(ASKING, mode, MaxConcurrency=1), names)
    d = ended(sfn, execution)
    assert (d["error"], d["redriveStatus"]) == ("States.ExceedToleratedFailureThreshold", "REDRIVABLE")
    (listed,) = sfn.list_map_runs(executionArn=execution)["mapRuns"]
    m = sfn.describe_map_run(mapRunArn=listed["mapRunArn"])
    assert (m["status"], m["redriveCount"], m["executionCounts"]["succeeded"], m["executionCounts"]["failed"]) == ("FAILED", 0, 2, 1) and "redriveDate" not in m
    (failed,) = sfn.list_executions(mapRunArn=listed["mapRunArn"], statusFilter="FAILED")["executions"]
    child = sfn.describe_execution(executionArn=failed["executionArn"])
    assert (child["redriveStatus"], child["mapRunArn"], json.loads(child["input"])) == ("REDRIVABLE_BY_MAP_RUN", listed["mapRunArn"], names[2])
    if mode == "STANDARD":
        with pytest.raises(sfn.exceptions.ExecutionNotRedrivable):
            sfn.redrive_execution(executionArn=failed["executionArn"])

    sfn.redrive_execution(executionArn=execution)
    assert ended(sfn, execution)["status"] == "FAILED", "the queue is still missing"
    sqs.create_queue(QueueName=names[2])
    sfn.redrive_execution(executionArn=execution)
    d = ended(sfn, execution)
    assert (d["status"], d["redriveCount"]) == ("SUCCEEDED", 2) and json.loads(d["output"]) == [1] * 5
    events = history(sfn, execution)
    assert [e["type"] for e in events] == [
        "ExecutionStarted", "MapStateEntered", "MapStateStarted", "MapRunStarted", "MapRunFailed", "MapStateFailed", "ExecutionFailed",
        "ExecutionRedriven", "MapRunRedriven", "MapRunFailed", "MapStateFailed", "ExecutionFailed",
        "ExecutionRedriven", "MapRunRedriven", "MapRunSucceeded", "MapStateSucceeded", "MapStateExited", "ExecutionSucceeded"]
    assert events[13]["mapRunRedrivenEventDetails"] == {"mapRunArn": listed["mapRunArn"], "redriveCount": 2} and events[13]["previousEventId"] == 13
    assert [r["mapRunArn"] for r in sfn.list_map_runs(executionArn=execution)["mapRuns"]] == [listed["mapRunArn"]]
    m = sfn.describe_map_run(mapRunArn=listed["mapRunArn"])
    counts = m["executionCounts"]
    assert (m["status"], m["redriveCount"], "redriveDate" in m, counts["succeeded"], counts["failed"], counts["total"], counts["pendingRedrive"]) == (
        "SUCCEEDED", 2, True, 5, 0, 5, 0)
    if mode == "STANDARD":
        (again,) = sfn.list_executions(mapRunArn=listed["mapRunArn"], redriveFilter="REDRIVEN")["executions"]
        assert (again["executionArn"], again["redriveCount"], again["status"]) == (failed["executionArn"], 2, "SUCCEEDED")
        assert types(sfn, failed["executionArn"]).count("ExecutionRedriven") == 2
        assert len(sfn.list_executions(mapRunArn=listed["mapRunArn"], redriveFilter="NOT_REDRIVEN")["executions"]) == 4
    else:
        assert sfn.describe_execution(executionArn=failed["executionArn"])["status"] == "SUCCEEDED", "the same ARN"


@pytest.mark.parametrize("mode", ["STANDARD", "EXPRESS"] if LONG else ["STANDARD"])  # whoever drives the map run is waited for until its lease ends
def test_a_redrive_survives_sigkill(tmp_path, mode):
    with Cirro(tmp_path) as platform:
        sfn, sqs = make_client(platform.url, "stepfunctions"), make_client(platform.url, "sqs")
        execution = start(sfn, mapped(ASKING, mode, ToleratedFailureCount=299, MaxConcurrency=50), ["q"] * 300)
        assert ended(sfn, execution)["error"] == "States.ExceedToleratedFailureThreshold"
        sqs.create_queue(QueueName="q")
        for _ in range(3 if LONG else 1):
            if sfn.describe_execution(executionArn=execution)["status"] == "FAILED":
                sfn.redrive_execution(executionArn=execution)
            platform.restart(signal.SIGKILL)
        d = ended(sfn, execution)
        assert (d["status"], json.loads(d["output"])) == ("SUCCEEDED", [1] * 300)
        (m,) = sfn.list_map_runs(executionArn=execution)["mapRuns"]
        counts = sfn.describe_map_run(mapRunArn=m["mapRunArn"])["executionCounts"]
        assert [counts[k] for k in ("succeeded", "failed", "running", "total", "pendingRedrive")] == [300, 0, 0, 300, 0]


def test_a_stopped_map_run_is_redriven_while_it_still_stops(sfn):
    activity = sfn.create_activity(name=unique("act"))["activityArn"]
    execution = start(sfn, mapped({"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": activity, "End": True}}}, MaxConcurrency=2), [1, 2, 3])

    def running():
        runs = sfn.list_map_runs(executionArn=execution)["mapRuns"]
        return runs and sfn.describe_map_run(mapRunArn=runs[0]["mapRunArn"])["executionCounts"]["running"] == 2 and runs[0]["mapRunArn"]
    m = eventually(running)
    for _ in range(2):
        sfn.stop_execution(executionArn=execution)
        sfn.redrive_execution(executionArn=execution)
    over = threading.Event()

    def work():
        while not over.is_set():
            try:
                t = sfn.get_activity_task(activityArn=activity)
                if "taskToken" in t:
                    sfn.send_task_success(taskToken=t["taskToken"], output=json.dumps(int(t["input"]) * 10))
            except (sfn.exceptions.TaskTimedOut, sfn.exceptions.TaskDoesNotExist):
                pass  # of a child that was stopped
            except BotoCoreError:
                return  # the platform has stopped
    threading.Thread(target=work, daemon=True).start()  # it may wait for a task for a minute
    d = ended(sfn, execution)
    over.set()
    assert (d["status"], json.loads(d["output"]), d["redriveCount"]) == ("SUCCEEDED", [10, 20, 30], 2)
    assert sfn.describe_map_run(mapRunArn=m)["executionCounts"]["total"] == 3


def test_a_map_run_that_gave_too_much_is_begun_anew(sfn):
    big = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": "x" * 100_000, "End": True}}}
    execution = start(sfn, mapped(big), [1, 2, 3])
    assert ended(sfn, execution)["error"] == "States.DataLimitExceeded"
    sfn.redrive_execution(executionArn=execution)
    assert ended(sfn, execution)["error"] == "States.DataLimitExceeded"
    assert len(sfn.list_map_runs(executionArn=execution)["mapRuns"]) == 2 and types(sfn, execution).count("MapRunStarted") == 2


def test_items_that_could_not_be_read_are_read(sfn, client):
    bucket = unique("redriven")
    reader = {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "JSON"}, "Parameters": {"Bucket": bucket, "Key": "k"}}
    execution = start(sfn, mapped({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}, ItemReader=reader), {})
    assert ended(sfn, execution)["error"] == "States.ItemReaderFailed"
    client("s3").create_bucket(Bucket=bucket)
    client("s3").put_object(Bucket=bucket, Key="k", Body="[1, 2]")
    sfn.redrive_execution(executionArn=execution)
    assert json.loads(ended(sfn, execution)["output"]) == [1, 2]


def test_what_cannot_be_redriven(sfn):
    execution = start(sfn, {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}, {})
    assert ended(sfn, execution)["redriveStatusReason"] == "Execution is SUCCEEDED and cannot be redriven"
    with pytest.raises(sfn.exceptions.ExecutionNotRedrivable, match="Execution is SUCCEEDED and cannot be redriven"):
        sfn.redrive_execution(executionArn=execution)


def test_a_clients_token_asks_for_one_redrive(sfn):
    execution = start(sfn, {"StartAt": "F", "States": {"F": {"Type": "Fail"}}}, {})
    ended(sfn, execution)
    first = sfn.redrive_execution(executionArn=execution, clientToken="token")["redriveDate"]
    ended(sfn, execution)
    assert sfn.redrive_execution(executionArn=execution, clientToken="token")["redriveDate"] == first
    assert sfn.describe_execution(executionArn=execution)["redriveCount"] == 1
    sfn.redrive_execution(executionArn=execution, clientToken="other")
    assert ended(sfn, execution)["redriveCount"] == 2


@pytest.mark.parametrize("state, status, reason", [({"Type": "Pass", "End": True}, "NOT_REDRIVABLE", "Execution is SUCCEEDED and cannot be redriven"),
                                                   ({"Type": "Fail", "Error": "E"}, "REDRIVABLE", None)])
def test_an_execution_that_is_waited_for_says_whether_it_can_be_redriven(sfn, state, status, reason):
    child = sfn.create_state_machine(name=unique("sm"), definition=json.dumps({"StartAt": "A", "States": {"A": state}}), roleArn=ROLE)["stateMachineArn"]
    execution = start(sfn, {"StartAt": "A", "States": {"A": {
        "Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync:2", "Parameters": {"StateMachineArn": child}, "End": True}}}, {})
    d = ended(sfn, execution)
    told = json.loads(d["output"] if reason else d["cause"])
    assert (told["RedriveCount"], told["RedriveStatus"], told.get("RedriveStatusReason")) == (0, status, reason)
    names = [n for n in told if n not in ("Error", "Cause")]
    assert names == sorted(names)
