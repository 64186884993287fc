"""What buckets tell functions, queues, topics and the event bus, with boto3."""
import json
import signal
import threading
import urllib.parse

import botocore.exceptions
import pytest
import requests
from cirro import Cirro
from conftest import eventually, make_client, unique


@pytest.fixture
def s3(client):
    return client("s3")


@pytest.fixture
def sqs(client):
    return client("sqs")


@pytest.fixture
def bucket(s3):
    name = unique("bucket")
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def queue(sqs):
    """A queue: its URL, its ARN."""
    url = sqs.create_queue(QueueName=unique("q"))["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def receive(sqs, url, count=1, full=False):
    """The next messages, parsed, in the order of the records' sequencers where they have some."""
    got = []

    def more():
        for m in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1, MessageSystemAttributeNames=["All"]).get("Messages", []):
            got.append(m if full else json.loads(m["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
        return len(got) >= count
    eventually(more)
    return got


def notify_queue(s3, bucket, arn, events, **more):
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={
        "QueueConfigurations": [{"Id": "rule", "QueueArn": arn, "Events": events, **more}]})


def records(messages):
    return [r for m in messages for r in m["Records"]]


def test_the_record_to_its_last_field(s3, sqs, bucket, queue):
    url, arn = queue
    notify_queue(s3, bucket, arn, ["s3:ObjectCreated:*"])
    test = receive(sqs, url)[0]
    assert {k: test[k] for k in ("Service", "Event", "Bucket")} == {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": bucket}
    assert set(test) == {"Service", "Event", "Time", "Bucket", "RequestId", "HostId"}
    out = s3.put_object(Bucket=bucket, Key="in/a file+ü(1).txt", Body=b"hello")
    (record,) = records(receive(sqs, url))
    assert record["eventVersion"] == "2.1" and record["eventSource"] == "aws:s3" and record["awsRegion"] == "us-east-1"
    assert record["eventName"] == "ObjectCreated:Put"
    assert record["requestParameters"] == {"sourceIPAddress": "127.0.0.1"}
    assert record["responseElements"]["x-amz-request-id"] == out["ResponseMetadata"]["RequestId"]
    assert record["userIdentity"]["principalId"].startswith("AWS:")
    assert record["s3"]["s3SchemaVersion"] == "1.0" and record["s3"]["configurationId"] == "rule"
    assert record["s3"]["bucket"]["name"] == bucket and record["s3"]["bucket"]["arn"] == f"arn:aws:s3:::{bucket}"
    assert record["s3"]["bucket"]["ownerIdentity"]["principalId"]
    assert record["s3"]["object"].pop("sequencer")
    assert record["s3"]["object"] == {"key": "in/a+file%2B%C3%BC%281%29.txt", "size": 5, "eTag": out["ETag"].strip('"')}
    assert urllib.parse.unquote_plus("in/a+file%2B%C3%BC%281%29.txt") == "in/a file+ü(1).txt"


def test_all_that_happens_to_objects(s3, sqs, bucket, queue):
    url, arn = queue
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    notify_queue(s3, bucket, arn, ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectTagging:*", "s3:ObjectAcl:Put"])
    first = s3.put_object(Bucket=bucket, Key="a", Body=b"1")["VersionId"]
    s3.copy_object(Bucket=bucket, Key="b", CopySource=f"{bucket}/a")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="c")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="c", UploadId=upload, PartNumber=1, Body=b"1")["ETag"]
    s3.complete_multipart_upload(Bucket=bucket, Key="c", UploadId=upload, MultipartUpload={"Parts": [{"ETag": part, "PartNumber": 1}]})
    s3.put_object_tagging(Bucket=bucket, Key="a", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    s3.delete_object_tagging(Bucket=bucket, Key="a")
    s3.put_object_acl(Bucket=bucket, Key="a", ACL="private")
    marker = s3.delete_object(Bucket=bucket, Key="a")["VersionId"]
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a", "VersionId": first}]})
    got = {r["eventName"]: r for r in records(receive(sqs, url, 9)[1:])}
    assert set(got) == {"ObjectCreated:Put", "ObjectCreated:Copy", "ObjectCreated:CompleteMultipartUpload", "ObjectTagging:Put",
                        "ObjectTagging:Delete", "ObjectAcl:Put", "ObjectRemoved:DeleteMarkerCreated", "ObjectRemoved:Delete"}
    assert got["ObjectCreated:Put"]["s3"]["object"]["versionId"] == first
    assert set(got["ObjectTagging:Put"]["s3"]["object"]) == {"key", "eTag", "versionId"}
    assert got["ObjectTagging:Put"]["eventVersion"] == "2.3"
    hidden = got["ObjectRemoved:DeleteMarkerCreated"]["s3"]["object"]
    assert hidden["versionId"] == marker and hidden["eTag"] == "d41d8cd98f00b204e9800998ecf8427e"
    gone = got["ObjectRemoved:Delete"]["s3"]["object"]
    assert gone["versionId"] == first and set(gone) == {"key", "versionId", "sequencer"}
    assert got["ObjectCreated:Put"]["s3"]["object"]["sequencer"] < hidden["sequencer"] < gone["sequencer"]
    assert got["ObjectCreated:CompleteMultipartUpload"]["s3"]["object"]["eTag"].endswith("-1")


def test_filters(s3, sqs, bucket, queue):
    url, arn = queue
    rules = [{"Name": "prefix", "Value": "in/"}, {"Name": "SUFFIX", "Value": ".txt"}]
    notify_queue(s3, bucket, arn, ["s3:ObjectCreated:Put"], Filter={"Key": {"FilterRules": rules}})
    kept = s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"][0]
    assert kept["Filter"]["Key"]["FilterRules"] == [{"Name": "Prefix", "Value": "in/"}, {"Name": "Suffix", "Value": ".txt"}]
    for key in ("in/a.csv", "out/a.txt", "in/b.txt"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    s3.copy_object(Bucket=bucket, Key="in/c.txt", CopySource=f"{bucket}/in/b.txt")
    s3.put_object(Bucket=bucket, Key="in/d.txt", Body=b"")
    keys = [r["s3"]["object"]["key"] for r in records(receive(sqs, url, 3)[1:])]
    assert sorted(keys) == ["in/b.txt", "in/d.txt"]
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    assert "QueueConfigurations" not in s3.get_bucket_notification_configuration(Bucket=bucket)


def refused(s3, bucket, config, **kw):
    with pytest.raises(botocore.exceptions.ClientError) as e:
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=config, **kw)
    assert e.value.response["Error"]["Code"] == "InvalidArgument"
    return e.value.response["Error"]


def test_destinations_are_asked(s3, bucket, queue, function):
    none = "arn:aws:sqs:us-east-1:000000000000:none"
    two = {"QueueConfigurations": [{"QueueArn": none, "Events": ["s3:ObjectCreated:*"]}, {"QueueArn": none + "2", "Events": ["s3:ObjectRemoved:*"]}]}
    error = refused(s3, bucket, two)
    assert error["Message"] == "Unable to validate the following destination configurations"
    assert error["ArgumentName1"] == none and error["ArgumentValue1"] == "The destination queue does not exist"
    assert error["ArgumentName2"] == none + "2"
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=two, SkipDestinationValidation=True)
    topic = {"TopicConfigurations": [{"TopicArn": "arn:aws:sns:us-east-1:000000000000:none", "Events": ["s3:ObjectCreated:*"]}]}
    assert refused(s3, bucket, topic)["ArgumentValue1"] == "The destination topic does not exist"
    fn = "arn:aws:lambda:us-east-1:000000000000:function:" + unique("none")
    assert refused(s3, bucket, {"LambdaFunctionConfigurations": [{"LambdaFunctionArn": fn, "Events": ["s3:ObjectCreated:*"]}]})[
        "ArgumentValue1"] == "The destination Lambda does not exist"
    fn = "arn:aws:lambda:us-east-1:000000000000:function:" + function("def handler(e, c): pass")
    error = refused(s3, bucket, {"LambdaFunctionConfigurations": [{"LambdaFunctionArn": fn, "Events": ["s3:ObjectCreated:*"]}]})
    assert error["ArgumentName1"] == fn + ", null" and error["ArgumentValue1"] == f"Not authorized to invoke function [{fn}]"
    error = refused(s3, bucket, {"QueueConfigurations": [{"QueueArn": "invalid-queue", "Events": ["s3:ObjectCreated:*"]}]})
    assert error["Message"] == "The ARN could not be parsed" and error["ArgumentName"] == "Queue"


def test_rules_must_not_overlap(s3, bucket, queue):
    arn = queue[1]

    def rule(event, **filters):
        return {"QueueArn": arn, "Events": [event], "Filter": {"Key": {"FilterRules": [{"Name": k, "Value": v} for k, v in filters.items()]}}}
    for a, b in [(rule("s3:ObjectCreated:*"), rule("s3:ObjectCreated:Put")),
                 (rule("s3:ObjectCreated:Put", prefix="a"), rule("s3:ObjectCreated:*", prefix="ab")),
                 (rule("s3:ObjectCreated:*", prefix="a", suffix=".txt"), rule("s3:ObjectCreated:*", suffix="t"))]:
        error = refused(s3, bucket, {"QueueConfigurations": [a, b]})
        assert "overlap" in error["Message"]
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [
        rule("s3:ObjectCreated:*", prefix="a"), rule("s3:ObjectCreated:*", prefix="b"), rule("s3:ObjectRemoved:*")]})
    error = refused(s3, bucket, {"QueueConfigurations": [rule("s3:ObjectCreated:*", INVALID="x")]})
    assert error["ArgumentName"] == "FilterRule.Name" and error["ArgumentValue"] == "INVALID"


def test_a_topic_hands_it_on(s3, sqs, client, bucket, queue):
    url, arn = queue
    topic = client("sns").create_topic(Name=unique("topic"))["TopicArn"]
    client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={
        "TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]})
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    messages = receive(sqs, url, 2)
    assert {m["Subject"] for m in messages} == {"Amazon S3 Notification"}
    inner = [json.loads(m["Message"]) for m in messages]
    assert [r["s3"]["object"]["key"] for m in inner for r in m.get("Records", [])] == ["k"]


def test_the_event_bus(s3, sqs, client, bucket, queue):
    url, arn = queue
    events, rule = client("events"), unique("rule")
    events.put_rule(Name=rule, EventPattern=json.dumps({"source": ["aws.s3"], "detail": {"bucket": {"name": [bucket]}}}))
    events.put_targets(Rule=rule, Targets=[{"Id": "q", "Arn": arn}])
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}})
    assert s3.get_bucket_notification_configuration(Bucket=bucket)["EventBridgeConfiguration"] == {}
    etag = s3.put_object(Bucket=bucket, Key="a b", Body=b"12")["ETag"].strip('"')
    s3.delete_object(Bucket=bucket, Key="a b")
    got = {m["detail-type"]: m for m in receive(sqs, url, 2)}
    created = got["Object Created"]
    assert created["source"] == "aws.s3" and created["resources"] == [f"arn:aws:s3:::{bucket}"]
    detail = created["detail"]
    assert detail["object"].pop("sequencer")
    assert detail["object"] == {"key": "a b", "size": 2, "etag": etag}
    assert detail["reason"] == "PutObject" and detail["version"] == "0" and detail["requester"] == "000000000000"
    deleted = got["Object Deleted"]["detail"]
    assert deleted["deletion-type"] == "Permanently Deleted" and deleted["reason"] == "DeleteObject"


def test_the_trace_goes_along(s3, sqs, bucket, queue):
    url, arn = queue
    notify_queue(s3, bucket, arn, ["s3:ObjectCreated:*"])
    receive(sqs, url)
    trace = "Root=1-3152b799-8954dae64eda91bc9a23a7e8;Parent=7fa8c0f79203be72;Sampled=1"

    def add(request, **_):
        request.headers["X-Amzn-Trace-Id"] = trace
    s3.meta.events.register("before-send.s3.PutObject", add)
    try:
        s3.put_object(Bucket=bucket, Key="k", Body=b"")
    finally:
        s3.meta.events.unregister("before-send.s3.PutObject", add)
    (message,) = receive(sqs, url, full=True)
    assert message["Attributes"]["AWSTraceHeader"] == trace


def test_expired_objects_are_told_of(s3, sqs, bucket, queue):
    url, arn = queue
    notify_queue(s3, bucket, arn, ["s3:LifecycleExpiration:*"])
    receive(sqs, url)
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [
        {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Date": "2020-01-01T00:00:00Z"}}]})
    (record,) = records(receive(sqs, url))
    assert record["eventName"] == "LifecycleExpiration:Delete" and record["eventVersion"] == "2.3"
    assert record["userIdentity"] == {"principalId": "s3.amazonaws.com"}
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_what_is_archived_is_restored(s3, sqs, bucket, queue):
    url, arn = queue
    notify_queue(s3, bucket, arn, ["s3:ObjectRestore:*"])
    receive(sqs, url)
    s3.put_object(Bucket=bucket, Key="k", Body=b"cold", StorageClass="GLACIER")
    s3.put_object(Bucket=bucket, Key="warm", Body=b"")
    for call, kw in ((s3.get_object, {"Key": "k"}), (s3.restore_object, {"Key": "warm", "RestoreRequest": {"Days": 1}})):
        with pytest.raises(botocore.exceptions.ClientError) as e:
            call(Bucket=bucket, **kw)
        assert e.value.response["Error"]["Code"] == "InvalidObjectState"
    s3.restore_object(Bucket=bucket, Key="k", RestoreRequest={"Days": 2, "GlacierJobParameters": {"Tier": "Expedited"}})
    head = s3.head_object(Bucket=bucket, Key="k")
    assert head["StorageClass"] == "GLACIER" and head["Restore"].startswith('ongoing-request="false", expiry-date="')
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"cold"
    got = {r["eventName"]: r for r in records(receive(sqs, url, 2))}
    assert set(got) == {"ObjectRestore:Post", "ObjectRestore:Completed"}
    restored = got["ObjectRestore:Completed"]["glacierEventData"]["restoreEventData"]
    assert restored["lifecycleRestoreStorageClass"] == "GLACIER" and restored["lifecycleRestorationExpiryTime"].endswith("T00:00:00.000Z")


def test_a_form_sets_one_off_too(s3, sqs, bucket, queue):
    url, arn = queue
    notify_queue(s3, bucket, arn, ["s3:ObjectCreated:Post"])
    receive(sqs, url)
    form = s3.generate_presigned_post(bucket, "k")
    assert requests.post(form["url"], data=form["fields"], files={"file": b"12"}).status_code == 204
    (record,) = records(receive(sqs, url))
    assert record["eventName"] == "ObjectCreated:Post" and record["s3"]["object"]["size"] == 2


def test_what_was_acknowledged_is_told_of_after_a_crash(tmp_path):
    """SIGKILL while objects are written: each that was acknowledged is told of, though the process ended before."""
    with Cirro(tmp_path) as platform:
        s3, sqs = make_client(platform.url, "s3"), make_client(platform.url, "sqs")
        bucket = unique("bucket")
        s3.create_bucket(Bucket=bucket)
        url = sqs.create_queue(QueueName=unique("q"))["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        notify_queue(s3, bucket, arn, ["s3:ObjectCreated:*"])
        acknowledged, written = [], threading.Event()

        def write(worker):
            for i in range(1000):
                key = f"{worker}-{i}"
                try:
                    s3.put_object(Bucket=bucket, Key=key, Body=b"x")
                except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
                    return
                acknowledged.append(key)
                if len(acknowledged) > 100:
                    written.set()
        writers = [threading.Thread(target=write, args=(w,)) for w in range(4)]
        for w in writers:
            w.start()
        assert written.wait(120)
        platform.restart(signal.SIGKILL)
        for w in writers:
            w.join()
        told = set()

        def all_told():
            for m in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", []):
                told.update(r["s3"]["object"]["key"] for r in json.loads(m["Body"]).get("Records", []))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
            return told >= set(acknowledged)
        eventually(all_told)
