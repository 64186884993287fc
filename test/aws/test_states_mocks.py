"""Mocked runs of Step Functions, by a file in the format of Step Functions Local's mock configuration, with boto3."""
import json
import subprocess

import pytest
from botocore.config import Config

from cirro import BINARY, Cirro
from conftest import ROLE, eventually, make_client, unique

LAMBDA = "arn:aws:lambda:us-east-1:000000000000:function:none"


def returns(value):
    return {"Return": value}


def throws(error, cause="c"):
    return {"Throw": {"Error": error, "Cause": cause}}


OK = {"StatusCode": 200, "Payload": {"body": "Hello from Lambda!"}}
RESPONSES = {
    "LambdaSuccess": {"0": returns(OK)},
    "LambdaRetry": {"0": throws("Lambda.ResourceNotReadyException"), "1-2": throws("Lambda.TimeoutException"), "3": returns(OK)},
    "SQSSuccess": {"0": returns({"MessageId": "3bcb6e8e"})},
    "Thrown": {"0": throws("Some.Error", "Some cause")},
    "Counted": {str(n): returns(n) for n in range(3)},
    "Null": {"0": returns(None)},
}
# The machine of AWS's documentation: https://docs.aws.amazon.com/step-functions/latest/dg/sfn-local-test-sm-exec.html
LAMBDA_SQS = {"StartAt": "LambdaState", "States": {
    "LambdaState": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "none", "Payload.$": "$"}, "Next": "SQSState",
                    "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 2, "MaxAttempts": 3, "BackoffRate": 2}]},
    "SQSState": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage",
                 "Parameters": {"QueueUrl": "https://none/none", "MessageBody.$": "$.Payload"}, "End": True}}}


def task(resource, **fields):
    return {"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": resource, "End": True, **fields}}}


def over(mode, processor, **fields):
    return {"StartAt": "M", "States": {"M": {"Type": "Map", "ItemProcessor": {"ProcessorConfig": mode, **processor}, "MaxConcurrency": 1, "End": True, **fields}}}


MACHINES = {
    "LambdaSQSIntegration": (LAMBDA_SQS, {"HappyPath": {"LambdaState": "LambdaSuccess", "SQSState": "SQSSuccess"},
                                          "RetryPath": {"LambdaState": "LambdaRetry", "SQSState": "SQSSuccess"},
                                          "HybridPath": {"LambdaState": "LambdaSuccess"}}),
    "Function": (task(LAMBDA), {"Ok": {"T": "LambdaSuccess"}, "Plain": {"T": "SQSSuccess"}, "Null": {"T": "Null"}, "Error": {"T": "Thrown"}}),
    "Token": (task("arn:aws:states:::sqs:sendMessage.waitForTaskToken", Parameters={"QueueUrl": "q", "MessageBody.$": "$$.Task.Token"}),
              {"Ok": {"T": "SQSSuccess"}, "Error": {"T": "Thrown"}}),
    "Sync": (task("arn:aws:states:::states:startExecution.sync:2", Parameters={"StateMachineArn": "none"}), {"Ok": {"T": "SQSSuccess"}}),
    "Absent": (task("arn:aws:states:::ecs:runTask.sync", Parameters={"Cluster": "c"}), {"Ok": {"T": "SQSSuccess"}, "Unmocked": {}}),
    "Activity": (task("arn:aws:states:us-east-1:000000000000:activity:none"), {"Ok": {"T": "SQSSuccess"}}),
    "Inline": (over({"Mode": "INLINE"}, task(LAMBDA)), {"Counts": {"T": "Counted"}}),
    "Distributed": (over({"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, task(LAMBDA)), {"Counts": {"T": "Counted"}}),
    "Express": (task("arn:aws:states:::aws-sdk:sqs:getQueueUrl", Parameters={"QueueName": "q"}), {"Ok": {"T": "SQSSuccess"}}),
}


@pytest.fixture(scope="module")
def sfn(tmp_path_factory):
    mocks = tmp_path_factory.mktemp("mocks") / "MockConfigFile.json"
    mocks.write_text(json.dumps({"StateMachines": {name: {"TestCases": cases} for name, (_, cases) in MACHINES.items()}, "MockedResponses": RESPONSES}))
    with Cirro(tmp_path_factory.mktemp("cirro"), "--states-mocks", str(mocks)) as platform:
        client = make_client(platform.url, "stepfunctions", config=Config(inject_host_prefix=False))
        for name, (definition, _) in MACHINES.items():
            client.create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE, type="EXPRESS" if name == "Express" else "STANDARD")
        yield client


def arn(machine, case):
    return f"arn:aws:states:us-east-1:000000000000:stateMachine:{machine}#{case}"


@pytest.fixture(scope="module")
def run(sfn):
    def go(machine, case, payload=None):
        execution = sfn.start_execution(stateMachineArn=arn(machine, case), input=json.dumps({} if payload is None else payload), name=unique("e"))["executionArn"]
        d = eventually(lambda: (lambda d: d if d["status"] != "RUNNING" else None)(sfn.describe_execution(executionArn=execution)))
        return d, sfn.get_execution_history(executionArn=execution)["events"]
    return go


def test_happy_path(run):
    d, events = run("LambdaSQSIntegration", "HappyPath")
    assert (d["status"], json.loads(d["output"])) == ("SUCCEEDED", {"MessageId": "3bcb6e8e"})
    assert d["stateMachineArn"].endswith(":LambdaSQSIntegration") and "#" not in d["executionArn"]
    assert [e["type"] for e in events] == ["ExecutionStarted", "TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskSucceeded", "TaskStateExited",
                                           "TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskSucceeded", "TaskStateExited", "ExecutionSucceeded"]
    assert json.loads(events[4]["taskSucceededEventDetails"]["output"]) == OK


def test_retry_path(run):
    d, events = run("LambdaSQSIntegration", "RetryPath")
    assert d["status"] == "SUCCEEDED"
    assert [e["taskFailedEventDetails"]["error"] for e in events if e["type"] == "TaskFailed"] == [
        "Lambda.ResourceNotReadyException", "Lambda.TimeoutException", "Lambda.TimeoutException"]


def test_a_state_that_is_not_mocked_calls_its_service(run):
    d, events = run("LambdaSQSIntegration", "HybridPath")
    assert d["status"] == "FAILED" and d["error"].startswith("SQS.") and [e["type"] for e in events].count("TaskSucceeded") == 1


@pytest.mark.parametrize("case, output", [("Ok", OK["Payload"]), ("Plain", {"MessageId": "3bcb6e8e"}), ("Null", None)])
def test_functions_by_their_arn(run, case, output):
    d, events = run("Function", case)
    assert json.loads(d["output"]) == output and events[4]["type"] == "LambdaFunctionSucceeded"


def test_errors(run):
    d, events = run("Function", "Error")
    assert (d["status"], d["error"], d["cause"]) == ("FAILED", "Some.Error", "Some cause")
    assert events[4]["lambdaFunctionFailedEventDetails"] == {"error": "Some.Error", "cause": "Some cause"}


@pytest.mark.parametrize("machine", ["Token", "Sync", "Absent"])
def test_what_is_waited_for_ends_at_once(run, machine):
    d, events = run(machine, "Ok")
    assert json.loads(d["output"]) == {"MessageId": "3bcb6e8e"}
    assert [e["type"] for e in events][2:7] == ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded", "TaskStateExited"]


def test_a_token_that_fails(run):
    d, events = run("Token", "Error")
    assert d["error"] == "Some.Error" and [e["type"] for e in events][3:5] == ["TaskStarted", "TaskFailed"]


def test_an_activity_that_is_not_there(run):
    d, events = run("Activity", "Ok")
    assert json.loads(d["output"]) == {"MessageId": "3bcb6e8e"} and events[2]["type"] == "ActivityScheduled"


def test_invocations_are_counted_by_state(run):
    assert json.loads(run("Inline", "Counts", [7, 7, 7])[0]["output"]) == [0, 1, 2]
    d, _ = run("Inline", "Counts", [7, 7, 7, 7])
    assert (d["error"], d["cause"]) == ("States.Runtime", "The mocked response 'Counted' has none for invocation 3 of the state 'T'")


def test_each_child_of_a_distributed_map_counts_for_itself(run):
    assert json.loads(run("Distributed", "Counts", [7, 7])[0]["output"]) == [0, 0]


def test_express(sfn):
    out = sfn.start_sync_execution(stateMachineArn=arn("Express", "Ok"), input="{}")
    assert (out["status"], json.loads(out["output"])) == ("SUCCEEDED", {"MessageId": "3bcb6e8e"})


def test_an_integration_that_is_not_there_fails_where_it_is_not_mocked(run, sfn):
    d, _ = run("Absent", "Unmocked")
    assert (d["error"], d["cause"]) == ("States.Runtime", "Cirro does not implement the integration ecs:runTask")
    with pytest.raises(sfn.exceptions.InvalidDefinition, match="Cirro does not implement the integration ecs:runTask"):
        sfn.create_state_machine(name="NotInTheFile", definition=json.dumps(MACHINES["Absent"][0]), roleArn=ROLE)


def test_a_test_case_that_is_not_there(sfn, client):
    for machine, case in (("Function", "None"), ("None", "Ok")):
        with pytest.raises(sfn.exceptions.ValidationException, match=f"no test case '{case}' of the state machine '{machine}'"):
            sfn.start_execution(stateMachineArn=arn(machine, case))
    with pytest.raises(sfn.exceptions.ValidationException, match="there is no mock configuration"):
        client("stepfunctions").start_execution(stateMachineArn=arn("Function", "Ok"))


@pytest.mark.parametrize("variable", [None, "SFN_MOCK_CONFIG"])
def test_a_wrong_file_is_told_at_the_start(tmp_path, variable):
    mocks = tmp_path / "mocks.json"
    mocks.write_text('{"StateMachines": {"M": {"TestCases": {"C": {"S": "R"}}}}, "MockedResponses": {}}')
    end = subprocess.run([BINARY, "serve", "--listen", "127.0.0.1:0", "--data", tmp_path / "data", *([] if variable else ["--states-mocks", mocks])],
                         env={**({variable: str(mocks)} if variable else {}), "PATH": "/usr/bin"}, capture_output=True, text=True, timeout=120)
    assert end.returncode != 0 and 'StateMachines.M.TestCases.C.S: MockedResponses has no "R"' in end.stderr
