"""State machines and what is kept of them: versions, aliases, tags, lists, errors; with boto3."""
import concurrent.futures
import json
import os
import subprocess
import sys

import pytest
from botocore.config import Config

from conftest import ROLE, eventually, unique


@pytest.fixture(scope="module")
def sfn(client):
    return client("stepfunctions")


def passing(result, **machine):
    return json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": result, "End": True}}, **machine})


def make(sfn, definition=None, **kw):
    return sfn.create_state_machine(name=kw.pop("name", unique("sm")), definition=definition or passing(1), roleArn=ROLE, **kw)


def ended(sfn, execution):
    return eventually(lambda: (lambda d: d if d["status"] != "RUNNING" else None)(sfn.describe_execution(executionArn=execution)))


def test_a_machine_is_made_once(sfn):
    name = unique("sm")
    first = make(sfn, name=name)
    assert make(sfn, name=name)["creationDate"] == first["creationDate"]
    with pytest.raises(sfn.exceptions.StateMachineAlreadyExists, match=f"State Machine Already Exists: '{first['stateMachineArn']}'"):
        make(sfn, passing(2), name=name)
    d = sfn.describe_state_machine(stateMachineArn=first["stateMachineArn"])
    assert (d["name"], d["status"], d["type"], d["loggingConfiguration"]) == (name, "ACTIVE", "STANDARD", {"level": "OFF", "includeExecutionData": False})
    assert "revisionId" not in d and json.loads(d["definition"]) == json.loads(passing(1))
    assert first["stateMachineArn"] in [m["stateMachineArn"] for p in sfn.get_paginator("list_state_machines").paginate(maxResults=1) for m in p["stateMachines"]]
    sfn.delete_state_machine(stateMachineArn=first["stateMachineArn"])
    with pytest.raises(sfn.exceptions.StateMachineDoesNotExist):
        sfn.describe_state_machine(stateMachineArn=first["stateMachineArn"])
    sfn.delete_state_machine(stateMachineArn=first["stateMachineArn"])


def test_versions(sfn):
    with pytest.raises(sfn.exceptions.ValidationException, match="Version description can only be set when publish is true"):
        make(sfn, versionDescription="x")
    made = make(sfn, publish=True, versionDescription="one")
    arn = made["stateMachineArn"]
    assert made["stateMachineVersionArn"] == f"{arn}:1"
    updated = sfn.update_state_machine(stateMachineArn=arn, definition=passing(2), publish=True)
    assert updated["stateMachineVersionArn"] == f"{arn}:2"
    assert sfn.publish_state_machine_version(stateMachineArn=arn)["stateMachineVersionArn"] == f"{arn}:2", "nothing has changed"
    with pytest.raises(sfn.exceptions.ConflictException, match="The current State Machine revision is " + updated["revisionId"]):
        sfn.publish_state_machine_version(stateMachineArn=arn, revisionId="11111111-1111-1111-1111-111111111111")
    versions = sfn.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"]
    assert [v["stateMachineVersionArn"] for v in versions] == [f"{arn}:2", f"{arn}:1"]
    one = sfn.describe_state_machine(stateMachineArn=f"{arn}:1")
    assert (one["description"], json.loads(one["definition"])) == ("one", json.loads(passing(1)))
    execution = sfn.start_execution(stateMachineArn=f"{arn}:1")["executionArn"]
    d = ended(sfn, execution)
    assert (d["output"], d["stateMachineVersionArn"], d["stateMachineArn"]) == ("1", f"{arn}:1", arn)
    listed = sfn.list_executions(stateMachineArn=f"{arn}:1")["executions"]
    assert [e["executionArn"] for e in listed] == [execution] and sfn.list_executions(stateMachineArn=f"{arn}:2")["executions"] == []
    with pytest.raises(sfn.exceptions.StateMachineDoesNotExist, match=f"State Machine Does Not Exist: '{arn}:3'"):
        sfn.start_execution(stateMachineArn=f"{arn}:3")


def test_aliases(sfn):
    arn = make(sfn, publish=True)["stateMachineArn"]
    sfn.update_state_machine(stateMachineArn=arn, definition=passing(2), publish=True)

    def routes(*weights):
        return [{"stateMachineVersionArn": f"{arn}:{n}", "weight": w} for n, w in weights]
    alias = sfn.create_state_machine_alias(name="live", routingConfiguration=routes((1, 100)))["stateMachineAliasArn"]
    assert alias == f"{arn}:live"
    assert sfn.create_state_machine_alias(name="live", routingConfiguration=routes((1, 100)))["stateMachineAliasArn"] == alias
    for bad, problem in ((routes((1, 70), (2, 29)), r"Sum of routing configuration weights must equal 100. Received: \[70, 29\]"),
                         (routes((1, 50), (1, 50)), "must contain distinct state machine version ARNs"),
                         ([{"stateMachineVersionArn": arn, "weight": 100}], "must contain state machine version ARNs")):
        with pytest.raises(sfn.exceptions.ValidationException, match=problem):
            sfn.create_state_machine_alias(name="other", routingConfiguration=bad)
    with pytest.raises(sfn.exceptions.ConflictException, match="an alias with the same name and a different routing configuration"):
        sfn.create_state_machine_alias(name="live", routingConfiguration=routes((2, 100)))
    d = ended(sfn, sfn.start_execution(stateMachineArn=alias)["executionArn"])
    assert (d["output"], d["stateMachineAliasArn"], d["stateMachineVersionArn"]) == ("1", alias, f"{arn}:1")
    sfn.update_state_machine_alias(stateMachineAliasArn=alias, routingConfiguration=routes((1, 50), (2, 50)))
    outputs = {ended(sfn, sfn.start_execution(stateMachineArn=alias)["executionArn"])["output"] for _ in range(40)}
    assert outputs == {"1", "2"}
    with pytest.raises(sfn.exceptions.ConflictException, match="must not be referenced by an alias"):
        sfn.delete_state_machine_version(stateMachineVersionArn=f"{arn}:1")
    assert [a["stateMachineAliasArn"] for a in sfn.list_state_machine_aliases(stateMachineArn=f"{arn}:2")["stateMachineAliases"]] == [alias]
    sfn.delete_state_machine_alias(stateMachineAliasArn=alias)
    sfn.delete_state_machine_version(stateMachineVersionArn=f"{arn}:1")
    assert len(sfn.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"]) == 1


def test_tags(sfn):
    arn = make(sfn, tags=[{"key": "a", "value": "1"}])["stateMachineArn"]
    activity = sfn.create_activity(name=unique("act"))["activityArn"]
    for resource, before in ((arn, [{"key": "a", "value": "1"}]), (activity, [])):
        assert sfn.list_tags_for_resource(resourceArn=resource)["tags"] == before
        sfn.tag_resource(resourceArn=resource, tags=[{"key": "b", "value": "2"}])
        sfn.untag_resource(resourceArn=resource, tagKeys=["a"])
        assert sfn.list_tags_for_resource(resourceArn=resource)["tags"] == [{"key": "b", "value": "2"}]
    with pytest.raises(sfn.exceptions.ResourceNotFound):
        sfn.tag_resource(resourceArn=arn + "x", tags=[])


def test_names_of_executions(sfn):
    arn = make(sfn, json.dumps({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 99999, "End": True}}}))["stateMachineArn"]
    first = sfn.start_execution(stateMachineArn=arn, name="x", input='{"a":1}')
    assert sfn.start_execution(stateMachineArn=arn, name="x", input='{"a":1}')["startDate"] == first["startDate"]
    with pytest.raises(sfn.exceptions.ExecutionAlreadyExists):
        sfn.start_execution(stateMachineArn=arn, name="x", input='{"a":2}')
    with pytest.raises(sfn.exceptions.InvalidName):
        sfn.start_execution(stateMachineArn=arn, name="a b")
    with pytest.raises(sfn.exceptions.InvalidExecutionInput):
        sfn.start_execution(stateMachineArn=arn, input="{")
    assert [e["status"] for e in sfn.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"]] == ["RUNNING"]
    sfn.stop_execution(executionArn=first["executionArn"], error="Enough", cause="of it")
    d = sfn.describe_execution(executionArn=first["executionArn"])
    assert (d["status"], d["error"], d["cause"], d["redriveStatus"]) == ("ABORTED", "Enough", "of it", "REDRIVABLE")
    with pytest.raises(sfn.exceptions.ExecutionAlreadyExists):
        sfn.start_execution(stateMachineArn=arn, name="x", input='{"a":1}')
    with pytest.raises(sfn.exceptions.ExecutionDoesNotExist):
        sfn.describe_execution(executionArn=first["executionArn"] + "y")


def test_redrive_goes_on_where_it_failed(sfn, function):
    name = function("""
        import boto3, os
        def handler(event, context):
            if event.get("until") and not event.get("ok"): raise ValueError("not yet")
            return event
        """)
    arn = make(sfn, json.dumps({"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Result": {"until": True}, "Next": "T"},
        "T": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": name, "Payload.$": "$"}, "End": True}}}))["stateMachineArn"]
    execution = sfn.start_execution(stateMachineArn=arn)["executionArn"]
    assert ended(sfn, execution)["error"] == "ValueError"
    sfn.redrive_execution(executionArn=execution)
    d = ended(sfn, execution)
    assert (d["status"], d["redriveCount"]) == ("FAILED", 1)
    types = [e["type"] for e in sfn.get_execution_history(executionArn=execution)["events"]]
    assert types == ["ExecutionStarted", "PassStateEntered", "PassStateExited", "TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskFailed", "ExecutionFailed",
                     "ExecutionRedriven", "TaskScheduled", "TaskStarted", "TaskFailed", "ExecutionFailed"]
    backwards = sfn.get_execution_history(executionArn=execution, reverseOrder=True, maxResults=5)
    assert [e["id"] for e in backwards["events"]] == [13, 12, 11, 10, 9]
    assert [e["id"] for e in sfn.get_execution_history(executionArn=execution, reverseOrder=True, nextToken=backwards["nextToken"])["events"]] == list(range(8, 0, -1))
    bare = sfn.get_execution_history(executionArn=execution, includeExecutionData=False)["events"]
    assert "input" not in bare[0]["executionStartedEventDetails"]


def test_express_executions(client):
    sfn = client("stepfunctions", config=Config(inject_host_prefix=False))
    arn = make(sfn, passing({"r": 1}), type="EXPRESS")["stateMachineArn"]
    out = sfn.start_sync_execution(stateMachineArn=arn, input='{"a": 1}')
    assert (out["status"], json.loads(out["output"]), out["input"]) == ("SUCCEEDED", {"r": 1}, '{"a": 1}')
    assert ":express:" in out["executionArn"] and out["billingDetails"]["billedMemoryUsedInMB"] == 64
    failing = make(sfn, json.dumps({"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E", "Cause": "c"}}}), type="EXPRESS")["stateMachineArn"]
    out = sfn.start_sync_execution(stateMachineArn=failing)
    assert (out["status"], out["error"], out["cause"]) == ("FAILED", "E", "c")
    assert sfn.start_execution(stateMachineArn=arn)["executionArn"].split(":")[5] == "express"
    with pytest.raises(sfn.exceptions.StateMachineTypeNotSupported):
        sfn.start_sync_execution(stateMachineArn=make(sfn)["stateMachineArn"])


def test_validation(sfn):
    out = sfn.validate_state_machine_definition(definition=passing(1))
    assert (out["result"], out["diagnostics"]) == ("OK", [])
    out = sfn.validate_state_machine_definition(definition='{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}}}')
    assert out["result"] == "FAIL" and {"severity": "ERROR", "code": "MISSING_TRANSITION_TARGET", "message": "Missing 'Next' target: B",
                                        "location": "/States/A/Next"} in out["diagnostics"]


def test_activities(sfn):
    activity = sfn.create_activity(name=unique("act"))["activityArn"]
    assert sfn.create_activity(name=activity.split(":")[-1])["activityArn"] == activity
    arn = make(sfn, json.dumps({"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": activity, "End": True}}}))["stateMachineArn"]
    execution = sfn.start_execution(stateMachineArn=arn, input='{"n": 1}')["executionArn"]
    task = sfn.get_activity_task(activityArn=activity, workerName="w")
    assert json.loads(task["input"]) == {"n": 1}
    sfn.send_task_heartbeat(taskToken=task["taskToken"])
    sfn.send_task_success(taskToken=task["taskToken"], output='"done"')
    assert ended(sfn, execution)["output"] == '"done"'
    types = [e["type"] for e in sfn.get_execution_history(executionArn=execution)["events"]]
    assert types[2:5] == ["ActivityScheduled", "ActivityStarted", "ActivitySucceeded"]
    with pytest.raises(sfn.exceptions.TaskTimedOut):
        sfn.send_task_success(taskToken=task["taskToken"], output='"again"')
    with pytest.raises(sfn.exceptions.InvalidToken):
        sfn.send_task_success(taskToken="nonsense", output='"again"')
    with pytest.raises(sfn.exceptions.ActivityDoesNotExist):
        sfn.get_activity_task(activityArn=activity + "x")


def test_the_aws_cli(endpoint):
    env = {**os.environ, "AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test",
           "AWS_SECRET_ACCESS_KEY": "test", "AWS_DISABLE_HOST_PREFIX_INJECTION": "true"}

    def cli(*args):
        command = [sys.executable, "-m", "awscli", "stepfunctions", *args, "--output", "json"]
        return json.loads(subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=120).stdout)
    arn = cli("create-state-machine", "--name", unique("cli"), "--type", "EXPRESS", "--role-arn", ROLE, "--definition", passing(1))["stateMachineArn"]
    run = cli("start-sync-execution", "--state-machine-arn", arn, "--input", '{"a": 1}')
    assert (run["status"], json.loads(run["input"])) == ("SUCCEEDED", {"a": 1})


def worked(sfn, activity, **fields):
    """An execution whose one task is an activity's."""
    arn = make(sfn, json.dumps({"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": activity, "End": True, **fields}}}))["stateMachineArn"]
    return sfn.start_execution(stateMachineArn=arn)["executionArn"]


def test_many_workers_share_an_activity(client):
    sfn = client("stepfunctions")
    activity = sfn.create_activity(name=unique("act"))["activityArn"]

    def work():
        """Does five tasks."""
        tokens = set()
        while len(tokens) < 5:
            token = sfn.get_activity_task(activityArn=activity, workerName="w").get("taskToken")
            if token:
                sfn.send_task_success(taskToken=token, output="1")
                tokens.add(token)
        return tokens
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(work) for _ in range(4)]
        executions = [worked(sfn, activity) for _ in range(20)]
        assert len(set().union(*(worker.result() for worker in workers))) == 20
    assert [ended(sfn, e)["status"] for e in executions] == ["SUCCEEDED"] * 20


def test_activities_that_fail(sfn):
    activity = sfn.create_activity(name=unique("act"))["activityArn"]
    execution = worked(sfn, activity)
    token = sfn.get_activity_task(activityArn=activity)["taskToken"]
    with pytest.raises(sfn.exceptions.InvalidOutput):
        sfn.send_task_success(taskToken=token, output="{")
    sfn.send_task_failure(taskToken=token, error="Tired", cause="no coffee")
    d = ended(sfn, execution)
    assert (d["status"], d["error"], d["cause"]) == ("FAILED", "Tired", "no coffee")
    events = sfn.get_execution_history(executionArn=execution)["events"]
    assert events[3]["activityStartedEventDetails"] == {}  # nobody gave a name
    assert events[4]["activityFailedEventDetails"] == {"error": "Tired", "cause": "no coffee"}
    for late in (lambda: sfn.send_task_failure(taskToken=token), lambda: sfn.send_task_heartbeat(taskToken=token)):
        with pytest.raises(sfn.exceptions.TaskTimedOut, match="Task Timed Out: 'Provided task does not exist anymore'"):
            late()
    with pytest.raises(sfn.exceptions.InvalidToken, match="Invalid Token: 'Invalid token'"):
        sfn.send_task_heartbeat(taskToken="x")


def test_activities_that_take_too_long(sfn):
    activity = sfn.create_activity(name=unique("act"))["activityArn"]
    nobody = worked(sfn, activity, TimeoutSeconds=10)
    d = ended(sfn, nobody)
    assert (d["status"], d["error"]) == ("FAILED", "States.Timeout")
    silent = worked(sfn, activity, TimeoutSeconds=6000, HeartbeatSeconds=10)
    sfn.get_activity_task(activityArn=activity, workerName="w")
    assert ended(sfn, silent)["error"] == "States.Timeout"
    types = [e["type"] for e in sfn.get_execution_history(executionArn=silent)["events"]]
    assert types[2:5] == ["ActivityScheduled", "ActivityStarted", "ActivityTimedOut"]


def test_an_activity_that_is_gone(sfn):
    activity = sfn.create_activity(name=unique("act"))["activityArn"]
    sfn.delete_activity(activityArn=activity)
    execution = worked(sfn, activity)
    d = ended(sfn, execution)
    assert (d["error"], d["cause"]) == ("States.Runtime", "An error occurred while executing the state 'T' (entered at the event id #2). "
                                        f"The activity {activity} does not exist.")
    types = [e["type"] for e in sfn.get_execution_history(executionArn=execution)["events"]]
    assert types == ["ExecutionStarted", "TaskStateEntered", "ExecutionFailed"]


@pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])
def test_logs_by_level(client, kind):
    sfn, logs, group = client("stepfunctions"), client("logs"), f"/states/{unique('log')}"
    logs.create_log_group(logGroupName=group)
    arn = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["arn"]
    definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "F"}, "F": {"Type": "Fail", "Error": "E", "Cause": "c"}}})

    def logged(level, data):
        machine = make(sfn, definition, type=kind, loggingConfiguration={
            "level": level, "includeExecutionData": data, "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": arn}}]})["stateMachineArn"]
        execution = sfn.start_execution(stateMachineArn=machine, input='{"k": 1}')["executionArn"]

        def found():
            events = [json.loads(e["message"]) for e in logs.filter_log_events(logGroupName=group)["events"]]
            events = [e for e in events if e["execution_arn"] == execution]
            return events if events and events[-1]["type"] == "ExecutionFailed" else None
        return eventually(found)
    events = logged("ALL", True)
    assert [e["type"] for e in events] == ["ExecutionStarted", "PassStateEntered", "PassStateExited", "FailStateEntered", "ExecutionFailed"]
    assert events[0]["details"] == {"input": '{"k": 1}', "inputDetails": {"truncated": False}, "roleArn": ROLE}
    assert (events[4]["details"], events[4]["previous_event_id"]) == ({"error": "E", "cause": "c"}, "4")
    assert [(e["id"], e["type"]) for e in logged("FATAL", False)] == [("5", "ExecutionFailed")]
    with pytest.raises(sfn.exceptions.InvalidLoggingConfiguration):
        make(sfn, loggingConfiguration={"level": "ALL"})


def test_a_state_by_itself(client, function):
    sfn = client("stepfunctions", config=Config(inject_host_prefix=False))

    def tried(state, payload=None, level="DEBUG", **kw):
        return sfn.test_state(definition=json.dumps(state), roleArn=ROLE, input=json.dumps(payload or {}), inspectionLevel=level, **kw)
    out = tried({"Type": "Pass", "InputPath": "$.a", "Parameters": {"n.$": "$.n"}, "ResultPath": "$.r", "Next": "B"}, {"a": {"n": 1}})
    assert (out["status"], json.loads(out["output"]), out["nextState"]) == ("SUCCEEDED", {"a": {"n": 1}, "r": {"n": 1}}, "B")
    data = {k: json.loads(v) for k, v in out["inspectionData"].items()}
    assert data == {"input": {"a": {"n": 1}}, "afterInputPath": {"n": 1}, "afterParameters": {"n": 1}, "result": {"n": 1}, "afterResultSelector": {"n": 1},
                    "afterResultPath": {"a": {"n": 1}, "r": {"n": 1}}}
    assert "inspectionData" not in tried({"Type": "Succeed"}, level="INFO")
    name = function("def handler(event, context): raise KeyError('x')")
    task = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": name}, "End": True}
    assert tried(task)["error"] == "KeyError"
    assert tried({**task, "Retry": [{"ErrorEquals": ["KeyError"], "IntervalSeconds": 3}]})["status"] == "RETRIABLE"
    out = tried({**task, "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.e", "Next": "C"}]})
    assert (out["status"], out["nextState"], json.loads(out["output"])["e"]["Error"]) == ("CAUGHT_ERROR", "C", "KeyError")
    with pytest.raises(sfn.exceptions.InvalidDefinition):
        tried({"Type": "Pass"})


def test_the_variables_that_states_refer_to(sfn):
    arn = make(sfn, json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "Assign": {"x": 1}, "Next": "B"},
                                                           "B": {"Type": "Pass", "Parameters": {"y.$": "$x"}, "End": True}}}))["stateMachineArn"]
    assert sfn.describe_state_machine(stateMachineArn=arn)["variableReferences"] == {"B": ["x"]}
    execution = sfn.start_execution(stateMachineArn=arn)["executionArn"]
    assert sfn.describe_state_machine_for_execution(executionArn=execution)["variableReferences"] == {"B": ["x"]}
    assert "variableReferences" not in sfn.describe_state_machine(stateMachineArn=make(sfn)["stateMachineArn"])


def test_what_sdks_send_and_read_of_newer_members(client):
    """The members that AWS's API had added last travel under the names that SDKs know."""
    sfn = client("stepfunctions", config=Config(inject_host_prefix=False))

    def tried(state, **kw):
        return sfn.test_state(definition=json.dumps(state), inspectionLevel="DEBUG", **kw)
    task = {"Type": "Task", "QueryLanguage": "JSONata", "Resource": "arn:aws:states:::lambda:invoke", "Arguments": {"FunctionName": "{% $f %}"},
            "Retry": [{"ErrorEquals": ["E"], "IntervalSeconds": 3, "BackoffRate": 2}], "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "C"}], "End": True}
    out = tried(task, variables='{"f": "g"}', mock={"result": '{"Payload": 1}', "fieldValidationMode": "NONE"})
    assert (out["status"], json.loads(out["output"]), json.loads(out["inspectionData"]["afterArguments"])) == ("SUCCEEDED", {"Payload": 1}, {"FunctionName": "g"})
    error = {"errorOutput": {"error": "E", "cause": "c"}}
    out = tried(task, variables='{"f": "g"}', mock=error, stateConfiguration={"retrierRetryCount": 1})
    assert (out["status"], out["inspectionData"]["errorDetails"]) == ("RETRIABLE", {"retryIndex": 0, "retryBackoffIntervalSeconds": 6})
    out = tried(task, variables='{"f": "g"}', mock=error, stateConfiguration={"retrierRetryCount": 3})
    assert (out["status"], out["inspectionData"]["errorDetails"]) == ("CAUGHT_ERROR", {"catchIndex": 0})
    machine = json.dumps({"QueryLanguage": "JSONata", "StartAt": "A", "States": {
        "A": {"Type": "Pass", "Assign": {"x": [1]}, "Next": "B"}, "B": {"Type": "Pass", "Output": "{% 1 + 'a' %}", "End": True}}})
    out = sfn.test_state(definition=machine, stateName="A", context='{"Execution": {"Id": "e"}}', inspectionLevel="DEBUG")
    assert json.loads(out["inspectionData"]["variables"]) == {"x": [1]}
    execution = sfn.start_execution(stateMachineArn=make(sfn, machine)["stateMachineArn"])["executionArn"]
    assert ended(sfn, execution)["error"] == "States.QueryEvaluationError"
    events = {e["type"]: e for e in sfn.get_execution_history(executionArn=execution)["events"]}
    left = events["PassStateExited"]["stateExitedEventDetails"]
    assert (left["assignedVariables"], left["assignedVariablesDetails"]) == ({"x": "[1]"}, {"truncated": False})
    failed = events["EvaluationFailed"]["evaluationFailedEventDetails"]
    assert (failed["state"], failed["location"], failed["error"]) == ("B", "Output", "States.QueryEvaluationError")
    faulty = '{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "C": {"Type": "Pass", "Next": "D"}}}'
    out = sfn.validate_state_machine_definition(definition=faulty, maxResults=1)
    assert (len(out["diagnostics"]), out["truncated"]) == (1, True)
    assert sfn.validate_state_machine_definition(definition=faulty, severity="WARNING")["truncated"] is False
