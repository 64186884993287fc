"""CloudWatch Logs as a user of boto3 meets it."""
import base64
import gzip
import json
import signal
import time

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from cirro import Cirro
from conftest import eventually, make_client, unique


@pytest.fixture
def logs(client):
    return client("logs")


@pytest.fixture
def group(logs):
    name = unique("/app/orders")
    logs.create_log_group(logGroupName=name)
    return name


@pytest.fixture
def stream(logs, group):
    logs.create_log_stream(logGroupName=group, logStreamName="web/1")
    return "web/1"


def now():
    return int(time.time() * 1000)


def put(logs, group, stream, *messages, at=None):
    at = at or now()
    return logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[
        {"timestamp": at + i, "message": m} for i, m in enumerate(messages)])


def messages(logs, group, **kw):
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, **kw)
    return [e["message"] for page in pages for e in page["events"]]


def refused(code, message, call, **kw):
    with pytest.raises(ClientError) as e:
        call(**kw)
    assert (e.value.response["Error"]["Code"], e.value.response["Error"]["Message"]) == (code, message)
    assert e.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_group(logs, group):
    refused("ResourceAlreadyExistsException", "The specified log group already exists", logs.create_log_group, logGroupName=group)
    found, = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert abs(found.pop("creationTime") - now()) < 60_000
    assert found == {
        "logGroupName": group, "metricFilterCount": 0, "storedBytes": 0, "logGroupClass": "STANDARD",
        "arn": f"arn:aws:logs:us-east-1:000000000000:log-group:{group}:*",
        "logGroupArn": f"arn:aws:logs:us-east-1:000000000000:log-group:{group}",
    }
    assert logs.describe_log_groups(logGroupNamePattern=group[5:])["logGroups"][0]["logGroupName"] == group
    logs.delete_log_group(logGroupName=group)
    refused("ResourceNotFoundException", "The specified log group does not exist.", logs.delete_log_group, logGroupName=group)
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"] == []


def test_groups_are_paged(logs):
    prefix = unique("/many/")
    for i in range(7):
        logs.create_log_group(logGroupName=f"{prefix}/{i}")
    pages = list(logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix, PaginationConfig={"PageSize": 3}))
    assert [len(p["logGroups"]) for p in pages] == [3, 3, 1]
    refused("InvalidParameterException", "The specified nextToken is invalid.", logs.describe_log_groups, nextToken="nonsense")


def test_regions_and_accounts_are_apart(client, group):
    for other in (client("logs", region_name="eu-west-1"), client("logs", aws_access_key_id="111122223333")):
        assert other.describe_log_groups(logGroupNamePrefix=group)["logGroups"] == []


def test_streams(logs, group, stream):
    refused("ResourceAlreadyExistsException", "The specified log stream already exists",
            logs.create_log_stream, logGroupName=group, logStreamName=stream)
    logs.create_log_stream(logGroupName=group, logStreamName="job")
    put(logs, group, "job", "one", at=now() - 5000)
    put(logs, group, stream, "two")
    by_time = logs.describe_log_streams(logGroupName=group, orderBy="LastEventTime", descending=True)["logStreams"]
    assert [s["logStreamName"] for s in by_time] == [stream, "job"]
    assert by_time[0]["firstEventTimestamp"] == by_time[0]["lastEventTimestamp"] <= by_time[0]["lastIngestionTime"]
    assert by_time[0]["arn"].endswith(f":log-group:{group}:log-stream:{stream}") and by_time[0]["storedBytes"] == 0
    logs.delete_log_stream(logGroupName=group, logStreamName="job")
    assert messages(logs, group) == ["two"]
    refused("ResourceNotFoundException", "The specified log stream does not exist.",
            logs.put_log_events, logGroupName=group, logStreamName="job", logEvents=[{"timestamp": now(), "message": "x"}])


def test_put_and_get(logs, group, stream):
    at = now() - 10
    put(logs, group, stream, "a", "b", "c", "d", "ü €", at=at)
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["storedBytes"] == 4 + 6 + 5 * 26

    page = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True, limit=2)
    assert [(e["timestamp"], e["message"]) for e in page["events"]] == [(at, "a"), (at + 1, "b")]
    got, token = [], None
    while True:  # the loop that most readers are
        page = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True, limit=2,
                                   **({"nextToken": token} if token else {}))
        got += [e["message"] for e in page["events"]]
        if page["nextForwardToken"] == token:
            break
        token = page["nextForwardToken"]
    assert got == ["a", "b", "c", "d", "ü €"]
    put(logs, group, stream, "later", at=now() + 1000)
    page = logs.get_log_events(logGroupName=group, logStreamName=stream, nextToken=token)
    assert [e["message"] for e in page["events"]] == ["later"]

    page = logs.get_log_events(logGroupName=group, logStreamName=stream, limit=2)
    assert [e["message"] for e in page["events"]] == ["ü €", "later"]
    page = logs.get_log_events(logGroupName=group, logStreamName=stream, limit=2, nextToken=page["nextBackwardToken"])
    assert [e["message"] for e in page["events"]] == ["c", "d"]
    refused("InvalidParameterException", "The specified nextToken is invalid.",
            logs.get_log_events, logGroupName=group, logStreamName=stream, nextToken="f/nonsense/s")


def test_put_refuses(logs, group, stream):
    t = now()
    day = 86_400_000

    def events(*times, message="x"):
        return dict(logGroupName=group, logStreamName=stream, logEvents=[{"timestamp": x, "message": message} for x in times])
    refused("InvalidParameterException", "Log events in a single PutLogEvents request must be in chronological order.", logs.put_log_events, **events(t, t - 1))
    refused("InvalidParameterException", "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
            logs.put_log_events, **events(t - day - 1, t))
    refused("InvalidParameterException", "Upload too large: 1228852 bytes exceeds limit of 1048576",
            logs.put_log_events, **events(t, t, message="x" * 614_400))
    info = logs.put_log_events(**events(t - 15 * day, t, t + day))["rejectedLogEventsInfo"]
    assert info == {"tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 2}
    assert messages(logs, group) == ["x"]
    assert "nextSequenceToken" in logs.put_log_events(**events(t), sequenceToken="any")
    with pytest.raises((ClientError, ParamValidationError)):
        logs.put_log_events(**events())


def test_filter(logs, group, stream):
    logs.create_log_stream(logGroupName=group, logStreamName="web/2")
    put(logs, group, stream, '{"level": "ERROR", "latency": 1200, "user": {"id": 7}}', "ERROR in the kitchen", at=now() - 1000)
    put(logs, group, "web/2", '{"level": "INFO", "latency": 3}', '10.0.0.1 - ann [x y] "GET /a.html HTTP/1.0" 404 12', at=now() - 500)
    assert messages(logs, group, filterPattern="ERROR -kitchen") == ['{"level": "ERROR", "latency": 1200, "user": {"id": 7}}']
    assert messages(logs, group, filterPattern='{ $.level = "ERR*" && $.user.id = 7 }') == ['{"level": "ERROR", "latency": 1200, "user": {"id": 7}}']
    assert messages(logs, group, filterPattern="{ $.latency < 10 }") == ['{"level": "INFO", "latency": 3}']
    assert messages(logs, group, filterPattern="[ip, ..., request = *html*, status = 4*, bytes]") == ['10.0.0.1 - ann [x y] "GET /a.html HTTP/1.0" 404 12']
    assert messages(logs, group, filterPattern="%kit.*n$%") == ["ERROR in the kitchen"]
    assert len(messages(logs, group, logStreamNames=["web/2"])) == 2
    assert len(messages(logs, group, logStreamNamePrefix="web/", PaginationConfig={"PageSize": 1})) == 4
    event = logs.filter_log_events(logGroupIdentifier=group, filterPattern="kitchen")["events"][0]
    assert event["logStreamName"] == stream and len(event["eventId"]) == 56 and event["ingestionTime"] >= event["timestamp"]
    refused("InvalidParameterException", "Invalid character(s) in term '('", logs.filter_log_events, logGroupName=group, filterPattern="f(x)")
    refused("InvalidParameterException",
            "1 validation error detected: Value '10001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10000",
            logs.filter_log_events, logGroupName=group, limit=10001)
    refused("ResourceNotFoundException", "The specified log group does not exist.", logs.filter_log_events, logGroupName="nope")


def test_test_metric_filter(logs):
    line = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /apache_pb.gif HTTP/1.0" 200 1534'
    got = logs.test_metric_filter(filterPattern="[ip, identity, user_id, timestamp, request, status_code, size]", logEventMessages=["no", line])
    assert got["matches"] == [{"eventNumber": 2, "eventMessage": line, "extractedValues": {
        "$ip": "127.0.0.1", "$identity": "-", "$user_id": "frank", "$timestamp": "10/Oct/2000:13:25:15 -0700",
        "$request": "GET /apache_pb.gif HTTP/1.0", "$status_code": "200", "$size": "1534"}}]


def test_retention(logs, group):
    logs.put_retention_policy(logGroupName=group, retentionInDays=7)
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["retentionInDays"] == 7
    logs.delete_retention_policy(logGroupName=group)
    assert "retentionInDays" not in logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]
    with pytest.raises(logs.exceptions.InvalidParameterException):
        logs.put_retention_policy(logGroupName=group, retentionInDays=2)


def test_tags(logs, group):
    arn = f"arn:aws:logs:us-east-1:000000000000:log-group:{group}"
    logs.tag_resource(resourceArn=arn, tags={"a": "1", "b": "2"})
    logs.tag_log_group(logGroupName=group, tags={"c": "3"})
    logs.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"b": "2", "c": "3"} == logs.list_tags_log_group(logGroupName=group)["tags"]


def test_resource_policy(logs):
    name = unique("policy")
    document = json.dumps({"Version": "2012-10-17", "Statement": []})
    assert logs.put_resource_policy(policyName=name, policyDocument=document)["resourcePolicy"]["policyName"] == name
    assert document in [p["policyDocument"] for p in logs.describe_resource_policies()["resourcePolicies"]]
    logs.delete_resource_policy(policyName=name)
    refused("ResourceNotFoundException", f"Policy with name [{name}] does not exist.", logs.delete_resource_policy, policyName=name)


def test_what_is_missing_says_so(logs, group):
    with pytest.raises(ClientError) as e:
        logs.start_query(logGroupName=group, startTime=0, endTime=1, queryString="fields @message")
    assert e.value.response["Error"] == {"Code": "NotImplemented", "Message": "Cirro does not implement logs.StartQuery"}
    with pytest.raises(ClientError) as e:
        logs.put_metric_filter(logGroupName=group, filterName="f", filterPattern="x", metricTransformations=[
            {"metricName": "m", "metricNamespace": "n", "metricValue": "1"}])
    assert e.value.response["Error"]["Code"] == "NotImplemented" and "no CloudWatch metrics" in e.value.response["Error"]["Message"]


def test_live_tail(endpoint, group, stream):
    # boto3 puts streaming-logs. before the host, which does not resolve here.
    from botocore.config import Config
    logs = make_client(endpoint, "logs", config=Config(inject_host_prefix=False))
    arn = f"arn:aws:logs:us-east-1:000000000000:log-group:{group}"
    events = logs.start_live_tail(logGroupIdentifiers=[arn], logEventFilterPattern="wanted")["responseStream"]
    try:
        events = iter(events)
        start = next(events)["sessionStart"]
        assert start["logGroupIdentifiers"] == [arn] and start["sessionId"]
        put(logs, group, stream, "wanted", "not this")
        while not (update := next(events)["sessionUpdate"])["sessionResults"]:
            pass
        result, = update["sessionResults"]
        assert result["message"] == "wanted" and result["logStreamName"] == stream and result["logGroupIdentifier"] == f"000000000000:{group}"
        assert update["sessionMetadata"] == {"sampled": False}
    finally:
        logs.close()


SINK = """
def handler(event, context):
    print("sink got", event["awslogs"]["data"])
"""


def test_subscription(logs, client, function, group, stream):
    sink = function(SINK)
    arn = client("lambda").get_function(FunctionName=sink)["Configuration"]["FunctionArn"]
    client("lambda").add_permission(FunctionName=sink, StatementId="logs", Action="lambda:InvokeFunction", Principal="logs.amazonaws.com",
                                    SourceArn=f"arn:aws:logs:us-east-1:000000000000:log-group:{group}:*")
    logs.put_subscription_filter(logGroupName=group, filterName="errors", filterPattern="ERROR", destinationArn=arn)
    described, = logs.describe_subscription_filters(logGroupName=group)["subscriptionFilters"]
    assert described.pop("creationTime") and described == {
        "filterName": "errors", "logGroupName": group, "filterPattern": "ERROR", "destinationArn": arn, "distribution": "ByLogStream"}
    logs.create_log_group(logGroupName=f"/aws/lambda/{sink}")  # so that it can be read before the function has run and made it
    put(logs, group, stream, "ERROR one", "INFO two", "ERROR three")

    def delivered():
        lines = messages(logs, f"/aws/lambda/{sink}", filterPattern='"sink got"')
        return lines and json.loads(gzip.decompress(base64.b64decode(lines[0].split("sink got ")[1])))
    event = eventually(delivered)
    assert [e["message"] for e in event["logEvents"]] == ["ERROR one", "ERROR three"]
    assert (event["messageType"], event["owner"], event["logGroup"], event["logStream"], event["subscriptionFilters"]) == (
        "DATA_MESSAGE", "000000000000", group, stream, ["errors"])
    logs.delete_subscription_filter(logGroupName=group, filterName="errors")
    assert logs.describe_subscription_filters(logGroupName=group)["subscriptionFilters"] == []


def test_subscription_refuses(logs, group):
    def put_filter(arn, **kw):
        return dict(logGroupName=group, filterName="f", filterPattern="", destinationArn=arn, **kw)
    refused("InvalidParameterException", "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute your function.",
            logs.put_subscription_filter, **put_filter("arn:aws:lambda:us-east-1:000000000000:function:nope"))
    refused("InvalidParameterException", "destinationArn for vendor kinesis cannot be used without roleArn",
            logs.put_subscription_filter, **put_filter("arn:aws:kinesis:us-east-1:000000000000:stream/s"))


def test_function_logs(logs, client, function):
    name = function("def handler(event, context):\n    print('needle', event['k'])\n    return context.log_stream_name")
    log_stream = json.load(client("lambda").invoke(FunctionName=name, Payload=json.dumps({"k": "in a haystack"}))["Payload"])
    group = f"/aws/lambda/{name}"
    # The stream is there as soon as the function has answered.
    assert logs.describe_log_streams(logGroupName=group)["logStreams"][0]["logStreamName"] == log_stream
    lines = eventually(lambda: len(found := messages(logs, group)) >= 5 and found)
    assert [line.split(" ")[0] for line in lines] == ["INIT_START", "START", "needle", "END", "REPORT"]
    assert lines[2] == "needle in a haystack\n"


def test_events_survive_a_crash(tmp_path):
    with Cirro(tmp_path) as platform:
        logs = make_client(platform.url, "logs")
        logs.create_log_group(logGroupName="g")
        logs.create_log_stream(logGroupName="g", logStreamName="s")
        for i in range(20):
            put(logs, "g", "s", f"event {i}")
        platform.restart(signal.SIGKILL)
        assert messages(make_client(platform.url, "logs"), "g") == [f"event {i}" for i in range(20)]
        bytes = make_client(platform.url, "logs").describe_log_groups()["logGroups"][0]["storedBytes"]
        assert bytes == sum(len(f"event {i}") + 26 for i in range(20))
