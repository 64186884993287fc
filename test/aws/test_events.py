"""EventBridge as boto3 uses it: buses, rules, targets and what becomes of events."""
import concurrent.futures
import datetime
import http.server
import json
import signal
import threading

import pytest
from botocore.exceptions import ClientError

from cirro import Cirro
from conftest import eventually, make_client, unique

ROLE = "arn:aws:iam::000000000000:role/test"


@pytest.fixture
def events(client):
    return client("events")


@pytest.fixture
def queue(client):
    """queue() makes a queue and returns its URL and its ARN."""
    sqs = client("sqs")

    def make(name=None, **attributes):
        url = sqs.create_queue(QueueName=name or unique("q"), Attributes=attributes)["QueueUrl"]
        return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return make


@pytest.fixture
def bus(events):
    name = unique("bus")
    events.create_event_bus(Name=name)
    return name


def collect(sqs, url, n, **kw):
    """Receive n messages and delete them."""
    got = []

    def more():
        for m in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=2, MessageAttributeNames=["All"], **kw).get("Messages", []):
            got.append(m)
            sqs.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
        return len(got) >= n
    eventually(more)
    assert len(got) == n
    return got


def bodies(messages):
    return [json.loads(m["Body"]) for m in messages]


def rule(events, pattern, *targets, bus="default", **kw):
    name = unique("rule")
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern), **kw)
    if targets:
        answer = events.put_targets(Rule=name, EventBusName=bus, Targets=[
            {"Id": f"t{i}", **({"Arn": t} if isinstance(t, str) else t)} for i, t in enumerate(targets)])
        assert answer["FailedEntryCount"] == 0
    return name


def put(events, *details, bus="default", source=None, **kw):
    answer = events.put_events(Entries=[{"Source": source or "app", "DetailType": "T", "Detail": json.dumps(d), "EventBusName": bus, **kw} for d in details])
    assert answer["FailedEntryCount"] == 0
    return [e["EventId"] for e in answer["Entries"]]


def refused(code, call, **kw):
    with pytest.raises(ClientError) as e:
        call(**kw)
    assert e.value.response["Error"]["Code"] == code
    return e.value.response["Error"]["Message"]


def test_event_reaches_queue(events, client, queue, bus):
    url, arn = queue()
    name = rule(events, {"source": ["app"], "detail": {"n": [{"numeric": [">", 1]}]}}, arn, bus=bus)
    ids = put(events, {"n": 1}, {"n": 2, "text": "<ü&>"}, bus=bus, Resources=["arn:x"], Time=datetime.datetime(2026, 3, 4, 5, 6, 7, tzinfo=datetime.UTC))
    [event] = bodies(collect(client("sqs"), url, 1))
    assert list(event) == ["version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"]
    assert event == {"version": "0", "id": ids[1], "detail-type": "T", "source": "app", "account": "000000000000", "time": "2026-03-04T05:06:07Z",
                     "region": "us-east-1", "resources": ["arn:x"], "detail": {"n": 2, "text": "<ü&>"}}
    events.disable_rule(Name=name, EventBusName=bus)
    assert events.describe_rule(Name=name, EventBusName=bus)["State"] == "DISABLED"
    put(events, {"n": 3}, bus=bus)
    events.enable_rule(Name=name, EventBusName=bus)
    put(events, {"n": 4}, bus=bus)
    assert bodies(collect(client("sqs"), url, 1))[0]["detail"] == {"n": 4}


def test_entries_are_refused_one_by_one(events, bus):
    entry = {"Source": "app", "DetailType": "T", "Detail": "{}", "EventBusName": bus}
    answer = events.put_events(Entries=[
        entry, {**entry, "Source": ""}, {k: v for k, v in entry.items() if k != "DetailType"}, {k: v for k, v in entry.items() if k != "Detail"},
        {**entry, "Detail": "[]"}, {**entry, "Detail": '"x"'}, {**entry, "Detail": "{"}, {**entry, "Source": "aws.s3"}, {**entry, "EventBusName": "nosuch"}])
    assert answer["FailedEntryCount"] == 7
    assert [e.get("ErrorCode") for e in answer["Entries"]] == [
        None, "InvalidArgument", "InvalidArgument", "InvalidArgument", "MalformedDetail", "MalformedDetail", "MalformedDetail", "NotAuthorizedForSourceException", None]
    assert answer["Entries"][1]["ErrorMessage"] == "Parameter Source is not valid. Reason: Source is a required argument."
    assert answer["Entries"][4]["ErrorMessage"] == "Detail is malformed."
    assert "length less than or equal to 10" in refused("ValidationException", events.put_events, Entries=[entry] * 11)
    big = {**entry, "Detail": json.dumps({"x": "y" * (1 << 20)})}
    assert refused("ValidationException", events.put_events, Entries=[big]) == "Total size of the entries in the request is over the limit."
    big["Detail"] = json.dumps({"x": "y" * ((1 << 20) - 100)})
    assert events.put_events(Entries=[big])["FailedEntryCount"] == 0


def test_buses(events):
    name = unique("bus")
    arn = events.create_event_bus(Name=name, Description="d", Tags=[{"Key": "a", "Value": "b"}])["EventBusArn"]
    assert arn == f"arn:aws:events:us-east-1:000000000000:event-bus/{name}"
    assert refused("ResourceAlreadyExistsException", events.create_event_bus, Name=name) == f"Event bus {name} already exists."
    assert events.describe_event_bus(Name=arn)["Name"] == name
    assert events.describe_event_bus()["Name"] == "default"
    assert events.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "a", "Value": "b"}]
    events.tag_resource(ResourceARN=arn, Tags=[{"Key": "c", "Value": "d"}])
    events.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert events.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "c", "Value": "d"}]
    others = [f"{name}-{i}" for i in range(5)]
    for other in others:
        events.create_event_bus(Name=other)
    first = events.list_event_buses(NamePrefix=name + "-", Limit=3)
    second = events.list_event_buses(NamePrefix=name + "-", Limit=3, NextToken=first["NextToken"])
    assert [b["Name"] for b in first["EventBuses"] + second["EventBuses"]] == others and "NextToken" not in second
    assert "default" in [b["Name"] for b in events.list_event_buses()["EventBuses"]]
    for other in [name, *others]:
        events.delete_event_bus(Name=other)
    events.delete_event_bus(Name=name)
    assert refused("ResourceNotFoundException", events.describe_event_bus, Name=name) == f"Event bus {name} does not exist."
    assert refused("ValidationException", events.delete_event_bus, Name="default") == "Cannot delete event bus default."


def test_rules(events, bus, queue):
    _, arn = queue()
    name = rule(events, {"source": ["x"]}, arn, bus=bus, Description="d")
    described = events.describe_rule(Name=name, EventBusName=bus)
    assert described["Arn"] == f"arn:aws:events:us-east-1:000000000000:rule/{bus}/{name}"
    assert described["CreatedBy"] == "000000000000" and json.loads(described["EventPattern"]) == {"source": ["x"]}
    events.put_rule(Name=name, EventBusName=bus, EventPattern='{"source": ["y"]}')  # its targets stay
    assert [t["Arn"] for t in events.list_targets_by_rule(Rule=name, EventBusName=bus)["Targets"]] == [arn]
    assert events.list_rule_names_by_target(TargetArn=arn, EventBusName=bus)["RuleNames"] == [name]
    assert [r["Name"] for r in events.list_rules(EventBusName=bus)["Rules"]] == [name]
    assert refused("ValidationException", events.delete_rule, Name=name, EventBusName=bus) == "Rule can't be deleted since it has targets."
    assert refused("ValidationException", events.delete_event_bus, Name=bus)
    failed = events.remove_targets(Rule=name, EventBusName=bus, Ids=["t0", "nosuch"])
    assert failed["FailedEntryCount"] == 1 and failed["FailedEntries"][0]["TargetId"] == "nosuch"
    events.delete_rule(Name=name, EventBusName=bus)
    events.delete_rule(Name=name, EventBusName=bus)
    assert refused("ResourceNotFoundException", events.describe_rule, Name=name) == f"Rule {name} does not exist on EventBus default."
    assert refused("ResourceNotFoundException", events.put_rule, Name=name, EventBusName="nosuch", EventPattern='{"a": ["b"]}') == "Event bus nosuch does not exist."
    message = refused("InvalidEventPatternException", events.put_rule, Name=name, EventPattern='{"a": 1}')
    assert message == 'Event pattern is not valid. Reason: "a" must be an object or an array\n at [Source: (String)"{"a": 1}"; line: 1, column: 8]'
    assert refused("ValidationException", events.put_rule, Name=name) == "Parameter(s) EventPattern or ScheduleExpression must be specified."
    assert refused("ValidationException", events.put_rule, Name=name, ScheduleExpression="rate(1 minutes)") == "Parameter ScheduleExpression is not valid."
    assert refused("ValidationException", events.put_rule, Name=name, EventBusName=bus, ScheduleExpression="rate(1 minute)") == \
        "ScheduleExpression is supported only on the default event bus."


def test_targets_are_checked(events, queue):
    name = rule(events, {"source": [unique()]})

    def target(**kw):
        return {"Rule": name, "Targets": [{"Id": "t", "Arn": "arn:aws:sqs:us-east-1:000000000000:q", **kw}]}
    put = events.put_targets
    assert refused("ResourceNotFoundException", put, **{**target(), "Rule": "nosuch"}) == "Rule nosuch does not exist on EventBus default."
    assert refused("ValidationException", put, **target(Arn="q")) == "Parameter q is not valid. Reason: Provided Arn is not in correct format."
    assert refused("ValidationException", put, **target(Arn="arn:aws:sqs:us-east-1:000000000000:q.fifo")) == "Parameter(s) SqsParameters must be specified for target: t."
    assert refused("ValidationException", put, **target(Input="{}", InputPath="$.detail")) == \
        "Only one of Input, InputPath, or InputTransformer must be provided for target t."
    assert refused("ValidationException", put, **target(InputTransformer={"InputPathsMap": {"a": "$.detail"}, "InputTemplate": '"<b>"'})) == \
        "InputTemplate for target t contains invalid placeholder b."
    assert refused("ValidationException", put, **target(Arn="arn:aws:kinesis:us-east-1:000000000000:stream/s"))
    assert "ecs:cluster" in refused("NotImplemented", put, **target(Arn="arn:aws:ecs:us-east-1:000000000000:cluster/c"))
    six = [{"Id": f"t{i}", "Arn": "arn:aws:sqs:us-east-1:000000000000:q"} for i in range(6)]
    assert refused("LimitExceededException", put, Rule=name, Targets=six)


def test_inputs(events, client, queue, bus):
    wanted = {
        "constant": ({"Input": '{"a": [1]}'}, '{"a": [1]}'),
        "path": ({"InputPath": "$.detail.payload"}, '{"z":1.50,"a":"ü"}'),
        "text": ({"InputPath": "$.detail.text"}, '"some \\"quoted\\" text"'),
        "string": ({"InputTransformer": {"InputPathsMap": {"type": "$.detail-type", "n": "$.detail.payload.z", "none": "$.detail.none"},
                                         "InputTemplate": '"Event of <type>: <n>, <none>."'}}, '"Event of T: 1.50, ."'),
        "object": ({"InputTransformer": {"InputPathsMap": {"type": "$.detail-type", "p": "$.detail.payload", "list": "$.detail.list[*].x"},
                                         "InputTemplate": '{"type": <type>, "again": "<type>", "p": <p>, "inline": "p is <p>", "list": <list>, "rule": <aws.events.rule-name>}'}},
                   '{"type": "T", "again": "T", "p": {"z":1.50,"a":"ü"}, "inline": "p is {z:1.50,a:ü}", "list": [1,2], "rule": "%s"}'),
        "lines": ({"InputTransformer": {"InputPathsMap": {"s": "$.source"}, "InputTemplate": '"one <s>"\n"two <aws.events.rule-arn>"'}}, '"one app"\n"two %s"'),
    }
    queues = {name: queue() for name in wanted}
    names = {}
    for name, (target, _) in wanted.items():
        names[name] = rule(events, {"source": ["app"]}, {"Arn": queues[name][1], **target}, bus=bus)
    url, arn = queue()
    rule(events, {"source": ["app"]}, {"Arn": arn, "InputTransformer": {"InputTemplate": '{"e": <aws.events.event>, "j": <aws.events.event.json>, "at": <aws.events.event.ingestion-time>}'}}, bus=bus)
    put(events, {"payload": {"z": 1.50, "a": "ü"}, "text": 'some "quoted" text', "list": [{"x": 1}, {"x": 2}]}, bus=bus)
    for name, (_, body) in wanted.items():
        [message] = collect(client("sqs"), queues[name][0], 1)
        body = body.replace("1.50", "1.5")  # json.dumps wrote it so
        if name == "object":
            body %= names[name]
        elif name == "lines":
            body %= f"arn:aws:events:us-east-1:000000000000:rule/{bus}/{names[name]}"
        assert message["Body"] == body, name
    [message] = bodies(collect(client("sqs"), url, 1))
    assert list(message["e"]) == ["id", "account", "detailType", "time", "source", "region", "resources", "version"]
    assert message["j"]["detail"]["text"] == 'some "quoted" text' and message["e"]["id"] == message["j"]["id"] and message["at"].endswith("Z")


def test_all_kinds_of_targets(events, client, queue, bus, function):
    sqs = client("sqs")
    fifo_url, fifo = queue(unique("q") + ".fifo", FifoQueue="true", ContentBasedDeduplication="true")
    url, arn = queue()
    topic_url, topic_queue = queue()
    topic = client("sns").create_topic(Name=unique("t"))["TopicArn"]
    client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=topic_queue)
    group = "/aws/events/" + unique("g")
    client("logs").create_log_group(logGroupName=group)
    done_url, _ = queue()
    name = function("""
        import boto3, json, os
        sqs = boto3.client("sqs")
        def handler(event, context):
            sqs.send_message(QueueUrl=os.environ["DONE"], MessageBody=json.dumps(event))
    """, Environment={"Variables": {"DONE": done_url}})
    at = "us-east-1:000000000000"
    client("lambda").add_permission(FunctionName=name, StatementId="events", Action="lambda:InvokeFunction", Principal="events.amazonaws.com")
    rule(events, {"source": ["app"]}, arn, {"Arn": fifo, "SqsParameters": {"MessageGroupId": "g"}}, topic,
         f"arn:aws:lambda:{at}:function:{name}", bus=bus)
    rule(events, {"source": ["app"]}, f"arn:aws:logs:{at}:log-group:{group}", bus=bus)
    [event_id] = put(events, {"key": "k"}, bus=bus)
    for at_url in (url, fifo_url):
        assert bodies(collect(sqs, at_url, 1))[0]["id"] == event_id
    assert json.loads(bodies(collect(sqs, topic_url, 1))[0]["Message"])["id"] == event_id
    assert bodies(collect(sqs, done_url, 1))[0]["detail"] == {"key": "k"}

    def logged():
        return client("logs").filter_log_events(logGroupName=group)["events"]
    [line] = eventually(logged)
    assert json.loads(line["message"])["id"] == event_id


def test_stream_as_a_target(events, client, bus):
    kinesis, stream = client("kinesis"), unique("s")
    kinesis.create_stream(StreamName=stream, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    rule(events, {"source": ["app"]}, {"Arn": f"arn:aws:kinesis:us-east-1:000000000000:stream/{stream}", "RoleArn": ROLE,
                                       "KinesisParameters": {"PartitionKeyPath": "$.detail.key"}}, bus=bus)
    [event_id] = put(events, {"key": "k"}, bus=bus)
    shard = kinesis.list_shards(StreamName=stream)["Shards"][0]["ShardId"]
    iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]

    def record():
        return kinesis.get_records(ShardIterator=iterator)["Records"]
    [got] = eventually(record)
    assert got["PartitionKey"] == "k" and json.loads(got["Data"])["id"] == event_id


def test_objects_and_invocations_send_events(events, client, queue, function):
    """S3 and Lambda's destinations put events on the default bus, as services."""
    sqs, s3, bucket = client("sqs"), client("s3"), unique("bucket")
    url, arn = queue()
    rule(events, {"source": ["aws.s3"], "detail": {"bucket": {"name": [bucket]}, "object": {"key": [{"suffix": ".txt"}]}}}, arn)
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}})
    s3.put_object(Bucket=bucket, Key="a.png", Body=b"x")
    s3.put_object(Bucket=bucket, Key="a.txt", Body=b"x")
    [event] = bodies(collect(sqs, url, 1))
    assert event["detail-type"] == "Object Created" and event["detail"]["object"]["key"] == "a.txt" and event["resources"] == ["arn:aws:s3:::" + bucket]
    name = function("def handler(event, context):\n    return {'n': event['n'] + 1}\n")
    client("lambda").put_function_event_invoke_config(FunctionName=name, DestinationConfig={"OnSuccess": {
        "Destination": events.describe_event_bus()["Arn"]}})
    url, arn = queue()
    rule(events, {"source": ["lambda"], "resources": [{"wildcard": f"*:function:{name}*"}]}, arn)
    client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload='{"n": 1}')
    [event] = bodies(collect(sqs, url, 1))
    assert event["detail-type"] == "Lambda Function Invocation Result - Success" and event["detail"]["responsePayload"] == {"n": 2}


def test_bus_to_bus(events, client, queue, bus):
    url, arn = queue()
    other = unique("bus")
    other_arn = events.create_event_bus(Name=other)["EventBusArn"]
    rule(events, {"source": ["app"]}, {"Arn": other_arn, "RoleArn": ROLE}, bus=bus)
    rule(events, {"detail": {"n": [1]}}, arn, bus=other)
    rule(events, {"source": ["app"]}, {"Arn": events.describe_event_bus(Name=bus)["Arn"], "RoleArn": ROLE}, bus=other)  # a circle, which ends
    [first, _] = put(events, {"n": 1}, {"n": 2}, bus=bus)
    got = bodies(collect(client("sqs"), url, 8))  # each round of sixteen hops brings it to the other bus again
    assert {e["id"] for e in got} == {first}


def test_what_fails_ends_in_a_dead_letter_queue(events, client, queue, bus):
    sqs = client("sqs")
    url, arn = queue()
    missing = "arn:aws:sqs:us-east-1:000000000000:" + unique("nosuch")
    name = rule(events, {"source": ["app"]}, {"Arn": missing, "DeadLetterConfig": {"Arn": arn}}, bus=bus)
    [event_id] = put(events, {"n": 1}, bus=bus)
    [dead] = collect(sqs, url, 1)
    attributes = {k: v["StringValue"] for k, v in dead["MessageAttributes"].items()}
    assert json.loads(dead["Body"])["id"] == event_id
    assert attributes.pop("ERROR_MESSAGE")
    assert attributes == {"RULE_ARN": f"arn:aws:events:us-east-1:000000000000:rule/{bus}/{name}", "TARGET_ARN": missing, "ERROR_CODE": "NO_RESOURCE", "RETRY_ATTEMPTS": "0"}


def test_archives_and_replays(events, client, queue, bus):
    sqs = client("sqs")
    url, arn = queue()
    bus_arn = events.describe_event_bus(Name=bus)["Arn"]
    archive = unique("archive")
    created = events.create_archive(ArchiveName=archive, EventSourceArn=bus_arn, EventPattern='{"detail": {"keep": [true]}}', RetentionDays=1, Description="d")
    assert created["State"] == "ENABLED" and created["ArchiveArn"].endswith(":archive/" + archive)
    put(events, *({"keep": i % 2 == 0, "n": i} for i in range(10)), bus=bus)
    described = events.describe_archive(ArchiveName=archive)
    assert described["EventCount"] == 5 and described["SizeBytes"] > 500 and described["EventSourceArn"] == bus_arn
    assert [a["ArchiveName"] for a in events.list_archives(EventSourceArn=bus_arn)["Archives"]] == [archive]
    name = rule(events, {"detail": {"keep": [True]}, "replay-name": [{"exists": True}]}, arn, bus=bus)
    other_url, other = queue()
    rule(events, {"detail": {"keep": [True]}}, other, bus=bus)
    now = datetime.datetime.now(datetime.UTC)
    window = {"EventStartTime": now - datetime.timedelta(hours=1), "EventEndTime": now + datetime.timedelta(hours=1)}
    replay = unique("replay")
    start = {"ReplayName": replay, "EventSourceArn": created["ArchiveArn"], **window,
             "Destination": {"Arn": bus_arn, "FilterArns": [f"arn:aws:events:us-east-1:000000000000:rule/{bus}/{name}"]}}
    assert events.start_replay(**start)["State"] == "STARTING"
    got = bodies(collect(sqs, url, 5))
    assert sorted(e["detail"]["n"] for e in got) == [0, 2, 4, 6, 8] and {e["replay-name"] for e in got} == {replay}
    assert list(got[0])[6:] == ["region", "replay-name", "resources", "detail"]

    def completed():
        return events.describe_replay(ReplayName=replay)["State"] == "COMPLETED"
    eventually(completed)
    assert "Messages" not in sqs.receive_message(QueueUrl=other_url)  # the filter left it out
    assert events.describe_archive(ArchiveName=archive)["EventCount"] == 5  # what is replayed is not archived again
    assert refused("ResourceAlreadyExistsException", events.start_replay, **start) == f"Replay {replay} already exists."
    assert refused("ValidationException", events.start_replay, **{**start, "Destination": {"Arn": events.describe_event_bus()["Arn"]}}) == \
        "Parameter Destination.Arn is not valid. Reason: Cross event bus replay is not permitted."
    assert refused("IllegalStatusException", events.cancel_replay, ReplayName=replay)
    events.update_archive(ArchiveName=archive, RetentionDays=2, EventPattern='{"detail": {"n": [7]}}')
    put(events, {"n": 7}, {"keep": True}, bus=bus)
    assert events.describe_archive(ArchiveName=archive)["EventCount"] == 6
    events.delete_archive(ArchiveName=archive)
    assert refused("ResourceNotFoundException", events.describe_archive, ArchiveName=archive) == f"Archive {archive} does not exist."


class Endpoint(http.server.ThreadingHTTPServer):
    """An API that notes its calls, and answers what it is told to."""
    daemon_threads = True

    def __init__(self):
        self.calls, self.answers, self.lock = [], [], threading.Lock()
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        with self.server.lock:
            status, answer = self.server.answers.pop(0) if self.server.answers else (200, "{}")
            if self.path == "/token":
                status, answer = 200, '{"access_token": "the-token", "expires_in": 3600}'
            else:
                self.server.calls.append((self.command, self.path, dict(self.headers), body))
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    do_PUT = do_POST

    def log_message(self, *_):
        pass


@pytest.fixture
def endpoint_server():
    server = Endpoint()
    yield server
    server.shutdown()


def connect(events, **auth):
    kind = {"ApiKeyAuthParameters": "API_KEY", "BasicAuthParameters": "BASIC", "OAuthParameters": "OAUTH_CLIENT_CREDENTIALS"}[next(iter(auth))]
    name = unique("connection")
    arn = events.create_connection(Name=name, AuthorizationType=kind, AuthParameters=auth)["ConnectionArn"]

    def authorized():
        return events.describe_connection(Name=name)["ConnectionState"] == "AUTHORIZED"
    eventually(authorized)
    return name, arn


def destination(events, connection, url, method="POST", **kw):
    return events.create_api_destination(Name=unique("api"), ConnectionArn=connection, InvocationEndpoint=url, HttpMethod=method, **kw)["ApiDestinationArn"]


def test_api_destinations(events, bus, endpoint_server):
    key = connect(events, ApiKeyAuthParameters={"ApiKeyName": "X-Key", "ApiKeyValue": "secret"}, InvocationHttpParameters={
        "HeaderParameters": [{"Key": "X-More", "Value": "m"}], "QueryStringParameters": [{"Key": "q", "Value": "1"}],
        "BodyParameters": [{"Key": "added", "Value": "b", "IsValueSecret": True}]})
    basic = connect(events, BasicAuthParameters={"Username": "user", "Password": "pass"})
    oauth = connect(events, OAuthParameters={"ClientParameters": {"ClientID": "i", "ClientSecret": "s"}, "HttpMethod": "POST", "AuthorizationEndpoint": endpoint_server.url + "/token"})
    shown = events.describe_connection(Name=key[0])["AuthParameters"]
    assert shown["ApiKeyAuthParameters"] == {"ApiKeyName": "X-Key"} and shown["InvocationHttpParameters"]["BodyParameters"] == [{"Key": "added", "IsValueSecret": True}]
    rule(events, {"source": ["app"]},
         {"Arn": destination(events, key[1], endpoint_server.url + "/key/*/end"), "RoleArn": ROLE, "InputPath": "$.detail", "HttpParameters": {
             "PathParameterValues": ["$.detail.name"], "HeaderParameters": {"X-Type": "$.detail-type"}, "QueryStringParameters": {"fixed": "f"}}},
         {"Arn": destination(events, basic[1], endpoint_server.url + "/basic", "PUT"), "RoleArn": ROLE},
         {"Arn": destination(events, oauth[1], endpoint_server.url + "/oauth"), "RoleArn": ROLE}, bus=bus)
    put(events, {"name": "a b"}, bus=bus)

    def called():
        with endpoint_server.lock:
            return len(endpoint_server.calls) >= 3
    eventually(called)
    calls = {path.split("/")[1].split("?")[0]: (method, path, headers, body) for method, path, headers, body in endpoint_server.calls}
    method, path, headers, body = calls["key"]
    assert (method, path) == ("POST", "/key/a%20b/end?fixed=f&q=1")
    assert headers["X-Key"] == "secret" and headers["X-More"] == "m" and headers["X-Type"] == "T" and headers["User-Agent"] == "Amazon/EventBridge/ApiDestinations"
    assert json.loads(body) == {"name": "a b", "added": "b"}
    assert calls["basic"][0] == "PUT" and calls["basic"][2]["Authorization"] == "Basic dXNlcjpwYXNz" and json.loads(calls["basic"][3])["source"] == "app"
    assert calls["oauth"][2]["Authorization"] == "Bearer the-token"
    events.delete_connection(Name=basic[0])
    assert refused("ResourceNotFoundException", events.describe_connection, Name=basic[0]) == \
        f"Failed to describe the connection(s). Connection '{basic[0]}' does not exist."


def test_api_destinations_are_tried_again(events, client, queue, bus, endpoint_server):
    sqs = client("sqs")
    url, dead = queue()
    _, connection = connect(events, BasicAuthParameters={"Username": "user", "Password": "pass"})
    target = {"Arn": destination(events, connection, endpoint_server.url), "RoleArn": ROLE, "DeadLetterConfig": {"Arn": dead}, "RetryPolicy": {"MaximumRetryAttempts": 3}}
    rule(events, {"source": ["app"]}, target, bus=bus)
    endpoint_server.answers = [(503, "busy"), (429, "slow down"), (200, "{}")]
    put(events, {"n": 1}, bus=bus)

    def called():
        with endpoint_server.lock:
            return len(endpoint_server.calls) == 3
    eventually(called)
    endpoint_server.answers = [(500, "down")] * 4
    put(events, {"n": 2}, bus=bus)
    [letter] = collect(sqs, url, 1)
    attributes = {k: v["StringValue"] for k, v in letter["MessageAttributes"].items()}
    assert attributes["ERROR_CODE"] == "ERROR_FROM_TARGET" and attributes["ERROR_MESSAGE"] == "The endpoint answered 500: down"
    assert attributes["RETRY_ATTEMPTS"] == "3" and attributes["EXHAUSTED_RETRY_CONDITION"] == "MaximumRetryAttempts"
    endpoint_server.answers = [(400, "no")]
    put(events, {"n": 3}, bus=bus)
    [letter] = collect(sqs, url, 1)
    attributes = {k: v["StringValue"] for k, v in letter["MessageAttributes"].items()}
    assert attributes["RETRY_ATTEMPTS"] == "0" and "EXHAUSTED_RETRY_CONDITION" not in attributes and json.loads(letter["Body"])["detail"] == {"n": 3}


def test_permissions(events):
    name = unique("bus")
    events.create_event_bus(Name=name)
    events.put_permission(EventBusName=name, Action="events:PutEvents", Principal="111111111111", StatementId="one")
    events.put_permission(EventBusName=name, Action="events:PutEvents", Principal="*", StatementId="all")
    policy = json.loads(events.describe_event_bus(Name=name)["Policy"])
    arn = f"arn:aws:events:us-east-1:000000000000:event-bus/{name}"
    assert policy == {"Version": "2012-10-17", "Statement": [
        {"Sid": "one", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111111111111:root"}, "Action": "events:PutEvents", "Resource": arn},
        {"Sid": "all", "Effect": "Allow", "Principal": "*", "Action": "events:PutEvents", "Resource": arn}]}
    events.remove_permission(EventBusName=name, StatementId="all")
    assert refused("ResourceNotFoundException", events.remove_permission, EventBusName=name, StatementId="all") == "Statement with the provided id does not exist."
    events.remove_permission(EventBusName=name, RemoveAllPermissions=True)
    assert "Policy" not in events.describe_event_bus(Name=name)


def test_another_account_needs_permission(events, client, queue, bus):
    url, arn = queue()
    rule(events, {"source": ["app"]}, arn, bus=bus)
    other = client("events", aws_access_key_id="222222222222")
    entry = {"Source": "app", "DetailType": "T", "Detail": "{}", "EventBusName": events.describe_event_bus(Name=bus)["Arn"]}
    assert other.put_events(Entries=[entry])["Entries"][0]["ErrorCode"] == "AccessDeniedException"
    events.put_permission(EventBusName=bus, Action="events:PutEvents", Principal="222222222222", StatementId="one")
    assert other.put_events(Entries=[entry])["FailedEntryCount"] == 0
    assert bodies(collect(client("sqs"), url, 1))[0]["account"] == "222222222222"


def test_event_pattern(events):
    event = json.dumps({"id": "1", "source": "order", "detail-type": "T", "account": "0", "region": "r", "time": "2026-01-01T00:00:00Z", "detail": {"a": [1, 2]}})
    assert events.test_event_pattern(Event=event, EventPattern='{"detail": {"a": [2]}}')["Result"]
    assert not events.test_event_pattern(Event=event, EventPattern='{"detail": {"a": [3]}}')["Result"]
    assert refused("ValidationException", events.test_event_pattern, Event="x", EventPattern='{"a": ["b"]}') == "Parameter Event is not valid."
    assert refused("InvalidEventPatternException", events.test_event_pattern, Event=event, EventPattern='{"a": []}').startswith(
        "Event pattern is not valid. Reason: Empty arrays are not allowed\n")


def test_what_is_not_there_says_so(events):
    for call, kw in ((events.create_endpoint, {"Name": "e", "RoutingConfig": {"FailoverConfig": {"Primary": {"HealthCheck": "arn:aws:route53:::healthcheck/x"},
                                                                                                 "Secondary": {"Route": "us-west-2"}}},
                                               "EventBuses": [{"EventBusArn": "arn:aws:events:us-east-1:000000000000:event-bus/b"}] * 2}),
                     (events.put_partner_events, {"Entries": [{"Source": "aws.partner/a/b", "DetailType": "T", "Detail": "{}"}]}),
                     (events.list_partner_event_sources, {"NamePrefix": "aws.partner/a/b"}), (events.list_event_sources, {})):
        refused("NotImplemented", call, **kw)


def test_events_survive_a_crash(tmp_path):
    """What was acknowledged is delivered, though the platform is killed while events are on their way."""
    with Cirro(tmp_path / "data") as platform:
        events, sqs = make_client(platform.url, "events"), make_client(platform.url, "sqs")
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        rule(events, {"source": ["app"]}, "arn:aws:sqs:us-east-1:000000000000:q")
        acknowledged = []

        def produce(n):
            for i in range(n, 10_000, 8):
                try:
                    acknowledged.extend(put(events, {"n": i}))
                except Exception:  # the platform was killed
                    return
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for n in range(8):
                pool.submit(produce, n)
            eventually(lambda: len(acknowledged) > 200)
            platform.stop(signal.SIGKILL)
        platform.start()
        sqs = make_client(platform.url, "sqs")
        got = set()

        def all_there():
            for m in sqs.receive_message(QueueUrl=url.replace(url.split("/")[2], platform.listen), MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", []):
                got.add(json.loads(m["Body"])["id"])
                sqs.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
            return got >= set(acknowledged)
        eventually(all_there, every=0)
