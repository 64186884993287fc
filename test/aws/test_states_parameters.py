"""Parameters of Step Functions' operations that are seldom used, with boto3."""
import json

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from conftest import ROLE, eventually, make_client, unique


@pytest.fixture(scope="module")
def sfn(client):
    return client("stepfunctions")


PASSING = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "Assign": {"v": 1}, "End": True}}})


def make(sfn, definition=PASSING, **kw):
    return sfn.create_state_machine(name=unique("sm"), definition=definition, roleArn=ROLE, **kw)["stateMachineArn"]


def ended(sfn, execution):
    return eventually(lambda: (lambda d: d if d["status"] != "RUNNING" else None)(sfn.describe_execution(executionArn=execution)))


def test_metadata_only(sfn, endpoint):
    arn = make(sfn)
    execution = sfn.start_execution(stateMachineArn=arn, input='{"secret": 1}')["executionArn"]
    assert ended(sfn, execution)["input"] == '{"secret": 1}'
    d = sfn.describe_execution(executionArn=execution, includedData="METADATA_ONLY")
    assert d["status"] == "SUCCEEDED" and not {"input", "output", "inputDetails", "outputDetails"} & set(d)
    for described in (sfn.describe_state_machine(stateMachineArn=arn, includedData="METADATA_ONLY"),
                      sfn.describe_state_machine_for_execution(executionArn=execution, includedData="METADATA_ONLY")):
        assert described["roleArn"] == ROLE and "definition" not in described
    assert json.loads(sfn.describe_state_machine(stateMachineArn=arn, includedData="ALL_DATA")["definition"]) == json.loads(PASSING)
    express = make(sfn, type="EXPRESS")
    direct = make_client(endpoint, "stepfunctions", config=Config(inject_host_prefix=False))
    out = direct.start_sync_execution(stateMachineArn=express, input="{}", includedData="METADATA_ONLY")
    assert out["status"] == "SUCCEEDED" and not {"input", "output"} & set(out)


def test_an_execution_keeps_the_settings_of_its_machine(sfn, client):
    group = f"/sfn/{unique('g')}"
    client("logs").create_log_group(logGroupName=group)
    log = {"level": "ERROR", "includeExecutionData": True, "destinations": [
        {"cloudWatchLogsLogGroup": {"logGroupArn": f"arn:aws:logs:us-east-1:000000000000:log-group:{group}:*"}}]}
    arn = make(sfn, loggingConfiguration=log, tracingConfiguration={"enabled": True}, publish=True)
    execution = sfn.start_execution(stateMachineArn=arn)["executionArn"]
    sfn.update_state_machine(stateMachineArn=arn, loggingConfiguration={"level": "OFF"}, tracingConfiguration={"enabled": False})
    d = sfn.describe_state_machine_for_execution(executionArn=execution)
    assert (d["loggingConfiguration"], d["tracingConfiguration"], d["encryptionConfiguration"]) == (log, {"enabled": True}, {"type": "AWS_OWNED_KEY"})
    assert sfn.describe_state_machine(stateMachineArn=f"{arn}:1")["loggingConfiguration"] == log
    assert sfn.describe_state_machine(stateMachineArn=arn)["tracingConfiguration"] == {"enabled": False}


def test_map_runs_by_pages(sfn):
    def over(name, **end):
        return {"Type": "Map", "Label": name, "ResultPath": None, **end, "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": f"P{name}", "States": {f"P{name}": {"Type": "Pass", "End": True}}}}
    arn = make(sfn, json.dumps({"StartAt": "A", "States": {"A": over("a", Next="B"), "B": over("b", Next="C"), "C": over("c", End=True)}}))
    execution = sfn.start_execution(stateMachineArn=arn, input="[1]")["executionArn"]
    ended(sfn, execution)
    pages = [[m["mapRunArn"] for m in p["mapRuns"]] for p in sfn.get_paginator("list_map_runs").paginate(executionArn=execution, maxResults=2)] \
        if sfn.can_paginate("list_map_runs") else []
    whole = [m["mapRunArn"] for m in sfn.list_map_runs(executionArn=execution)["mapRuns"]]
    first = sfn.list_map_runs(executionArn=execution, maxResults=2)
    rest = sfn.list_map_runs(executionArn=execution, maxResults=2, nextToken=first["nextToken"])
    assert len(whole) == 3 and [m["mapRunArn"] for m in first["mapRuns"] + rest["mapRuns"]] == whole and "nextToken" not in rest
    assert not pages or [len(p) for p in pages] == [2, 1]
    child = sfn.list_executions(mapRunArn=whole[0])["executions"][0]
    d = sfn.describe_state_machine_for_execution(executionArn=child["executionArn"])
    assert (d["mapRunArn"], d["label"]) == (whole[0], d["stateMachineArn"].rsplit("/", 1)[1]) and d["label"] in "abc"
    with pytest.raises(sfn.exceptions.ValidationException):
        sfn.start_execution(stateMachineArn=d["stateMachineArn"])


def test_encryption_and_tags(sfn):
    key = "arn:aws:kms:us-east-1:000000000000:key/1"
    own, wrong = {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": key}, {"type": "CUSTOMER_MANAGED_KMS_KEY"}
    arn = make(sfn, encryptionConfiguration=own)
    assert sfn.describe_state_machine(stateMachineArn=arn)["encryptionConfiguration"] == own
    many = [{"key": f"k{n}", "value": "v"} for n in range(51)]
    for call in (lambda **kw: make(sfn, **kw), lambda **kw: sfn.create_activity(name=unique("act"), **kw)):
        for bad in (wrong, {"type": "AWS_OWNED_KEY", "kmsKeyId": key}):
            with pytest.raises(sfn.exceptions.InvalidEncryptionConfiguration):
                call(encryptionConfiguration=bad)
        with pytest.raises(sfn.exceptions.TooManyTags):
            call(tags=many)
        assert call(tags=many[:50])
    name = unique("act")
    first = sfn.create_activity(name=name, encryptionConfiguration=own)
    assert sfn.create_activity(name=name, encryptionConfiguration=own)["creationDate"] == first["creationDate"]
    with pytest.raises(ClientError, match=f"ActivityAlreadyExists.*Activity Already Exists: '{first['activityArn']}'"):
        sfn.create_activity(name=name)


def test_the_same_machine_again(sfn):
    name = unique("sm")
    first = sfn.create_state_machine(name=name, definition=PASSING, roleArn=ROLE)
    again = sfn.create_state_machine(name=name, definition=PASSING, roleArn=ROLE + "2", tags=[{"key": "k", "value": "v"}])
    assert again["creationDate"] == first["creationDate"] and sfn.describe_state_machine(stateMachineArn=first["stateMachineArn"])["roleArn"] == ROLE
    assert sfn.list_tags_for_resource(resourceArn=first["stateMachineArn"])["tags"] == []
    with pytest.raises(sfn.exceptions.StateMachineAlreadyExists):
        sfn.create_state_machine(name=name, definition=PASSING, roleArn=ROLE, tracingConfiguration={"enabled": True})


@pytest.mark.parametrize("fields, failed, error", [({}, 1, "States.ExceedToleratedFailureThreshold"), ({"ToleratedFailureCount": 1}, 1, None), ({"ToleratedFailureCount": 1}, 2, "States.ExceedToleratedFailureThreshold"),
                                                   ({"ToleratedFailurePercentage": 50}, 2, None), ({}, 0, None)])
def test_a_trial_of_a_map_of_which_iterations_fail(endpoint, fields, failed, error):
    direct = make_client(endpoint, "stepfunctions", config=Config(inject_host_prefix=False))
    state = {"Type": "Map", "End": True, **fields, "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "P",
                                                                     "States": {"P": {"Type": "Pass", "End": True}}}}
    out = direct.test_state(definition=json.dumps(state), roleArn=ROLE, input="[1, 2, 3, 4]", mock={"result": "[1]"}, stateConfiguration={"mapIterationFailureCount": failed})
    assert (out.get("error"), out["status"]) == (error, "FAILED" if error else "SUCCEEDED")
