"""Step Functions' events on EventBridge's default bus, with boto3."""
import json

import pytest

from conftest import ROLE, eventually, unique


@pytest.fixture(scope="module")
def sfn(client):
    return client("stepfunctions")


@pytest.fixture
def told(client):
    """told(machine) gives a function that waits for some events of a machine's executions."""
    events, sqs = client("events"), client("sqs")
    rules = []

    def of(arn):
        name = unique("states")
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.put_rule(Name=name, EventPattern=json.dumps({"source": ["aws.states"], "detail": {"stateMachineArn": [{"prefix": arn}]}}))
        events.put_targets(Rule=name, Targets=[{"Id": "q", "Arn": queue}])
        rules.append(name)
        came = []

        def some(n):
            def more():
                for m in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", []):
                    came.append(json.loads(m["Body"]))
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
                return len(came) >= n
            eventually(more)
            return sorted(came, key=lambda e: (e["detail"]["redriveCount"], e["detail"]["stopDate"] or 0))
        return some
    yield of
    for name in rules:
        events.remove_targets(Rule=name, Ids=["q"])
        events.delete_rule(Name=name)


def make(sfn, definition, **kw):
    return sfn.create_state_machine(name=unique("sm"), definition=json.dumps(definition), roleArn=ROLE, **kw)["stateMachineArn"]


PASSING = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": {"r": 1}, "End": True}}}


def test_an_execution_that_succeeds(sfn, told):
    arn = make(sfn, PASSING)
    some = told(arn)
    started = sfn.start_execution(stateMachineArn=arn, name="e", input='{"n": 1}')
    began, ended = some(2)
    ms = round(started["startDate"].timestamp() * 1000)
    assert list(began) == ["version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"]
    assert (began["detail-type"], began["source"], began["resources"]) == ("Step Functions Execution Status Change", "aws.states", [started["executionArn"]])
    assert began["detail"] == {
        "executionArn": started["executionArn"], "stateMachineArn": arn, "name": "e", "status": "RUNNING", "startDate": ms, "stopDate": None, "input": '{"n": 1}',
        "output": None, "stateMachineVersionArn": None, "stateMachineAliasArn": None, "redriveCount": 0, "redriveDate": None, "redriveStatus": "NOT_REDRIVABLE",
        "redriveStatusReason": "Execution is RUNNING and cannot be redriven", "inputDetails": {"included": True}, "outputDetails": None, "error": None, "cause": None}
    assert ended["detail"] == {**began["detail"], "status": "SUCCEEDED", "stopDate": ended["detail"]["stopDate"], "output": '{"r":1}', "outputDetails": {"included": True},
                               "redriveStatusReason": "Execution is SUCCEEDED and cannot be redriven"}
    assert ended["detail"]["stopDate"] >= ms


def test_failures_and_redrives(sfn, told):
    arn = make(sfn, {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E", "Cause": "c"}}})
    some = told(arn)
    execution = sfn.start_execution(stateMachineArn=arn)["executionArn"]
    _, failed = some(2)
    assert [failed["detail"][k] for k in ("status", "error", "cause", "redriveStatus", "redriveStatusReason", "output")] == ["FAILED", "E", "c", "REDRIVABLE", None, None]
    sfn.redrive_execution(executionArn=execution)
    again = some(4)[2:]
    assert [(e["detail"]["status"], e["detail"]["redriveCount"], e["detail"]["redriveDate"] is None) for e in again] == [("RUNNING", 1, False), ("FAILED", 1, False)]


def test_stops_and_timeouts(sfn, told):
    waiting = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 99999999, "End": True}}}
    arn = make(sfn, waiting)
    some = told(arn)
    execution = sfn.start_execution(stateMachineArn=arn)["executionArn"]
    some(1)
    sfn.stop_execution(executionArn=execution, error="E", cause="c")
    assert [some(2)[1]["detail"][k] for k in ("status", "error", "cause")] == ["ABORTED", "E", "c"]
    arn = make(sfn, {**waiting, "TimeoutSeconds": 1})
    some = told(arn)
    sfn.start_execution(stateMachineArn=arn)
    assert [some(2)[1]["detail"][k] for k in ("status", "error", "redriveStatus")] == ["TIMED_OUT", None, "REDRIVABLE"]


@pytest.mark.parametrize("size, shown", [(120_000, (True, True)), (130_000, (False, True)), (255_000, (False, False))])
def test_large_inputs_and_outputs_are_left_out(sfn, told, size, shown):
    arn = make(sfn, {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
    some = told(arn)
    sfn.start_execution(stateMachineArn=arn, input=json.dumps("x" * size))
    d = some(2)[1]["detail"]
    assert (d["inputDetails"]["included"], d["outputDetails"]["included"]) == shown == (d["input"] is not None, d["output"] is not None)


def test_express_executions_tell_nobody_and_children_tell_of_themselves(sfn, told):
    express = make(sfn, PASSING, type="EXPRESS")
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, **PASSING}
    standard = make(sfn, {"StartAt": "M", "States": {"M": {"Type": "Map", "Label": "lab", "ItemProcessor": processor, "End": True}}})
    silent, some = told(express), told(standard)
    sfn.start_execution(stateMachineArn=express)
    sfn.start_execution(stateMachineArn=standard, input="[1]")
    came = some(4)
    assert sorted((e["detail"]["stateMachineArn"], e["detail"]["status"]) for e in came) == sorted(
        (arn, status) for arn in (standard, standard + "/lab") for status in ("RUNNING", "SUCCEEDED"))
    assert silent(0) == []
