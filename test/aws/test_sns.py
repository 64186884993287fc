"""SNS as a user of boto3 meets it: topics, subscriptions, and what reaches queues and functions."""
import json
import re
import signal
import subprocess
import sys
import threading

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from cirro import Cirro
from conftest import eventually, make_client, unique

ACCOUNT = "000000000000"


@pytest.fixture
def sns(client):
    return client("sns")


@pytest.fixture
def sqs(client):
    return client("sqs")


@pytest.fixture
def topic(sns):
    return sns.create_topic(Name=unique("topic"))["TopicArn"]


@pytest.fixture
def fifo_topic(sns):
    return sns.create_topic(Name=unique("topic") + ".fifo", Attributes={
        "FifoTopic": "true", "ContentBasedDeduplication": "true"})["TopicArn"]


@pytest.fixture
def queue(sqs):
    """queue() makes a queue and returns its URL and ARN."""
    def make(fifo=False, **attributes):
        name = unique("queue") + (".fifo" if fifo else "")
        if fifo:
            attributes["FifoQueue"] = "true"
        url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return url, f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"
    return make


def receive(sqs, url, n=1):
    """The next n messages of a queue, which it then no longer has."""
    got = []

    def more():
        page = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1,
                                   MessageAttributeNames=["All"], AttributeNames=["All"]).get("Messages", [])
        for m in page:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
        got.extend(page)
        return len(got) >= n
    eventually(more)
    assert len(got) == n
    return got


def nothing(sqs, url):
    assert "Messages" not in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)


def refused(code, message, call, **kw):
    with pytest.raises(ClientError) as e:
        call(**kw)
    assert (e.value.response["Error"]["Code"], e.value.response["Error"]["Message"]) == (code, message)


def test_topic(sns):
    name = unique("topic")
    arn = sns.create_topic(Name=name, Attributes={"DisplayName": "Orders"}, Tags=[{"Key": "k", "Value": "v"}])["TopicArn"]
    assert arn == f"arn:aws:sns:us-east-1:{ACCOUNT}:{name}"
    assert sns.create_topic(Name=name)["TopicArn"] == arn
    refused("InvalidParameter", "Invalid parameter: Attributes Reason: Topic already exists with different attributes",
            sns.create_topic, Name=name, Attributes={"DisplayName": "Other"})
    refused("InvalidParameter", "Invalid parameter: Tags Reason: Topic already exists with different tags",
            sns.create_topic, Name=name, Tags=[{"Key": "k", "Value": "v"}, {"Key": "k2", "Value": "v"}])
    refused("InvalidParameter", "Invalid parameter: Topic Name", sns.create_topic, Name="a b")
    refused("InvalidParameter", "Invalid parameter: Topic Name", sns.create_topic, Name="a.fifo")
    a = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    policy = json.loads(a.pop("Policy"))
    assert policy["Statement"][0]["Resource"] == arn and policy["Id"] == "__default_policy_ID"
    assert json.loads(a.pop("EffectiveDeliveryPolicy")) == {"http": {
        "defaultHealthyRetryPolicy": {"minDelayTarget": 20, "maxDelayTarget": 20, "numRetries": 3, "numMaxDelayRetries": 0,
                                      "numNoDelayRetries": 0, "numMinDelayRetries": 0, "backoffFunction": "linear"},
        "disableSubscriptionOverrides": False, "defaultRequestPolicy": {"headerContentType": "text/plain; charset=UTF-8"}}}
    assert a == {"DisplayName": "Orders", "Owner": ACCOUNT, "SubscriptionsConfirmed": "0", "SubscriptionsDeleted": "0",
                 "SubscriptionsPending": "0", "TopicArn": arn}
    sns.set_topic_attributes(TopicArn=arn, AttributeName="SignatureVersion", AttributeValue="2")
    assert sns.get_topic_attributes(TopicArn=arn)["Attributes"]["SignatureVersion"] == "2"
    refused("InvalidParameter", "Invalid parameter: AttributeName", sns.set_topic_attributes,
            TopicArn=arn, AttributeName="Nonsense", AttributeValue="1")
    assert arn in [t["TopicArn"] for p in sns.get_paginator("list_topics").paginate() for t in p["Topics"]]
    sns.delete_topic(TopicArn=arn)
    sns.delete_topic(TopicArn=arn)
    refused("NotFound", "Topic does not exist", sns.get_topic_attributes, TopicArn=arn)
    refused("InvalidParameter", "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1",
            sns.get_topic_attributes, TopicArn="nonsense")


def test_tags(sns, topic):
    refused("InvalidParameter", "Invalid parameter: Duplicated keys are not allowed.", sns.tag_resource,
            ResourceArn=topic, Tags=[{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}])
    sns.tag_resource(ResourceArn=topic, Tags=[{"Key": "k1", "Value": "v1"}, {"Key": "k2", "Value": "v2"}])
    sns.untag_resource(ResourceArn=topic, TagKeys=["k1"])
    sns.tag_resource(ResourceArn=topic, Tags=[{"Key": "k2", "Value": "v2b"}])
    assert sns.list_tags_for_resource(ResourceArn=topic)["Tags"] == [{"Key": "k2", "Value": "v2b"}]
    refused("ResourceNotFound", "Resource does not exist", sns.list_tags_for_resource, ResourceArn=topic + "x")


def test_permissions(sns, topic):
    sns.add_permission(TopicArn=topic, Label="other", AWSAccountId=["111122223333"], ActionName=["Publish"])
    refused("InvalidParameter", "Invalid parameter: Statement already exists", sns.add_permission,
            TopicArn=topic, Label="other", AWSAccountId=["111122223333"], ActionName=["Publish"])
    refused("InvalidParameter", "Invalid parameter: Policy statement action out of service scope!", sns.add_permission,
            TopicArn=topic, Label="another", AWSAccountId=["111122223333"], ActionName=["CreateTopic"])
    statements = json.loads(sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])["Statement"]
    assert statements[1] == {"Sid": "other", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
                             "Action": "SNS:Publish", "Resource": topic}
    sns.remove_permission(TopicArn=topic, Label="other")
    assert len(json.loads(sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])["Statement"]) == 1


def test_subscription(sns, topic, queue):
    _, arn = queue()
    wrong = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": arn}
    refused("InvalidParameter", "Invalid parameter: Attributes Reason: RawMessageDelivery: Invalid value [wrong]. Must be true or false.",
            sns.subscribe, **wrong, Attributes={"RawMessageDelivery": "wrong"})
    refused("InvalidParameter", "Invalid parameter: Amazon SNS does not support this protocol string: pigeon",
            sns.subscribe, TopicArn=topic, Protocol="pigeon", Endpoint="x")
    refused("InvalidParameter", "Invalid parameter: SQS endpoint ARN", sns.subscribe, TopicArn=topic, Protocol="sqs", Endpoint="http://x/y")
    refused("InvalidParameter", "Invalid parameter: Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics",
            sns.subscribe, TopicArn=topic, Protocol="sqs", Endpoint=arn + ".fifo")
    sub = sns.subscribe(**wrong, Attributes={"RawMessageDelivery": "true"})["SubscriptionArn"]
    assert re.fullmatch(re.escape(topic) + r":[0-9a-f-]{36}", sub)
    assert sns.subscribe(**wrong)["SubscriptionArn"] == sub
    refused("InvalidParameter", "Invalid parameter: Attributes Reason: Subscription already exists with different attributes",
            sns.subscribe, **wrong, Attributes={"RawMessageDelivery": "false"})
    assert sns.get_subscription_attributes(SubscriptionArn=sub)["Attributes"] == {
        "ConfirmationWasAuthenticated": "true", "Endpoint": arn, "Owner": ACCOUNT, "PendingConfirmation": "false",
        "Protocol": "sqs", "RawMessageDelivery": "true", "SubscriptionArn": sub, "TopicArn": topic,
        "SubscriptionPrincipal": f"arn:aws:iam::{ACCOUNT}:root"}
    listed = {"SubscriptionArn": sub, "Owner": ACCOUNT, "Protocol": "sqs", "Endpoint": arn, "TopicArn": topic}
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == [listed]
    assert listed in [s for p in sns.get_paginator("list_subscriptions").paginate() for s in p["Subscriptions"]]
    setting = {"SubscriptionArn": sub, "AttributeName": "RedrivePolicy"}
    refused("InvalidParameter", "Invalid parameter: RedrivePolicy: deadLetterTargetArn is an invalid arn",
            sns.set_subscription_attributes, **setting, AttributeValue='{"deadLetterTargetArn":"fake-arn"}')
    refused("InvalidParameter", "Invalid parameter: RedrivePolicy: failed to parse JSON. Unexpected character ('i' (code 105)): was expecting "
            "double-quote to start field name\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 2]",
            sns.set_subscription_attributes, **setting, AttributeValue="{invalidjson}")
    refused("InvalidParameter", "Invalid parameter: AttributeName", sns.set_subscription_attributes,
            SubscriptionArn=sub, AttributeName="Nonsense", AttributeValue="x")
    sns.unsubscribe(SubscriptionArn=sub)
    sns.unsubscribe(SubscriptionArn=sub)
    refused("NotFound", "Subscription does not exist", sns.get_subscription_attributes, SubscriptionArn=sub)
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["SubscriptionsDeleted"] == "1"


def test_queue_gets_the_envelope(sns, sqs, topic, queue, endpoint):
    url, arn = queue()
    sub = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]
    sent = sns.publish(TopicArn=topic, Message='ö§a1"_!?<&', Subject="About", MessageAttributes={
        "n": {"DataType": "Number", "StringValue": "99.12"}, "b": {"DataType": "Binary", "BinaryValue": b"\x02\x03\x04"}})
    m, = receive(sqs, url)
    e = json.loads(m["Body"])
    assert list(e) == ["Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp", "SignatureVersion", "Signature",
                       "SigningCertURL", "UnsubscribeURL", "MessageAttributes"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", e.pop("Timestamp"))
    assert len(e.pop("Signature")) == 344
    assert e.pop("SigningCertURL").startswith(endpoint + "/SimpleNotificationService-")
    assert e == {"Type": "Notification", "MessageId": sent["MessageId"], "TopicArn": topic, "Subject": "About", "Message": 'ö§a1"_!?<&',
                 "SignatureVersion": "1", "UnsubscribeURL": f"{endpoint}/?Action=Unsubscribe&SubscriptionArn={sub}",
                 "MessageAttributes": {"n": {"Type": "Number", "Value": "99.12"}, "b": {"Type": "Binary", "Value": "AgME"}}}
    assert m["Body"].startswith('{\n  "Type" : "Notification",\n  "MessageId" : "')
    assert m["Body"].endswith('"MessageAttributes" : {\n    "b" : {"Type":"Binary","Value":"AgME"},\n    "n" : {"Type":"Number","Value":"99.12"}\n  }\n}')


def test_raw_delivery(sns, sqs, topic, queue):
    url, arn = queue()
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    attributes = {"s": {"DataType": "String", "StringValue": "v"}, "b": {"DataType": "Binary", "BinaryValue": b"\x02\x03\x04"}}
    sns.publish(TopicArn=topic, Message="text", MessageAttributes=attributes)
    m, = receive(sqs, url)
    assert m["Body"] == "text" and m["MessageAttributes"] == attributes
    # More attributes than a queue takes: the message is dropped.
    sns.publish(TopicArn=topic, Message="lost", MessageAttributes={f"a{i}": {"DataType": "String", "StringValue": "v"} for i in range(11)})
    sns.publish(TopicArn=topic, Message="kept")
    assert receive(sqs, url)[0]["Body"] == "kept"


def test_publish_is_refused(sns, topic):
    bad = [({"Subject": ""}, "InvalidParameter", "Invalid parameter: Subject"),
           ({"Message": ""}, "InvalidParameter", "Invalid parameter: Empty message"),
           ({"Message": "x" * 262145}, "InvalidParameter", "Invalid parameter: Message too long"),
           ({"MessageStructure": "json"}, "InvalidParameter", "Invalid parameter: Message Structure - JSON message body failed to parse"),
           ({"MessageStructure": "json", "Message": '{"default": 1}'}, "InvalidParameter",
            "Invalid parameter: Message Structure - No default entry in JSON message body"),
           ({"MessageDeduplicationId": "x"}, "InvalidParameter", "Invalid parameter: MessageDeduplicationId Reason: The request includes "
            "MessageDeduplicationId parameter that is not valid for this topic type"),
           ({"TopicArn": topic + "x"}, "NotFound", "Topic does not exist"),
           ({"TopicArn": topic.replace("us-east-1", "eu-west-1")}, "InvalidParameter", "Invalid parameter: TopicArn")]
    for kw, code, message in bad:
        refused(code, message, sns.publish, **{"TopicArn": topic, "Message": "m", **kw})
    for name, value, message in [
            ("a", {"DataType": "String", "StringValue": ""}, "The message attribute 'a' must contain non-empty message attribute value for message attribute type 'String'."),
            ("a", {"DataType": "Number", "BinaryValue": b"x"}, "The message attribute 'a' with type 'Number' must use field 'String'."),
            ("a", {"DataType": "Text", "StringValue": "x"}, "The message attribute 'a' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String."),
            ("a^", {"DataType": "String", "StringValue": "x"}, "Invalid non-alphanumeric character '#x5E' was found in the message attribute name. Can only include alphanumeric characters, hyphens, underscores, or dots."),
            ("a..b", {"DataType": "String", "StringValue": "x"}, "Message attribute name can not have successive '.' character.")]:
        refused("ParameterValueInvalid", message, sns.publish, TopicArn=topic, Message="m", MessageAttributes={name: value})
    refused("NotImplemented", "Cirro does not implement SMS (PhoneNumber) of Amazon SNS", sns.publish, PhoneNumber="+491234567", Message="m")


def test_text_by_protocol(sns, sqs, topic, queue):
    url, arn = queue()
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    for message, want in ({"default": "d", "sqs": "q"}, "q"), ({"default": "d", "sqs": {"not": "text"}}, "d"):
        sns.publish(TopicArn=topic, Message=json.dumps(message), MessageStructure="json")
        assert receive(sqs, url)[0]["Body"] == want


def test_batch(sns, sqs, topic, queue):
    url, arn = queue()
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    done = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=[{"Id": str(i), "Message": f"m{i}"} for i in range(10)])
    assert [s["Id"] for s in done["Successful"]] == [str(i) for i in range(10)] and done["Failed"] == []
    assert sorted(m["Body"] for m in receive(sqs, url, 10)) == [f"m{i}" for i in range(10)]
    one = {"Id": "1", "Message": "m"}
    for entries, code, message in [
            ([one] * 2, "BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id."),
            ([{**one, "Id": str(i)} for i in range(11)], "TooManyEntriesInBatchRequest", "The batch request contains more entries than permissible."),
            ([{**one, "Id": "a b"}], "InvalidBatchEntryId", "The Id of a batch entry in a batch request doesn't abide by the specification."),
            ([{"Id": str(i), "Message": "x" * 200_000} for i in range(2)], "BatchRequestTooLong",
             "The length of all the messages put together is more than the limit."),
            ([{**one, "MessageStructure": "json"}], "InvalidParameter", "Invalid parameter: Message Structure - JSON message body failed to parse")]:
        refused(code, message, sns.publish_batch, TopicArn=topic, PublishBatchRequestEntries=entries)
    refused("NotFound", "Topic does not exist", sns.publish_batch, TopicArn=topic + "x", PublishBatchRequestEntries=[one])


def test_filters(sns, sqs, topic, queue):
    by_attribute, by_body = queue(), queue()
    sub = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=by_attribute[1], Attributes={
        "FilterPolicy": json.dumps({"price": [{"numeric": [">", 0, "<=", 100]}], "store": ["a", {"prefix": "b-"}]}),
        "RawMessageDelivery": "true"})["SubscriptionArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=by_body[1], Attributes={
        "FilterPolicy": json.dumps({"order": {"kind": ["new"]}}), "FilterPolicyScope": "MessageBody", "RawMessageDelivery": "true"})
    assert sns.get_subscription_attributes(SubscriptionArn=sub)["Attributes"]["FilterPolicyScope"] == "MessageAttributes"

    def publish(message, **attributes):
        sns.publish(TopicArn=topic, Message=message, MessageAttributes={
            k: {"DataType": t, "StringValue": v} for k, (t, v) in attributes.items()})
    publish("no attributes")
    publish("too dear", price=("Number", "101"), store=("String", "a"))
    publish("elsewhere", price=("Number", "1"), store=("String", "b"))
    publish('{"order": {"kind": "new"}}', price=("Number", "100"), store=("String.Array", '["c", "b-1"]'))
    for url, _ in by_attribute, by_body:
        assert receive(sqs, url)[0]["Body"] == '{"order": {"kind": "new"}}'
    refused("InvalidParameter", "Invalid parameter: Filter policy scope MessageAttributes does not support nested filter policy",
            sns.set_subscription_attributes, SubscriptionArn=sub, AttributeName="FilterPolicy", AttributeValue='{"a": {"b": ["c"]}}')
    refused("InvalidParameter", "Invalid parameter: FilterPolicyScope: Invalid value [Random]. Please use either MessageBody or MessageAttributes",
            sns.set_subscription_attributes, SubscriptionArn=sub, AttributeName="FilterPolicyScope", AttributeValue="Random")
    sns.set_subscription_attributes(SubscriptionArn=sub, AttributeName="FilterPolicy", AttributeValue="")
    assert "FilterPolicyScope" not in sns.get_subscription_attributes(SubscriptionArn=sub)["Attributes"]
    publish("everything")
    assert receive(sqs, by_attribute[0])[0]["Body"] == "everything"
    nothing(sqs, by_body[0])


def test_what_came_before_is_not_delivered(sns, sqs, topic, queue):
    url, arn = queue()
    sns.publish(TopicArn=topic, Message="before")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    sns.publish(TopicArn=topic, Message="after")
    assert receive(sqs, url)[0]["Body"] == "after"


def test_dead_letters(sns, sqs, topic, queue):
    (gone, gone_arn), (dead, dead_arn) = queue(), queue()
    sub = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=gone_arn, Attributes={
        "RedrivePolicy": json.dumps({"deadLetterTargetArn": dead_arn})})["SubscriptionArn"]
    sqs.delete_queue(QueueUrl=gone)
    sent = {"TopicArn": topic, "Message": "m", "MessageAttributes": {"a": {"DataType": "Number", "StringValue": "1"}}}
    sns.publish(**sent)
    m, = receive(sqs, dead)
    assert "MessageAttributes" not in m
    assert json.loads(m["Body"])["MessageAttributes"] == {"a": {"Type": "Number", "Value": "1"}}
    sns.set_subscription_attributes(SubscriptionArn=sub, AttributeName="RawMessageDelivery", AttributeValue="true")
    sns.publish(**sent)
    m, = receive(sqs, dead)
    assert m["Body"] == "m" and m["MessageAttributes"] == sent["MessageAttributes"]


def test_fifo(sns, sqs, fifo_topic, queue):
    url, arn = queue(fifo=True)
    plain, plain_arn = queue()
    refused("InvalidParameter", "Invalid parameter: The MessageGroupId parameter is required for FIFO topics",
            sns.publish, TopicArn=fifo_topic, Message="m")
    sns.subscribe(TopicArn=fifo_topic, Protocol="sqs", Endpoint=arn)
    sns.subscribe(TopicArn=fifo_topic, Protocol="sqs", Endpoint=plain_arn, Attributes={"RawMessageDelivery": "true"})
    sent = [sns.publish(TopicArn=fifo_topic, Message=f"m{i}", MessageGroupId=f"g{i % 3}") for i in range(30)]
    assert sorted(s["SequenceNumber"] for s in sent) == [s["SequenceNumber"] for s in sent] and len(sent[0]["SequenceNumber"]) == 20
    again = sns.publish(TopicArn=fifo_topic, Message="m0", MessageGroupId="g0")
    assert (again["MessageId"], again["SequenceNumber"]) == (sent[0]["MessageId"], sent[0]["SequenceNumber"])
    got = receive(sqs, url, 30)
    for group in range(3):
        assert [json.loads(m["Body"])["Message"] for m in got if m["Attributes"]["MessageGroupId"] == f"g{group}"] == [
            f"m{i}" for i in range(group, 30, 3)]
    e = json.loads(next(m["Body"] for m in got if json.loads(m["Body"])["Message"] == "m0"))
    assert list(e) == ["Type", "MessageId", "SequenceNumber", "TopicArn", "Message", "Timestamp", "UnsubscribeURL"]
    assert e["SequenceNumber"] == sent[0]["SequenceNumber"]
    assert len(receive(sqs, plain, 30)) == 30
    nothing(sqs, url)


def test_fifo_deduplication(sns, sqs, queue):
    topic = sns.create_topic(Name=unique("topic") + ".fifo", Attributes={"FifoTopic": "true", "FifoThroughputScope": "MessageGroup"})["TopicArn"]
    url, arn = queue(fifo=True, FifoThroughputLimit="perMessageGroupId", DeduplicationScope="messageGroup")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    refused("InvalidParameter", "Invalid parameter: The topic should either have ContentBasedDeduplication enabled or "
            "MessageDeduplicationId provided explicitly", sns.publish, TopicArn=topic, Message="m", MessageGroupId="g")
    for group, text in ("g", "first"), ("g", "repeated"), ("h", "of another group"):
        sns.publish(TopicArn=topic, Message=text, MessageGroupId=group, MessageDeduplicationId="same")
    assert sorted(m["Body"] for m in receive(sqs, url, 2)) == ["first", "of another group"]
    done = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=[
        {"Id": str(i), "Message": f"b{i}", "MessageGroupId": "g", "MessageDeduplicationId": f"b{i}"} for i in range(10)])["Successful"]
    assert [s["SequenceNumber"] for s in done] == sorted(s["SequenceNumber"] for s in done)
    assert [m["Body"] for m in receive(sqs, url, 10)] == [f"b{i}" for i in range(10)]


def test_function(sns, sqs, topic, queue, function, client):
    url, _ = queue()
    name = function(f"""
        import boto3, json
        def handler(event, context):
            boto3.client("sqs").send_message(QueueUrl="{url}", MessageBody=json.dumps(event))
        """)
    arn = client("lambda").get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    client("lambda").add_permission(FunctionName=name, StatementId="sns", Action="lambda:InvokeFunction",
                                    Principal="sns.amazonaws.com", SourceArn=topic)
    sub = sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)["SubscriptionArn"]
    sent = sns.publish(TopicArn=topic, Message="Hello", MessageAttributes={"a": {"DataType": "String", "StringValue": "v"}})
    record, = json.loads(receive(sqs, url)[0]["Body"])["Records"]
    assert list(record) == ["EventSource", "EventVersion", "EventSubscriptionArn", "Sns"]
    assert (record["EventSource"], record["EventVersion"], record["EventSubscriptionArn"]) == ("aws:sns", "1.0", sub)
    got = record["Sns"]
    assert list(got) == ["Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp", "SignatureVersion", "Signature",
                         "SigningCertUrl", "UnsubscribeUrl", "MessageAttributes"]
    assert (got["MessageId"], got["Subject"], got["Message"]) == (sent["MessageId"], None, "Hello")
    assert got["MessageAttributes"] == {"a": {"Type": "String", "Value": "v"}}


def test_function_that_refuses(sns, sqs, topic, queue):
    url, arn = queue()
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:none",
                  Attributes={"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn})})
    sns.publish(TopicArn=topic, Message="m")
    assert json.loads(receive(sqs, url)[0]["Body"])["Message"] == "m"


def test_queue_of_another_account_confirms(sns, topic, client):
    other = client("sqs", aws_access_key_id="111122223333")
    url = other.create_queue(QueueName=unique("queue"))["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:111122223333:{url.rsplit('/', 1)[1]}"
    assert sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"] == "pending confirmation"
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"][0]["SubscriptionArn"] == "PendingConfirmation"
    asked = json.loads(receive(other, url)[0]["Body"])
    assert list(asked) == ["Type", "MessageId", "Token", "TopicArn", "Message", "SubscribeURL", "Timestamp", "SignatureVersion",
                           "Signature", "SigningCertURL"]
    refused("InvalidParameter", "Invalid token", sns.confirm_subscription, TopicArn=topic, Token="random")
    refused("InvalidParameter", "Invalid parameter: Token", sns.confirm_subscription, TopicArn=topic, Token="51" * 144)
    sub = sns.confirm_subscription(TopicArn=topic, Token=asked["Token"])["SubscriptionArn"]
    assert sns.get_subscription_attributes(SubscriptionArn=sub)["Attributes"]["PendingConfirmation"] == "false"
    sns.publish(TopicArn=topic, Message="m")
    assert json.loads(receive(other, url)[0]["Body"])["Message"] == "m"


def test_what_is_not_there_is_refused(sns, topic):
    for call, kw in [(sns.create_platform_application, {"Name": "a", "Platform": "GCM", "Attributes": {"PlatformCredential": "x"}}),
                     (sns.list_phone_numbers_opted_out, {}), (sns.set_sms_attributes, {"attributes": {"DefaultSMSType": "Promotional"}}),
                     (sns.put_data_protection_policy, {"ResourceArn": topic, "DataProtectionPolicy": "{}"}),
                     (sns.subscribe, {"TopicArn": topic, "Protocol": "sms", "Endpoint": "+491234567"})]:
        with pytest.raises(ClientError) as e:
            call(**kw)
        assert e.value.response["Error"]["Code"] == "NotImplemented"


def test_mail_stays_unconfirmed(sns, topic):
    assert sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.com")["SubscriptionArn"] == "pending confirmation"
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["SubscriptionsPending"] == "1"


def test_published_messages_survive_a_crash(tmp_path):
    with Cirro(tmp_path) as platform:
        sns, sqs = make_client(platform.url, "sns"), make_client(platform.url, "sqs")
        topic = sns.create_topic(Name="t")["TopicArn"]
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:{ACCOUNT}:q", Attributes={"RawMessageDelivery": "true"})
        for i in range(20):
            sns.publish(TopicArn=topic, Message=f"m{i}")
        platform.restart(signal.SIGKILL)
        got = set()

        def all_there():
            for m in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", []):
                got.add(m["Body"])
            return got == {f"m{i}" for i in range(20)}
        eventually(all_there)


def test_crashes_while_many_publish(tmp_path):
    """What was acknowledged arrives, and in a FIFO queue once and in its group's order."""
    with Cirro(tmp_path) as platform:
        sns, sqs = make_client(platform.url, "sns"), make_client(platform.url, "sqs")
        queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:"
        plain = sns.create_topic(Name="t")["TopicArn"]
        fifo = sns.create_topic(Name="t.fifo", Attributes={"FifoTopic": "true", "ContentBasedDeduplication": "true"})["TopicArn"]
        urls = {}
        for topic, names in (plain, ["a", "b"]), (fifo, ["a.fifo", "b.fifo"]):
            for name in names:
                urls[name] = sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"} if topic == fifo else {})["QueueUrl"]
                sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue + name, Attributes={"RawMessageDelivery": "true"})
        taken = {plain: [], fifo: []}
        stop = threading.Event()

        def publish(topic, publisher):
            client, n = make_client(platform.url, "sns"), 0
            while not stop.is_set():
                text = f"{publisher} {n}"
                try:
                    client.publish(TopicArn=topic, Message=text, **({"MessageGroupId": str(publisher)} if topic == fifo else {}))
                except (BotoCoreError, ClientError):
                    stop.wait(0.05)
                    continue  # with the same text: it may have been taken
                taken[topic].append(text)
                n += 1
        publishers = [threading.Thread(target=publish, args=(topic, i)) for topic in taken for i in range(3)]
        for p in publishers:
            p.start()
        for rounds in range(1, 4):
            eventually(lambda: all(len(t) >= 30 * rounds for t in taken.values()))
            platform.restart(signal.SIGKILL)
        stop.set()
        for p in publishers:
            p.join()
        for name, url in urls.items():
            topic = fifo if name.endswith(".fifo") else plain
            got, wanted = [], set(taken[topic])

            def all_there():
                page = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
                for m in page:
                    got.append(m["Body"])
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
                return not page and wanted <= set(got)
            eventually(all_there)
            if topic == fifo:
                for i in range(3):
                    numbers = [int(m.split()[1]) for m in got if m.startswith(f"{i} ")]
                    assert numbers == list(range(len(numbers)))


def aws(endpoint, *args):
    """Run the AWS CLI and return what it prints."""
    env = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    done = subprocess.run([sys.executable, "-m", "awscli", "--endpoint-url", endpoint, *args], capture_output=True, text=True, env=env, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else None


def test_aws_cli(endpoint, sqs, queue):
    url, arn = queue()
    topic = aws(endpoint, "sns", "create-topic", "--name", unique("topic"), "--tags", "Key=k,Value=v")["TopicArn"]
    aws(endpoint, "sns", "subscribe", "--topic-arn", topic, "--protocol", "sqs", "--notification-endpoint", arn,
        "--attributes", '{"FilterPolicy": "{\\"n\\": [{\\"numeric\\": [\\">\\", 1]}]}"}')
    sent = aws(endpoint, "sns", "publish", "--topic-arn", topic, "--message", "from the CLI", "--message-attributes",
               '{"n": {"DataType": "Number", "StringValue": "2"}}')
    assert json.loads(receive(sqs, url)[0]["Body"])["MessageId"] == sent["MessageId"]
    assert aws(endpoint, "sns", "list-tags-for-resource", "--resource-arn", topic)["Tags"] == [{"Key": "k", "Value": "v"}]
    assert len(aws(endpoint, "sns", "list-subscriptions-by-topic", "--topic-arn", topic)["Subscriptions"]) == 1
