"""EventBridge Pipes as a user of boto3 meets them."""
import json
import signal

import pytest
from botocore.exceptions import ClientError

from cirro import Cirro
from conftest import ROLE, eventually, make_client, unique

ACCOUNT = "000000000000"


@pytest.fixture
def pipes(client):
    return client("pipes")


@pytest.fixture
def sqs(client):
    return client("sqs")


@pytest.fixture
def queue(sqs):
    def make(fifo=False, **attributes):
        name = unique("queue") + (".fifo" if fifo else "")
        if fifo:
            attributes |= {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
        return sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"], f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"
    return make


@pytest.fixture
def pipe(pipes):
    """pipe(source, target, **parameters) makes a pipe and waits until it runs."""
    made = []

    def make(source, target, **kw):
        name = unique("pipe")
        pipes.create_pipe(Name=name, Source=source, Target=target, RoleArn=ROLE, **kw)
        made.append(name)
        wait(pipes, name, kw.get("DesiredState", "RUNNING"))
        return name
    yield make
    for name in made:
        try:
            pipes.delete_pipe(Name=name)
        except ClientError:
            pass


def state(pipes, name):
    return pipes.describe_pipe(Name=name)["CurrentState"]


def wait(pipes, name, wanted):
    eventually(lambda: state(pipes, name) == wanted)


def receive(sqs, url, n=1):
    got = []

    def more():
        for m in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1, AttributeNames=["All"]).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
            got.append(m)
        return len(got) >= n
    eventually(more)
    assert len(got) == n
    return got


def refused(code, call, **kw):
    with pytest.raises(ClientError) as e:
        call(**kw)
    assert e.value.response["Error"]["Code"] == code, e.value
    return e.value.response["Error"]["Message"]


def test_states(pipes, queue, pipe):
    (_, source), (_, target) = queue(), queue()
    name = unique("pipe")
    made = pipes.create_pipe(Name=name, Source=source, Target=target, RoleArn=ROLE, Description="d", Tags={"k": "v"}, DesiredState="STOPPED",
                             LogConfiguration={"Level": "OFF"})
    arn = f"arn:aws:pipes:us-east-1:{ACCOUNT}:pipe/{name}"
    assert (made["Arn"], made["DesiredState"], made["CurrentState"]) == (arn, "STOPPED", "CREATING")
    refused("ConflictException", pipes.create_pipe, Name=name, Source=source, Target=target, RoleArn=ROLE)
    wait(pipes, name, "STOPPED")
    refused("ConflictException", pipes.stop_pipe, Name=name)
    assert pipes.start_pipe(Name=name)["CurrentState"] == "STARTING"
    wait(pipes, name, "RUNNING")
    got = pipes.describe_pipe(Name=name)
    assert got["SourceParameters"] == {"SqsQueueParameters": {"BatchSize": 10}}
    assert (got["Description"], got["Tags"], got["Source"], got["Target"], got["RoleArn"]) == ("d", {"k": "v"}, source, target, ROLE)
    assert pipes.update_pipe(Name=name, RoleArn=ROLE, Description="other", SourceParameters={"SqsQueueParameters": {"BatchSize": 1}})["CurrentState"] == "UPDATING"
    wait(pipes, name, "RUNNING")
    got = pipes.describe_pipe(Name=name)
    assert (got["Description"], got["SourceParameters"]) == ("other", {"SqsQueueParameters": {"BatchSize": 1}})
    listed, = pipes.list_pipes(NamePrefix=name)["Pipes"]
    assert (listed["Arn"], listed["CurrentState"], listed["Source"]) == (arn, "RUNNING", source)
    assert pipes.list_pipes(NamePrefix=name, CurrentState="STOPPED")["Pipes"] == []
    pipes.tag_resource(resourceArn=arn, tags={"l": "w"})
    pipes.untag_resource(resourceArn=arn, tagKeys=["k"])
    assert pipes.list_tags_for_resource(resourceArn=arn)["tags"] == {"l": "w"}
    assert pipes.stop_pipe(Name=name)["CurrentState"] == "STOPPING"
    wait(pipes, name, "STOPPED")
    assert pipes.delete_pipe(Name=name)["CurrentState"] == "DELETING"
    eventually(lambda: not pipes.list_pipes(NamePrefix=name)["Pipes"])
    assert refused("NotFoundException", pipes.describe_pipe, Name=name) == f"Pipe {name} does not exist."


def test_list_is_paged(pipes, queue, pipe):
    (_, source), (_, target) = queue(), queue()
    prefix = unique("many")
    for i in range(5):
        pipes.create_pipe(Name=f"{prefix}-{i}", Source=source, Target=target, RoleArn=ROLE, DesiredState="STOPPED")
    pages = list(pipes.get_paginator("list_pipes").paginate(NamePrefix=prefix, PaginationConfig={"PageSize": 2}))
    assert [[p["Name"][-1] for p in page["Pipes"]] for page in pages] == [["0", "1"], ["2", "3"], ["4"]]


def test_what_does_not_fit_is_refused(pipes, queue):
    (_, source), (_, target), (_, fifo) = queue(), queue(), queue(fifo=True)
    good = {"Name": unique("pipe"), "Source": source, "Target": target, "RoleArn": ROLE}
    for kw in ({"Source": "arn:aws:s3:::bucket"}, {"SourceParameters": {"SqsQueueParameters": {"BatchSize": 11, "MaximumBatchingWindowInSeconds": 1}}},
               {"SourceParameters": {"FilterCriteria": {"Filters": [{"Pattern": '{"body": "x"}'}]}}},
               {"SourceParameters": {"KinesisStreamParameters": {"StartingPosition": "LATEST"}}},
               {"Target": fifo}, {"TargetParameters": {"InputTemplate": "<$.a[>"}}, {"TargetParameters": {"InputTemplate": "<aws.pipes.none>"}},
               {"Source": f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/s"}):
        refused("ValidationException", pipes.create_pipe, **{**good, **kw})
    for kw in ({"Source": f"arn:aws:kafka:us-east-1:{ACCOUNT}:cluster/c"}, {"Enrichment": f"arn:aws:events:us-east-1:{ACCOUNT}:api-destination/a"},
               {"Target": f"arn:aws:ecs:us-east-1:{ACCOUNT}:cluster/c"}):
        refused("NotImplemented", pipes.create_pipe, **{**good, **kw})


def test_a_source_must_be_there(pipes, queue):
    name = unique("pipe")
    pipes.create_pipe(Name=name, Source=f"arn:aws:sqs:us-east-1:{ACCOUNT}:none", Target=queue()[1], RoleArn=ROLE)
    wait(pipes, name, "CREATE_FAILED")
    assert "cannot be read" in pipes.describe_pipe(Name=name)["StateReason"]
    pipes.delete_pipe(Name=name)


def test_queue_to_queue_with_filter_and_template(sqs, queue, pipe):
    (url, source), (to, target) = queue(), queue()
    name = pipe(source, target, SourceParameters={"FilterCriteria": {"Filters": [{"Pattern": json.dumps({"body": {"kind": ["new"]}})}]}},
                TargetParameters={"InputTemplate": '{"id": <$.body.id>, "text": "of <$.body.kind> in <aws.pipes.pipe-name>", "list": <$.body.list>}'})
    for body in {"kind": "old", "id": 1}, {"kind": "new", "id": 2, "list": ["a", {"b": 1}]}:
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(body))
    m, = receive(sqs, to)
    assert json.loads(m["Body"]) == {"id": 2, "text": f"of new in {name}", "list": ["a", {"b": 1}]}
    counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    eventually(lambda: set(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=counts)["Attributes"].values()) == {"0"})


def test_whole_record_without_template(sqs, queue, pipe):
    (url, source), (to, target) = queue(), queue()
    pipe(source, target)
    sent = sqs.send_message(QueueUrl=url, MessageBody="text", MessageAttributes={"a": {"DataType": "String", "StringValue": "v"}})
    record = json.loads(receive(sqs, to)[0]["Body"])
    assert (record["messageId"], record["body"], record["eventSource"], record["eventSourceARN"]) == (sent["MessageId"], "text", "aws:sqs", source)
    assert record["messageAttributes"]["a"]["stringValue"] == "v"


def test_fifo_keeps_order(sqs, queue, pipe):
    (url, source), (to, target) = queue(fifo=True), queue(fifo=True)
    pipe(source, target, TargetParameters={"InputTemplate": "<$.body>", "SqsQueueParameters": {
        "MessageGroupId": "$.attributes.MessageGroupId", "MessageDeduplicationId": "$.messageId"}})
    for i in range(20):
        sqs.send_message(QueueUrl=url, MessageBody=f"m{i}", MessageGroupId=f"g{i % 2}")
    got = receive(sqs, to, 20)
    for group in range(2):
        assert [m["Body"] for m in got if m["Attributes"]["MessageGroupId"] == f"g{group}"] == [f"m{i}" for i in range(group, 20, 2)]


def test_enrichment_and_function_target(sqs, queue, pipe, function):
    (url, source), (to, _) = queue(), queue()
    enrichment = function("""
        def handler(event, context):
            return [{"n": m["n"] * 2} for m in event if m["n"] > 0]
        """)
    target = function(f"""
        import boto3, json
        def handler(event, context):
            boto3.client("sqs").send_message(QueueUrl="{to}", MessageBody=json.dumps(event))
        """)
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:"
    pipe(source, arn + target, Enrichment=arn + enrichment, EnrichmentParameters={"InputTemplate": '{"n": <$.body.n>}'},
         SourceParameters={"SqsQueueParameters": {"BatchSize": 1}}, TargetParameters={"InputTemplate": '{"got": <$.n>}'})
    for n in -1, 21:
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"n": n}))
    assert json.loads(receive(sqs, to)[0]["Body"]) == [{"got": 42}]


def test_function_reports_partial_failures(pipes, sqs, queue, pipe, function):
    (url, source), (to, _) = queue(VisibilityTimeout="600"), queue()
    target = function(f"""
        import boto3, json
        def handler(event, context):
            for m in event:
                boto3.client("sqs").send_message(QueueUrl="{to}", MessageBody=m["body"])
            return {{"batchItemFailures": [{{"itemIdentifier": m["messageId"]}} for m in event if m["body"] == "bad"]}}
        """)
    name = pipe(source, f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{target}")
    for body in "good", "bad":
        sqs.send_message(QueueUrl=url, MessageBody=body)
    assert sorted(m["Body"] for m in receive(sqs, to, 2)) == ["bad", "good"]
    pipes.stop_pipe(Name=name)
    wait(pipes, name, "STOPPED")  # what it has read is settled
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"])
    assert sum(map(int, counts["Attributes"].values())) == 1


def test_topic_and_bus_and_log_group(client, sqs, queue, pipe):
    (url, source), (to, to_arn) = queue(), queue()
    sns, events, logs = client("sns"), client("events"), client("logs")
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=to_arn, Attributes={"RawMessageDelivery": "true"})
    pipe(source, topic, TargetParameters={"InputTemplate": "<$.body>"})
    sqs.send_message(QueueUrl=url, MessageBody="to the topic")
    assert receive(sqs, to)[0]["Body"] == "to the topic"

    url, source = queue()
    bus = unique("bus")
    arn = events.create_event_bus(Name=bus)["EventBusArn"]
    events.put_rule(Name="all", EventBusName=bus, EventPattern=json.dumps({"account": [ACCOUNT]}))
    events.put_targets(Rule="all", EventBusName=bus, Targets=[{"Id": "q", "Arn": to_arn}])
    pipe(source, arn, TargetParameters={"InputTemplate": "<$.body>", "EventBridgeEventBusParameters": {"Source": "my.app", "DetailType": "$.body.kind"}})
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"kind": "Order"}))
    event = json.loads(receive(sqs, to)[0]["Body"])
    assert (event["source"], event["detail-type"], event["detail"]) == ("my.app", "Order", {"kind": "Order"})

    url, source = queue()
    group = unique("/pipes/")
    logs.create_log_group(logGroupName=group)
    pipe(source, f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{group}", TargetParameters={"InputTemplate": "<$.body>"})
    sqs.send_message(QueueUrl=url, MessageBody="to the log")
    assert eventually(lambda: [e["message"] for e in logs.filter_log_events(logGroupName=group)["events"]]) == ["to the log"]


def test_table_stream(client, sqs, queue, pipe):
    tables = client("dynamodb")
    name = unique("table")
    stream = tables.create_table(TableName=name, KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}], BillingMode="PAY_PER_REQUEST",
                                 AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
                                 StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"})["TableDescription"]["LatestStreamArn"]
    to, target = queue()
    pipe(stream, target, SourceParameters={"DynamoDBStreamParameters": {"StartingPosition": "TRIM_HORIZON"}},
         TargetParameters={"InputTemplate": '{"key": <$.dynamodb.Keys.k.S>, "event": "<$.eventName>"}'})
    tables.put_item(TableName=name, Item={"k": {"S": "a"}})
    assert json.loads(receive(sqs, to)[0]["Body"]) == {"key": "a", "event": "INSERT"}


def test_kinesis_stream(client, sqs, queue, pipe):
    kinesis = client("kinesis")
    name = unique("stream")
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    to, target = queue()
    pipe(f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/{name}", target,
         SourceParameters={"KinesisStreamParameters": {"StartingPosition": "TRIM_HORIZON"}, "FilterCriteria": {
             "Filters": [{"Pattern": json.dumps({"data": {"n": [{"numeric": [">", 1]}]}})}]}},
         TargetParameters={"InputTemplate": '{"n": <$.data.n>, "key": <$.partitionKey>}'})
    for n in 1, 2:
        kinesis.put_record(StreamName=name, Data=json.dumps({"n": n}), PartitionKey="p")
    assert json.loads(receive(sqs, to)[0]["Body"]) == {"n": 2, "key": "p"}


def test_dead_letters_of_a_stream(client, sqs, queue, pipe):
    tables = client("dynamodb")
    name = unique("table")
    stream = tables.create_table(TableName=name, KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}], BillingMode="PAY_PER_REQUEST",
                                 AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
                                 StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"})["TableDescription"]["LatestStreamArn"]
    dead, dead_arn = queue()
    of = pipe(stream, f"arn:aws:sqs:us-east-1:{ACCOUNT}:none", SourceParameters={"DynamoDBStreamParameters": {
        "StartingPosition": "TRIM_HORIZON", "MaximumRetryAttempts": 1, "DeadLetterConfig": {"Arn": dead_arn}}})
    tables.put_item(TableName=name, Item={"k": {"S": "a"}})
    letter = json.loads(receive(sqs, dead)[0]["Body"])
    assert letter["context"] == {"partnerResourceArn": f"arn:aws:pipes:us-east-1:{ACCOUNT}:pipe/{of}", "condition": "RetryAttemptsExhausted"}
    assert (letter["DDBStreamBatchInfo"]["batchSize"], letter["DDBStreamBatchInfo"]["streamArn"]) == (1, stream)


def test_pipes_survive_a_crash(tmp_path):
    with Cirro(tmp_path) as platform:
        sqs, pipes = make_client(platform.url, "sqs"), make_client(platform.url, "pipes")
        arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:"
        url, to = (sqs.create_queue(QueueName=n, Attributes={"VisibilityTimeout": "5"})["QueueUrl"] for n in ("from", "to"))
        pipes.create_pipe(Name="p", Source=arn + "from", Target=arn + "to", RoleArn=ROLE, TargetParameters={"InputTemplate": "<$.body>"})
        wait(pipes, "p", "RUNNING")
        for i in range(20):
            sqs.send_message(QueueUrl=url, MessageBody=f"m{i}")
        platform.restart(signal.SIGKILL)
        assert state(pipes, "p") == "RUNNING"
        got = set()

        def all_there():
            got.update(m["Body"] for m in sqs.receive_message(QueueUrl=to, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", []))
            return got == {f"m{i}" for i in range(20)}
        eventually(all_there)
