"""The 256 KB that inputs, outputs and results may have, wherever they come to be, with boto3."""
import json

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from conftest import ROLE, eventually, make_client, unique

LIMIT = 262144


@pytest.fixture(scope="module")
def sfn(client):
    return client("stepfunctions")


def make(sfn, states, **kw):
    definition = {"StartAt": next(iter(states)), "States": states}
    return sfn.create_state_machine(name=unique("sm"), definition=json.dumps(definition), roleArn=ROLE, **kw)["stateMachineArn"]


@pytest.fixture(scope="module")
def run(sfn):
    def go(states, payload=None):
        execution = sfn.start_execution(stateMachineArn=make(sfn, states), input=json.dumps(payload if payload is not None else {}))["executionArn"]
        d = eventually(lambda: (lambda d: d if d["status"] != "RUNNING" else None)(sfn.describe_execution(executionArn=execution)))
        return d, sfn.get_execution_history(executionArn=execution)["events"]
    return go


def cause(what):
    return f"The state/task '{what}' returned a result with a size exceeding the maximum number of bytes service limit."


def exceeded(d, what):
    assert (d["status"], d.get("error"), d.get("cause")) == ("FAILED", "States.DataLimitExceeded", cause(what))


def text(size):
    """A text that has so many bytes as JSON."""
    return "x" * (size - 2)


def test_inputs_of_executions(sfn):
    arn = make(sfn, {"A": {"Type": "Pass", "Result": 1, "End": True}})
    assert sfn.start_execution(stateMachineArn=arn, input=json.dumps(text(LIMIT)))
    with pytest.raises(ClientError, match="ValidationException.*Member must have length less than or equal to 262144"):
        sfn.start_execution(stateMachineArn=arn, input=json.dumps(text(LIMIT + 1)))
    with pytest.raises(sfn.exceptions.InvalidExecutionInput):
        sfn.start_execution(stateMachineArn=arn, input=json.dumps("ü" * 140_000, ensure_ascii=False))  # so many bytes, not so many characters


def test_outputs_of_states(run):
    grow = {"A": {"Type": "Pass", "Parameters": {"a.$": "$", "b.$": "$"}, "End": True}}
    assert run(grow, text(LIMIT // 2 - 20))[0]["status"] == "SUCCEEDED"
    d, events = run(grow, text(LIMIT // 2))
    exceeded(d, "A")
    assert [e["type"] for e in events] == ["ExecutionStarted", "PassStateEntered", "ExecutionFailed"]


def test_results_of_functions(run, client, function):
    name = function("def handler(event, context): return 'x' * (event['size'] - 2)")
    arn = client("lambda").get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    direct = {"A": {"Type": "Task", "Resource": arn, "End": True}}
    assert run(direct, {"size": LIMIT})[0]["status"] == "SUCCEEDED"
    d, events = run(direct, {"size": LIMIT + 1})
    exceeded(d, arn)
    assert events[-2]["lambdaFunctionFailedEventDetails"] == {"error": "States.DataLimitExceeded", "cause": cause(arn)}
    d, events = run({"A": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": name, "Payload.$": "$"}, "End": True}}, {"size": LIMIT})
    exceeded(d, "lambda")
    assert events[-2]["taskFailedEventDetails"] == {"resourceType": "lambda", "resource": "invoke", "error": "States.DataLimitExceeded", "cause": cause("lambda")}


def test_what_is_too_much_can_be_caught(run):
    d, _ = run({"A": {"Type": "Parallel", "Branches": [{"StartAt": "B", "States": {"B": {"Type": "Pass", "End": True}}}], "ResultPath": "$.r",
                      "Catch": [{"ErrorEquals": ["States.DataLimitExceeded"], "ResultPath": None, "Next": "C"}], "Next": "C"}, "C": {"Type": "Pass", "Result": 1, "End": True}},
               {"a": text(LIMIT * 2 // 3)})
    assert d["status"] == "SUCCEEDED"


def branches(n):
    return {"A": {"Type": "Parallel", "Branches": [{"StartAt": f"B{i}", "States": {f"B{i}": {"Type": "Pass", "End": True}}} for i in range(n)], "End": True}}


def items(mode):
    return {"A": {"Type": "Map", "ItemProcessor": {"ProcessorConfig": mode, "StartAt": "B", "States": {"B": {"Type": "Pass", "End": True}}},
                  "ItemsPath": "$.n", "ItemSelector": {"v.$": "$.v"}, "End": True}}


@pytest.mark.parametrize("states, payload", [
    (branches(3), text(LIMIT // 3 + 10)),
    (items({"Mode": "INLINE"}), {"n": [1, 2, 3], "v": text(LIMIT // 3)}),
    (items({"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}), {"n": [1, 2, 3], "v": text(LIMIT // 3)}),
    (items({"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}), {"n": [1, 2, 3], "v": text(LIMIT // 3)}),
], ids=["branches", "inline", "standard", "express"])
def test_results_together(run, states, payload):
    d, events = run(states, payload)
    exceeded(d, "A")
    kind = states["A"]["Type"]
    assert [e["type"] for e in events][-2:] == [f"{kind}StateFailed", "ExecutionFailed"]


def test_outputs_of_tokens(run, sfn):
    activity = sfn.create_activity(name=unique("act"))["activityArn"]
    arn = make(sfn, {"A": {"Type": "Task", "Resource": activity, "End": True}})
    execution = sfn.start_execution(stateMachineArn=arn)["executionArn"]
    token = sfn.get_activity_task(activityArn=activity)["taskToken"]
    with pytest.raises(ClientError, match="ValidationException.*Member must have length less than or equal to 262144"):
        sfn.send_task_success(taskToken=token, output=json.dumps(text(LIMIT + 1)))
    with pytest.raises(sfn.exceptions.InvalidOutput):
        sfn.send_task_success(taskToken=token, output=json.dumps("ü" * 140_000, ensure_ascii=False))
    sfn.send_task_success(taskToken=token, output=json.dumps(text(LIMIT)))
    assert eventually(lambda: sfn.describe_execution(executionArn=execution)["status"] == "SUCCEEDED")


def test_express_executions(sfn, client, endpoint):
    direct = make_client(endpoint, "stepfunctions", config=Config(inject_host_prefix=False))
    arn = make(sfn, {"A": {"Type": "Pass", "Parameters": {"a.$": "$", "b.$": "$"}, "End": True}}, type="EXPRESS")
    out = direct.start_sync_execution(stateMachineArn=arn, input=json.dumps(text(LIMIT // 2)))
    exceeded(out, "A")


@pytest.mark.parametrize("most, count, error", [(0, 3, None), (2, 2, None), (-1, 0, "States.ItemReaderFailed")])
def test_how_many_items(run, client, most, count, error):
    bucket = unique("items")
    client("s3").create_bucket(Bucket=bucket)
    client("s3").put_object(Bucket=bucket, Key="k", Body="[1, 2, 3]")
    d, events = run({"A": {"Type": "Map", "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}, "StartAt": "B",
                                                           "States": {"B": {"Type": "Pass", "End": True}}}, "End": True,
                           "ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "Parameters": {"Bucket": bucket, "Key": "k"},
                                          "ReaderConfig": {"InputType": "JSON", "MaxItemsPath": "$.most"}}}}, {"most": most})
    if error:
        assert (d["error"], d["cause"]) == (error, "field MaxItems must be positive")
        assert [e["type"] for e in events][-4:] == ["MapRunStarted", "MapRunFailed", "MapStateFailed", "ExecutionFailed"]
    else:
        assert len(json.loads(d["output"])) == count
