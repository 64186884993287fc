"""Step Functions' tasks, with boto3: each integration by a machine of its own."""
import json

import pytest

from conftest import ROLE, eventually, unique


@pytest.fixture(scope="module")
def sfn(client):
    return client("stepfunctions")


@pytest.fixture(scope="module")
def run(sfn):
    """run(states, input) runs a machine that starts at its first state to its end."""
    def go(states, payload=None, **machine):
        definition = {"StartAt": next(iter(states)), "States": states, **machine}
        arn = sfn.create_state_machine(name=unique("sm"), definition=json.dumps(definition), roleArn=ROLE)["stateMachineArn"]
        execution = sfn.start_execution(stateMachineArn=arn, input=json.dumps(payload or {}))["executionArn"]

        def ended():
            d = sfn.describe_execution(executionArn=execution)
            return d if d["status"] != "RUNNING" else None
        return eventually(ended)
    return go


def task(resource, parameters, **fields):
    return {"T": {"Type": "Task", "Resource": resource, "Parameters": parameters, "End": True, **fields}}


def output(d):
    assert d["status"] == "SUCCEEDED", d
    return json.loads(d["output"])


def test_lambda_invoke(run, function):
    name = function("def handler(event, context):\n    if event.get('bad'): raise ValueError('no')\n    return {'got': event}")
    out = output(run(task("arn:aws:states:::lambda:invoke", {"FunctionName": name, "Payload": {"n.$": "$.n"}}), {"n": 1}))
    assert out["Payload"] == {"got": {"n": 1}} and out["StatusCode"] == 200 and out["ExecutedVersion"] == "$LATEST"
    assert out["SdkHttpMetadata"]["HttpStatusCode"] == 200 and out["SdkResponseMetadata"]["RequestId"]
    d = run(task("arn:aws:states:::lambda:invoke", {"FunctionName": name, "Payload": {"bad": True}}))
    assert (d["status"], d["error"], json.loads(d["cause"])["errorMessage"]) == ("FAILED", "ValueError", "no")
    d = run(task("arn:aws:states:::lambda:invoke", {"FunctionName": "none-such"}))
    assert d["error"] == "Lambda.ResourceNotFoundException" and "Function not found" in d["cause"]


def test_sqs_with_a_task_token(run, client, sfn):
    sqs = client("sqs")
    url = sqs.create_queue(QueueName=unique("q"))["QueueUrl"]
    out = output(run(task("arn:aws:states:::sqs:sendMessage", {"QueueUrl": url, "MessageBody": {"a.$": "$.a"}}), {"a": [1]}))
    message = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"][0]
    assert json.loads(message["Body"]) == {"a": [1]} and out["MessageId"] == message["MessageId"]
    definition = {"StartAt": "T", "States": task("arn:aws:states:::sqs:sendMessage.waitForTaskToken",
                                                 {"QueueUrl": url, "MessageBody": {"token.$": "$$.Task.Token"}})}
    arn = sfn.create_state_machine(name=unique("sm"), definition=json.dumps(definition), roleArn=ROLE)["stateMachineArn"]
    execution = sfn.start_execution(stateMachineArn=arn)["executionArn"]

    def token():
        for m in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages", []):
            if "token" in json.loads(m["Body"]):
                return json.loads(m["Body"])["token"]
    sfn.send_task_success(taskToken=eventually(token), output='{"ok": true}')
    d = eventually(lambda: (lambda d: d if d["status"] != "RUNNING" else None)(sfn.describe_execution(executionArn=execution)))
    assert output(d) == {"ok": True}
    types = [e["type"] for e in sfn.get_execution_history(executionArn=execution)["events"]]
    assert types == ["ExecutionStarted", "TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded", "TaskStateExited", "ExecutionSucceeded"]


def test_dynamodb(run, client):
    table = unique("t")
    client("dynamodb").create_table(TableName=table, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
                                    AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}])
    eventually(lambda: client("dynamodb").describe_table(TableName=table)["Table"]["TableStatus"] == "ACTIVE")
    output(run(task("arn:aws:states:::dynamodb:putItem", {"TableName": table, "Item": {"pk": {"S.$": "$.k"}, "n": {"N": "7"}}}), {"k": "x"}))
    out = output(run(task("arn:aws:states:::dynamodb:getItem", {"TableName": table, "Key": {"pk": {"S": "x"}}})))
    assert out["Item"] == {"pk": {"S": "x"}, "n": {"N": "7"}}
    out = output(run(task("arn:aws:states:::aws-sdk:dynamodb:scan", {"TableName": table})))
    assert out["Count"] == 1 and "SdkHttpMetadata" not in out
    d = run(task("arn:aws:states:::dynamodb:putItem", {"TableName": table, "Item": {"pk": {"S": "x"}}, "ConditionExpression": "attribute_not_exists(pk)"}))
    assert d["error"] == "DynamoDB.ConditionalCheckFailedException"
    d = run(task("arn:aws:states:::aws-sdk:dynamodb:getItem", {"TableName": "none-such", "Key": {"pk": {"S": "x"}}}))
    assert d["error"] == "DynamoDb.ResourceNotFoundException" and "(Service: DynamoDb, Status Code: 400, Request ID: " in d["cause"]


def test_s3_by_the_sdk(run, client):
    bucket = unique("b")
    client("s3").create_bucket(Bucket=bucket)
    output(run(task("arn:aws:states:::aws-sdk:s3:putObject", {"Bucket": bucket, "Key": "k", "Body": {"a": 1}})))
    out = output(run(task("arn:aws:states:::aws-sdk:s3:getObject", {"Bucket": bucket, "Key": "k"})))
    assert json.loads(out["Body"]) == {"a": 1}
    d = run(task("arn:aws:states:::aws-sdk:s3:getObject", {"Bucket": bucket, "Key": "none"}))
    assert d["error"] == "S3.NoSuchKeyException"


@pytest.mark.parametrize("wait, parsed", [("sync", False), ("sync:2", True)])
def test_executions_that_are_waited_for(run, sfn, wait, parsed):
    def machine(states):
        return sfn.create_state_machine(name=unique("child"), roleArn=ROLE, definition=json.dumps({"StartAt": "A", "States": states}))["stateMachineArn"]
    good = machine({"A": {"Type": "Wait", "Seconds": 1, "Next": "B"}, "B": {"Type": "Pass", "Result": {"r": 1}, "End": True}})
    out = output(run(task(f"arn:aws:states:::states:startExecution.{wait}", {"StateMachineArn": good, "Input": {"i": 1}})))
    assert out["Status"] == "SUCCEEDED"
    assert (out["Output"], out["Input"]) == (({"r": 1}, {"i": 1}) if parsed else ('{"r":1}', '{"i":1}'))
    bad = machine({"A": {"Type": "Fail", "Error": "E", "Cause": "c"}})
    d = run(task(f"arn:aws:states:::states:startExecution.{wait}", {"StateMachineArn": bad}))
    assert d["error"] == "States.TaskFailed" and json.loads(d["cause"])["Error"] == "E"


def test_what_is_not_there_is_refused_when_the_machine_is_made(sfn):
    for resource, problem in (("arn:aws:states:::glue:startJobRun", "Cirro does not implement the integration glue:startJobRun"),
                              ("arn:aws:states:::aws-sdk:ec2:describeVpcs", "Cirro does not implement the integration aws-sdk:ec2:describeVpcs"),
                              ("arn:aws:states:::dynamodb:getItem.sync", "is not recognized"), ("nothing", "Value is not a valid resource ARN")):
        with pytest.raises(sfn.exceptions.InvalidDefinition, match=problem):
            sfn.create_state_machine(name=unique("sm"), roleArn=ROLE, definition=json.dumps({"StartAt": "T", "States": task(resource, {})}))
