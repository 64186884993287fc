"""Distributed Map states with boto3: where items come from, how they are put together, what fails, where results go."""
import json

import pytest

from conftest import ROLE, eventually, unique


@pytest.fixture(scope="module")
def sfn(client):
    return client("stepfunctions")


@pytest.fixture(scope="module")
def bucket(client):
    name = unique("items")
    client("s3").create_bucket(Bucket=name)
    return name


def mapped(processor=None, mode="STANDARD", **fields):
    processor = processor or {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
    return {"StartAt": "M", "States": {"M": {"Type": "Map", "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": mode}, **processor},
                                             "End": True, **fields}}}


def ended(sfn, definition, payload=None):
    """The description of an execution of a new machine, when it has ended."""
    arn = sfn.create_state_machine(name=unique("sm"), definition=json.dumps(definition), roleArn=ROLE)["stateMachineArn"]
    execution = sfn.start_execution(stateMachineArn=arn, input=json.dumps(payload if payload is not None else {}))["executionArn"]
    return eventually(lambda: (lambda d: d if d["status"] != "RUNNING" else None)(sfn.describe_execution(executionArn=execution)))


@pytest.fixture(scope="module")
def run(sfn):
    return lambda definition, payload=None: ended(sfn, definition, payload)


def output(d):
    assert d["status"] == "SUCCEEDED", d
    return json.loads(d["output"])


def reader(bucket, key, **config):
    return {"Resource": "arn:aws:states:::s3:getObject", "Parameters": {"Bucket": bucket, "Key": key}, "ReaderConfig": config}


@pytest.mark.parametrize("mode", ["STANDARD", "EXPRESS"])
def test_items_of_the_input(run, sfn, mode):
    d = run(mapped(mode=mode, ItemSelector={"i.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value"}, Label="lab"), list("abc"))
    assert output(d) == [{"i": n, "v": v} for n, v in enumerate("abc")]
    types = [e["type"] for e in sfn.get_execution_history(executionArn=d["executionArn"])["events"]]
    assert types == ["ExecutionStarted", "MapStateEntered", "MapStateStarted", "MapRunStarted", "MapRunSucceeded", "MapStateSucceeded", "MapStateExited",
                     "ExecutionSucceeded"]
    (listed,) = sfn.list_map_runs(executionArn=d["executionArn"])["mapRuns"]
    assert "/lab:" in listed["mapRunArn"] and listed["stateMachineArn"].endswith("/lab")
    m = sfn.describe_map_run(mapRunArn=listed["mapRunArn"])
    assert (m["status"], m["itemCounts"]["succeeded"], m["executionCounts"]["total"]) == ("SUCCEEDED", 3, 3)
    if mode == "STANDARD":
        children = sfn.list_executions(mapRunArn=listed["mapRunArn"])["executions"]
        assert [c["itemCount"] for c in children] == [1, 1, 1]
        child = sfn.describe_execution(executionArn=children[1]["executionArn"])
        assert (child["mapRunArn"], json.loads(child["input"])) == (listed["mapRunArn"], {"i": 1, "v": "b"})


@pytest.mark.parametrize("body, config, items", [
    ('[{"a": 1}, 2, "x"]', {"InputType": "JSON"}, [{"a": 1}, 2, "x"]),
    ('{"b": {"list": [1, 2]}}', {"InputType": "JSON", "ItemsPointer": "/b/list"}, [1, 2]),
    ('{"k": 1, "l": [2]}', {"InputType": "JSON"}, [{"Key": "k", "Value": 1}, {"Key": "l", "Value": [2]}]),
    ('{"a": 1}\n\n{"a": 2}', {"InputType": "JSONL"}, [{"a": 1}, {"a": 2}]),
    ('n,"q,r"\n1,"x ""y"""\n2,z', {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}, [{"n": "1", "q,r": 'x "y"'}, {"n": "2", "q,r": "z"}]),
    ("1|2\n3|4", {"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["a", "b"], "CSVDelimiter": "PIPE", "MaxItems": 1}, [{"a": "1", "b": "2"}]),
])
def test_items_of_a_file(run, client, bucket, body, config, items):
    client("s3").put_object(Bucket=bucket, Key="items", Body=body)
    assert output(run(mapped(ItemReader=reader(bucket, "items", **config)))) == items


def test_items_of_a_listing(run, client):
    name = unique("listed")
    client("s3").create_bucket(Bucket=name)
    for n in range(5):
        client("s3").put_object(Bucket=name, Key=f"in/{n}", Body=b"x" * n)
    d = run(mapped(ItemReader={"Resource": "arn:aws:states:::s3:listObjectsV2", "Parameters": {"Bucket": name, "Prefix": "in/"}}))
    assert [(i["Key"], i["Size"]) for i in output(d)] == [(f"in/{n}", n) for n in range(5)]


@pytest.mark.parametrize("parameters, error", [({"Bucket": "none-such-bucket", "Key": "k"}, "States.ItemReaderFailed"), ({"Key": "k"}, "States.ItemReaderFailed")])
def test_items_that_cannot_be_read(run, parameters, error):
    d = run(mapped(ItemReader={"Resource": "arn:aws:states:::s3:getObject", "Parameters": parameters, "ReaderConfig": {"InputType": "JSON"}}))
    assert (d["status"], d["error"]) == ("FAILED", error)


def test_batches(run):
    out = output(run(mapped(ItemBatcher={"MaxItemsPerBatch": 2, "BatchInput": {"k": 1}}), [1, 2, 3]))
    assert out == [{"Items": [1, 2], "BatchInput": {"k": 1}}, {"Items": [3], "BatchInput": {"k": 1}}]


CHOOSY = {"StartAt": "A", "States": {"A": {"Type": "Choice", "Choices": [{"Variable": "$", "NumericEquals": 2, "Next": "F"}], "Default": "P"},
                                     "F": {"Type": "Fail", "Error": "Two", "Cause": "c"}, "P": {"Type": "Pass", "End": True}}}


@pytest.mark.parametrize("mode", ["STANDARD", "EXPRESS"])
def test_failures(run, sfn, client, bucket, mode):
    d = run(mapped(CHOOSY, mode), [1, 2, 3])
    assert (d["status"], d["error"], d["cause"]) == ("FAILED", "States.ExceedToleratedFailureThreshold", "The specified tolerated failure threshold was exceeded")
    d = run(mapped(CHOOSY, mode, ToleratedFailureCount=1), [1, 2, 3])
    assert output(d) == [1, 3]
    assert output(run(mapped(CHOOSY, mode, ToleratedFailurePercentage=50), [1, 2, 3])) == [1, 3]
    assert run(mapped(CHOOSY, mode, ToleratedFailurePercentage=20), [1, 2, 3])["error"] == "States.ExceedToleratedFailureThreshold"
    d = run(mapped(CHOOSY, mode, ToleratedFailureCount=1, ResultWriter={
        "Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": bucket, "Prefix": "out"}}), [1, 2, 3])
    details = output(d)["ResultWriterDetails"]
    s3 = client("s3")
    manifest = json.loads(s3.get_object(Bucket=details["Bucket"], Key=details["Key"])["Body"].read())
    files = {kind: [json.loads(s3.get_object(Bucket=bucket, Key=f["Key"])["Body"].read()) for f in listed] for kind, listed in manifest["ResultFiles"].items()}
    assert [c["Output"] for c in files["SUCCEEDED"][0]] == ["1", "3"] and files["PENDING"] == []
    assert [(c["Error"], c["Input"]) for c in files["FAILED"][0]] == [("Two", "2")]


def test_a_map_run_is_stopped_with_its_execution(sfn):
    waits = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 99999999, "End": True}}}
    arn = sfn.create_state_machine(name=unique("sm"), roleArn=ROLE, definition=json.dumps(mapped(waits, MaxConcurrency=2)))["stateMachineArn"]
    execution = sfn.start_execution(stateMachineArn=arn, input="[1,2,3]")["executionArn"]

    def running():
        runs = sfn.list_map_runs(executionArn=execution)["mapRuns"]
        return runs and sfn.describe_map_run(mapRunArn=runs[0]["mapRunArn"])["executionCounts"]["running"] == 2 and runs[0]["mapRunArn"]
    m = eventually(running)
    sfn.update_map_run(mapRunArn=m, maxConcurrency=3)
    eventually(lambda: sfn.describe_map_run(mapRunArn=m)["executionCounts"]["running"] == 3)
    sfn.stop_execution(executionArn=execution)
    eventually(lambda: (lambda d: d["status"] == "ABORTED" and d["executionCounts"]["aborted"] == 3)(sfn.describe_map_run(mapRunArn=m)))
