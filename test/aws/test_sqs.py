"""SQS as its clients use it: boto3, forms of the query protocol, the AWS CLI and the JavaScript SDK."""
import concurrent.futures
import hashlib
import json
import signal
import subprocess
import sys
import xml.etree.ElementTree

import pytest
import requests
from botocore.exceptions import ClientError

from cirro import Cirro
from conftest import eventually, make_client, unique
import javascript

FORM = {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=x"}


@pytest.fixture
def sqs(client):
    return client("sqs")


@pytest.fixture
def queue(sqs):
    """queue(attribute=value, …) makes a queue and returns its URL; a name that ends in .fifo makes a FIFO one."""
    def make(name=None, **attributes):
        name = name or unique("q")
        if name.endswith(".fifo"):
            attributes["FifoQueue"] = "true"
        return sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return make


def arn(sqs, url):
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def receive(sqs, url, **kw):
    return sqs.receive_message(QueueUrl=url, **{"MaxNumberOfMessages": 10, "WaitTimeSeconds": 20, **kw}).get("Messages", [])


def test_message_goes_through(sqs, queue):
    url = queue()
    sent = sqs.send_message(  # boto3 compares the body's MD5
        QueueUrl=url, MessageBody="grüße \U0001F600", MessageAttributes={
            "text": {"DataType": "String", "StringValue": "v"}, "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
            "number": {"DataType": "Number", "StringValue": "1.5"}})
    [m] = receive(sqs, url, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"])
    assert m["Body"] == "grüße \U0001F600" and m["MessageId"] == sent["MessageId"]
    assert m["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert m["MessageAttributes"]["bytes"]["BinaryValue"] == b"\x00\xff"
    assert m["Attributes"]["ApproximateReceiveCount"] == "1"
    sqs.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
    assert "Messages" not in sqs.receive_message(QueueUrl=url)


def test_queue_urls(sqs, queue, endpoint):
    name = unique("q")
    url = queue(name)
    assert url == f"{endpoint}/000000000000/{name}"
    assert sqs.get_queue_url(QueueName=name)["QueueUrl"] == url
    for address in url, name, f"https://sqs.us-east-1.amazonaws.com/000000000000/{name}":
        sqs.send_message(QueueUrl=address, MessageBody="m")
    assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]["ApproximateNumberOfMessages"] == "3"
    assert url in sqs.list_queues(QueueNamePrefix=name)["QueueUrls"]
    sqs.delete_queue(QueueUrl=url)
    with pytest.raises(sqs.exceptions.QueueDoesNotExist) as e:
        sqs.send_message(QueueUrl=url, MessageBody="m")
    assert e.value.response["Error"] == {"Code": "AWS.SimpleQueueService.NonExistentQueue", "Type": "Sender",
                                         "Message": "The specified queue does not exist.", "QueryErrorCode": "QueueDoesNotExist"}


def test_accounts_and_regions_are_apart(client, queue):
    name = unique("q")
    queue(name)
    for kw in {"region_name": "eu-west-1"}, {"aws_access_key_id": "111122223333"}:
        with pytest.raises(ClientError, match="NonExistentQueue"):
            client("sqs", **kw).get_queue_url(QueueName=name)


def test_errors_have_both_codes(sqs, queue):
    url = queue()
    with pytest.raises(ClientError) as e:
        sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=11)
    assert e.value.response["Error"] == {
        "Code": "InvalidParameterValue", "QueryErrorCode": "InvalidParameterValueException", "Type": "Sender",
        "Message": "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."}
    with pytest.raises(sqs.exceptions.QueueNameExists, match="QueueAlreadyExists"):
        queue(url.rsplit("/", 1)[1], DelaySeconds="7")
    with pytest.raises(sqs.exceptions.InvalidMessageContents):
        sqs.send_message(QueueUrl=url, MessageBody="\x0b")
    with pytest.raises(sqs.exceptions.ReceiptHandleIsInvalid):
        sqs.delete_message(QueueUrl=url, ReceiptHandle="nonsense")


def test_large_messages(sqs, queue):
    url = queue()
    body = "x" * (1 << 20)
    sqs.send_message(QueueUrl=url, MessageBody=body)
    assert receive(sqs, url)[0]["Body"] == body
    with pytest.raises(ClientError, match="Message must be shorter than 1048576 bytes."):
        sqs.send_message(QueueUrl=url, MessageBody=body + "x")


def test_long_poll_wakes_at_once(sqs, queue):
    url = queue()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        polls = [pool.submit(receive, sqs, url, MaxNumberOfMessages=1) for _ in range(4)]
        sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(i), "MessageBody": str(i)} for i in range(4)])
        assert sorted(p.result()[0]["Body"] for p in polls) == ["0", "1", "2", "3"]


def test_delayed_message_comes_later(sqs, queue):
    url = queue()
    sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=1)
    assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]["ApproximateNumberOfMessagesDelayed"] == "1"
    assert receive(sqs, url)[0]["Body"] == "later"


def test_message_comes_again_unless_deleted(sqs, queue):
    url = queue(VisibilityTimeout="1")
    sqs.send_message(QueueUrl=url, MessageBody="m")
    [first] = receive(sqs, url)
    [second] = receive(sqs, url, VisibilityTimeout=60, AttributeNames=["ApproximateReceiveCount"])
    assert first["MessageId"] == second["MessageId"] and second["Attributes"] == {"ApproximateReceiveCount": "2"}
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=second["ReceiptHandle"], VisibilityTimeout=0)
    assert receive(sqs, url)[0]["MessageId"] == first["MessageId"]


def test_fifo_keeps_order_by_group(sqs, queue):
    url = queue(unique() + ".fifo", ContentBasedDeduplication="true")
    numbers = []
    for i in range(6):
        sent = sqs.send_message(QueueUrl=url, MessageBody=str(i), MessageGroupId=f"g{i % 2}")
        again = sqs.send_message(QueueUrl=url, MessageBody=str(i), MessageGroupId=f"g{i % 2}")
        assert (again["MessageId"], again["SequenceNumber"]) == (sent["MessageId"], sent["SequenceNumber"])
        numbers.append(sent["SequenceNumber"])
    assert numbers == sorted(numbers)
    [m] = receive(sqs, url, MaxNumberOfMessages=1, AttributeNames=["All"])
    assert m["Body"] == "0" and m["Attributes"]["SequenceNumber"] == numbers[0] and m["Attributes"]["MessageGroupId"] == "g0"
    assert [m["Body"] for m in receive(sqs, url)] == ["1", "3", "5"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
    assert [m["Body"] for m in receive(sqs, url)] == ["2", "4"]


def test_dead_letters_and_back(sqs, queue):
    dead = queue()
    url = queue(RedrivePolicy=json.dumps({"deadLetterTargetArn": arn(sqs, dead), "maxReceiveCount": 1}))
    sqs.send_message(QueueUrl=url, MessageBody="m")
    receive(sqs, url, VisibilityTimeout=0)
    eventually(lambda: not receive(sqs, url, WaitTimeSeconds=0) and sqs.get_queue_attributes(
        QueueUrl=dead, AttributeNames=["All"])["Attributes"]["ApproximateNumberOfMessages"] == "1")
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [url]
    task = sqs.start_message_move_task(SourceArn=arn(sqs, dead))
    assert task["TaskHandle"]
    assert receive(sqs, url)[0]["Body"] == "m"
    moved = eventually(lambda: [t for t in sqs.list_message_move_tasks(SourceArn=arn(sqs, dead))["Results"] if t["Status"] == "COMPLETED"])
    assert moved[0]["ApproximateNumberOfMessagesMoved"] == 1


def test_permissions_and_tags(sqs, queue):
    url = queue()
    sqs.add_permission(QueueUrl=url, Label="share", AWSAccountIds=["111122223333"], Actions=["SendMessage"])
    policy = json.loads(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"])
    assert policy["Statement"][0]["Action"] == "SQS:SendMessage"
    sqs.remove_permission(QueueUrl=url, Label="share")
    assert not sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]).get("Attributes")
    sqs.tag_queue(QueueUrl=url, Tags={"a": "1", "b": "2"})
    sqs.untag_queue(QueueUrl=url, TagKeys=["a"])
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"b": "2"}


def test_what_was_acknowledged_survives_a_crash(tmp_path):
    with Cirro(tmp_path) as platform:
        sqs = make_client(platform.url, "sqs")
        url = sqs.create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true", "VisibilityTimeout": "3600"})["QueueUrl"]
        sent = [sqs.send_message(QueueUrl=url, MessageBody=str(i), MessageGroupId="g", MessageDeduplicationId=str(i)) for i in range(3)]
        [m] = receive(sqs, url, MaxNumberOfMessages=1)
        sqs.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
        platform.restart(signal.SIGKILL)
        again = sqs.send_message(QueueUrl=url, MessageBody="1", MessageGroupId="g", MessageDeduplicationId="1")
        assert (again["MessageId"], again["SequenceNumber"]) == (sent[1]["MessageId"], sent[1]["SequenceNumber"])
        got = receive(sqs, url, AttributeNames=["SequenceNumber"])
        assert [m["Body"] for m in got] == ["1", "2"]
        assert [m["Attributes"]["SequenceNumber"] for m in got] == [s["SequenceNumber"] for s in sent[1:]]
        platform.restart()  # the handles hold, and what is in flight stays so
        assert not receive(sqs, url, WaitTimeSeconds=0)
        done = sqs.delete_message_batch(QueueUrl=url, Entries=[{"Id": m["Body"], "ReceiptHandle": m["ReceiptHandle"]} for m in got])
        assert len(done["Successful"]) == 2


def test_a_stop_does_not_wait_for_long_polls(tmp_path):
    with Cirro(tmp_path) as platform, concurrent.futures.ThreadPoolExecutor() as pool:
        sqs = make_client(platform.url, "sqs")
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        polls = [pool.submit(receive, sqs, url) for _ in range(3)]
        eventually(lambda: all(p.running() for p in polls))
        assert platform.stop() == 0
        for p in polls:
            assert p.exception() or p.result() == []


# The query protocol, by hand: AWS's clients have left it, others have not.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-xml.html

def texts(reply, name):
    root = xml.etree.ElementTree.fromstring(reply.text)
    assert root.tag.startswith("{http://queue.amazonaws.com/doc/2012-11-05/}"), root.tag
    return [e.text for e in root.iter() if e.tag.rsplit("}")[-1] == name]


def form(url, action, headers=FORM, **parameters):
    return requests.post(url, data={"Action": action, "Version": "2012-11-05", **parameters}, headers=headers, timeout=60)


def test_query_protocol(endpoint):
    name = unique("q")
    made = form(endpoint + "/", "CreateQueue", **{"QueueName": name, "Attribute.1.Name": "VisibilityTimeout", "Attribute.1.Value": "77",
                                                  "Tag.1.Key": "k", "Tag.1.Value": "v"})
    assert made.status_code == 200, made.text
    [url] = texts(made, "QueueUrl")
    sent = form(url, "SendMessage", **{"MessageBody": "a&b<c", "MessageAttribute.1.Name": "n", "MessageAttribute.1.Value.DataType": "String",
                                       "MessageAttribute.1.Value.StringValue": "v"})
    assert texts(sent, "MD5OfMessageBody") == [hashlib.md5(b"a&b<c").hexdigest()]
    got = form(url, "ReceiveMessage", **{"AttributeName.1": "All", "MessageAttributeName.1": "All", "WaitTimeSeconds": "20"})
    assert texts(got, "Body") == ["a&b<c"] and texts(got, "StringValue") == ["v"]
    assert "ApproximateReceiveCount" in texts(got, "Name")
    [handle] = texts(got, "ReceiptHandle")
    assert form(url, "ChangeMessageVisibility", ReceiptHandle=handle, VisibilityTimeout="30").status_code == 200
    deleted = form(endpoint, "DeleteMessage", QueueUrl=url, ReceiptHandle=handle)
    assert deleted.status_code == 200 and texts(deleted, "RequestId")
    batch = form(url, "SendMessageBatch", **{"SendMessageBatchRequestEntry.1.Id": "x", "SendMessageBatchRequestEntry.1.MessageBody": "1",
                                             "SendMessageBatchRequestEntry.2.Id": "y", "SendMessageBatchRequestEntry.2.MessageBody": "\x0b"})
    assert texts(batch, "Id") == ["x", "y"] and texts(batch, "Code") == ["InvalidMessageContents"]
    got = form(url, "ReceiveMessage", WaitTimeSeconds="20")
    done = form(url, "DeleteMessageBatch", **{"DeleteMessageBatchRequestEntry.1.Id": "x",
                                              "DeleteMessageBatchRequestEntry.1.ReceiptHandle": texts(got, "ReceiptHandle")[0]})
    assert texts(done, "Id") == ["x"]
    attributes = form(url, "GetQueueAttributes", **{"AttributeName.1": "VisibilityTimeout"})
    assert texts(attributes, "Name") == ["VisibilityTimeout"] and texts(attributes, "Value") == ["77"]
    assert texts(form(url, "ListQueueTags"), "Key") == ["k"]
    assert form(url, "SetQueueAttributes", **{"Attribute.Name": "DelaySeconds", "Attribute.Value": "0"}).status_code == 200
    assert url in texts(form(endpoint, "ListQueues", QueueNamePrefix=name), "QueueUrl")
    assert texts(requests.get(url, params={"Action": "GetQueueAttributes", "Version": "2012-11-05", "AttributeName.1": "QueueArn"},
                              headers=FORM, timeout=60), "Value") == [f"arn:aws:sqs:us-east-1:000000000000:{name}"]
    assert form(url, "DeleteQueue").status_code == 200
    gone = form(url, "SendMessage", MessageBody="m")
    assert gone.status_code == 400 and texts(gone, "Code") == ["AWS.SimpleQueueService.NonExistentQueue"] and texts(gone, "Type") == ["Sender"]


def aws(endpoint, *args):
    """Run the AWS CLI and return what it prints."""
    env = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    done = subprocess.run([sys.executable, "-m", "awscli", "--endpoint-url", endpoint, *args], capture_output=True, text=True, env=env, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else None


def test_aws_cli(endpoint):
    name = unique("q")
    url = aws(endpoint, "sqs", "create-queue", "--queue-name", name, "--attributes", "VisibilityTimeout=9")["QueueUrl"]
    sent = aws(endpoint, "sqs", "send-message", "--queue-url", url, "--message-body", "from the CLI", "--message-attributes",
               '{"n": {"DataType": "Number", "StringValue": "1"}}')
    got = aws(endpoint, "sqs", "receive-message", "--queue-url", url, "--wait-time-seconds", "20", "--message-attribute-names", "All")["Messages"][0]
    assert got["Body"] == "from the CLI" and got["MessageId"] == sent["MessageId"] and got["MessageAttributes"]["n"]["StringValue"] == "1"
    aws(endpoint, "sqs", "delete-message", "--queue-url", url, "--receipt-handle", got["ReceiptHandle"])
    attributes = aws(endpoint, "sqs", "get-queue-attributes", "--queue-url", url, "--attribute-names", "All")["Attributes"]
    assert attributes["VisibilityTimeout"] == "9" and attributes["ApproximateNumberOfMessagesNotVisible"] == "0"


SCRIPT = """
const { SQSClient, CreateQueueCommand, SendMessageCommand, SendMessageBatchCommand, ReceiveMessageCommand, DeleteMessageCommand,
        QueueDoesNotExist, GetQueueUrlCommand } = require("@aws-sdk/client-sqs");
(async () => {
  const sqs = new SQSClient({});
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: process.argv[2], Attributes: { FifoQueue: "true" } }));
  // The SDK compares the MD5 of what it sent and of what it received.
  await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: "from JavaScript", MessageGroupId: "g", MessageDeduplicationId: "1",
    MessageAttributes: { b: { DataType: "Binary", BinaryValue: Uint8Array.of(1, 2) } } }));
  const batch = await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries: [
    { Id: "x", MessageBody: "second", MessageGroupId: "g", MessageDeduplicationId: "2" }] }));
  const { Messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 20,
    MessageAttributeNames: ["All"], MessageSystemAttributeNames: ["All"] }));
  for (const m of Messages) await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: m.ReceiptHandle }));
  let missing;
  try { await sqs.send(new GetQueueUrlCommand({ QueueName: "none" })); } catch (e) { missing = e instanceof QueueDoesNotExist; }
  console.log(JSON.stringify({ bodies: Messages.map(m => m.Body), binary: [...Messages[0].MessageAttributes.b.BinaryValue],
    group: Messages[0].Attributes.MessageGroupId, sent: batch.Successful.map(s => s.Id), missing }));
})().catch(e => { console.error(e); process.exit(1); });
"""


def test_javascript_sdk(endpoint):
    assert javascript.run(endpoint, SCRIPT, unique() + ".fifo") == {
        "bodies": ["from JavaScript", "second"], "binary": [1, 2], "group": "g", "sent": ["x"], "missing": True}
