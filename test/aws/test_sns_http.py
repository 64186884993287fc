"""SNS's HTTP subscriptions, with a server that checks what it is sent as AWS's documentation says."""
import base64
import http.server
import json
import queue
import subprocess
import threading
import urllib.error
import urllib.request

import pytest

from cirro import Cirro
from conftest import eventually, make_client, unique


class Endpoint:
    """An HTTP endpoint. It answers with the statuses it is told, then with 200, and keeps what it was sent."""

    def __init__(self):
        self.requests, self.statuses = queue.Queue(), queue.Queue()
        endpoint = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                try:
                    status = endpoint.statuses.get_nowait()
                except queue.Empty:
                    status = 200
                endpoint.requests.put((dict(self.headers), body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/path"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def next(self, kind=None):
        headers, body = self.requests.get(timeout=120)
        if kind:
            assert headers["X-Amz-Sns-Message-Type"] == kind
        return headers, body


@pytest.fixture
def http_endpoint():
    e = Endpoint()
    yield e
    e.server.shutdown()


@pytest.fixture
def sns(client):
    return client("sns")


@pytest.fixture
def topic(sns):
    return sns.create_topic(Name=unique("topic"))["TopicArn"]


def get(url):
    with urllib.request.urlopen(url, timeout=60) as r:
        return r.read().decode()


def verify(message, tmp_path):
    """https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html, with openssl."""
    names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    if message["Type"] != "Notification":
        names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{n}\n{message[n]}\n" for n in names if n in message)
    (tmp_path / "text").write_text(text)
    (tmp_path / "signature").write_bytes(base64.b64decode(message["Signature"]))
    (tmp_path / "cert.pem").write_text(get(message["SigningCertURL"]))
    key = subprocess.run(["openssl", "x509", "-in", tmp_path / "cert.pem", "-pubkey", "-noout"], check=True, capture_output=True).stdout
    (tmp_path / "key.pem").write_bytes(key)
    digest = {"1": "-sha1", "2": "-sha256"}[message["SignatureVersion"]]
    subprocess.run(["openssl", "dgst", digest, "-verify", tmp_path / "key.pem", "-signature", tmp_path / "signature", tmp_path / "text"],
                   check=True, capture_output=True)


def subscribe(sns, topic, http_endpoint, **attributes):
    """A confirmed subscription."""
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=http_endpoint.url, Attributes=attributes)
    _, body = http_endpoint.next("SubscriptionConfirmation")
    return sns.confirm_subscription(TopicArn=topic, Token=json.loads(body)["Token"])["SubscriptionArn"]


@pytest.mark.parametrize("version", ["1", "2"])
def test_confirmation_signature_and_end(sns, topic, http_endpoint, tmp_path, version):
    sns.set_topic_attributes(TopicArn=topic, AttributeName="SignatureVersion", AttributeValue=version)
    assert sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=http_endpoint.url)["SubscriptionArn"] == "pending confirmation"
    sns.publish(TopicArn=topic, Message="before the confirmation")
    headers, body = http_endpoint.next("SubscriptionConfirmation")
    asked = json.loads(body)
    assert headers["Content-Type"] == "text/plain; charset=UTF-8"
    assert headers["User-Agent"] == "Amazon Simple Notification Service Agent"
    assert headers["X-Amz-Sns-Topic-Arn"] == topic and headers["X-Amz-Sns-Message-Id"] == asked["MessageId"]
    assert asked["Message"] == f"You have chosen to subscribe to the topic {topic}.\nTo confirm the subscription, visit the SubscribeURL included in this message."
    verify(asked, tmp_path)
    answer = get(asked["SubscribeURL"])
    sub = answer.split("<SubscriptionArn>")[1].split("</SubscriptionArn>")[0]
    assert "ConfirmSubscriptionResponse" in answer and sub.startswith(topic + ":")
    attributes = sns.get_subscription_attributes(SubscriptionArn=sub)["Attributes"]
    assert (attributes["PendingConfirmation"], attributes["ConfirmationWasAuthenticated"]) == ("false", "false")
    assert json.loads(attributes["EffectiveDeliveryPolicy"])["healthyRetryPolicy"]["numRetries"] == 3

    sns.publish(TopicArn=topic, Message="text", Subject="About")
    headers, body = http_endpoint.next("Notification")
    assert headers["X-Amz-Sns-Subscription-Arn"] == sub
    told = json.loads(body)
    assert (told["Message"], told["Subject"], told["SignatureVersion"]) == ("text", "About", version)
    verify(told, tmp_path)

    assert "UnsubscribeResponse" in get(told["UnsubscribeURL"])
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []
    _, body = http_endpoint.next("UnsubscribeConfirmation")
    ended = json.loads(body)
    verify(ended, tmp_path)
    get(ended["SubscribeURL"])  # brings it back
    assert sns.get_subscription_attributes(SubscriptionArn=sub)["Attributes"]["PendingConfirmation"] == "false"


def test_end_may_need_credentials(sns, topic, http_endpoint):
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=http_endpoint.url)
    token = json.loads(http_endpoint.next()[1])["Token"]
    sub = sns.confirm_subscription(TopicArn=topic, Token=token, AuthenticateOnUnsubscribe="true")["SubscriptionArn"]
    sns.publish(TopicArn=topic, Message="m")
    with pytest.raises(urllib.error.HTTPError) as e:
        get(json.loads(http_endpoint.next()[1])["UnsubscribeURL"])
    assert e.value.code == 403 and "<Code>AuthorizationError</Code>" in e.value.read().decode()
    sns.unsubscribe(SubscriptionArn=sub)
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []


def test_raw_delivery(sns, topic, http_endpoint):
    subscribe(sns, topic, http_endpoint, RawMessageDelivery="true",
              DeliveryPolicy=json.dumps({"requestPolicy": {"headerContentType": "application/json"}}))
    sns.publish(TopicArn=topic, Message='{"raw": true}', MessageAttributes={"a": {"DataType": "String", "StringValue": "v"}})
    headers, body = http_endpoint.next("Notification")
    assert body == '{"raw": true}'
    assert headers["X-Amz-Sns-Rawdelivery"] == "true" and headers["Content-Type"] == "application/json"


def test_retries_and_dead_letters(sns, topic, http_endpoint, client):
    sqs = client("sqs")
    name = unique("dead")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    subscribe(sns, topic, http_endpoint, RedrivePolicy=json.dumps({"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:000000000000:{name}"}),
              DeliveryPolicy=json.dumps({"healthyRetryPolicy": {"numRetries": 2, "numNoDelayRetries": 1, "minDelayTarget": 1, "maxDelayTarget": 1}}))

    def dead():
        page = eventually(lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"))
        sqs.delete_message(QueueUrl=url, ReceiptHandle=page[0]["ReceiptHandle"])
        return json.loads(page[0]["Body"])["Message"]
    for status in 500, 429:  # twice, then it succeeds
        http_endpoint.statuses.put(status)
    sns.publish(TopicArn=topic, Message="twice")
    assert [json.loads(http_endpoint.next()[1])["Message"] for _ in range(3)] == ["twice"] * 3
    for status in 500, 502, 503:  # as often as there are attempts
        http_endpoint.statuses.put(status)
    sns.publish(TopicArn=topic, Message="always")
    assert dead() == "always"
    assert [json.loads(http_endpoint.next()[1])["Message"] for _ in range(3)] == ["always"] * 3
    http_endpoint.statuses.put(404)  # the endpoint's word is final
    sns.publish(TopicArn=topic, Message="wrong")
    assert dead() == "wrong"
    assert json.loads(http_endpoint.next()[1])["Message"] == "wrong"
    assert http_endpoint.requests.empty()


def test_pace(sns, topic, http_endpoint):
    sub = subscribe(sns, topic, http_endpoint, DeliveryPolicy=json.dumps({"throttlePolicy": {"maxReceivesPerSecond": 5}}))
    attributes = sns.get_subscription_attributes(SubscriptionArn=sub)["Attributes"]
    assert json.loads(attributes["EffectiveDeliveryPolicy"])["throttlePolicy"] == {"maxReceivesPerSecond": 5}
    sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=[{"Id": str(i), "Message": str(i)} for i in range(10)])
    assert sorted(json.loads(http_endpoint.next("Notification")[1])["Message"] for _ in range(10)) == [str(i) for i in range(10)]


def test_endpoint_must_fit(sns, topic):
    with pytest.raises(sns.exceptions.InvalidParameterException) as e:
        sns.subscribe(TopicArn=topic, Protocol="https", Endpoint="http://127.0.0.1/x")
    assert e.value.response["Error"]["Message"] == "Invalid parameter: Endpoint must match the specified protocol"
    with pytest.raises(sns.exceptions.InvalidParameterException):
        sns.set_topic_attributes(TopicArn=topic, AttributeName="DeliveryPolicy",
                                 AttributeValue=json.dumps({"http": {"defaultHealthyRetryPolicy": {"numRetries": 101}}}))


def test_links_need_no_credentials(tmp_path, http_endpoint):
    keys = {"CIRRO_ROOT_ACCESS_KEY_ID": "AKIDROOT", "CIRRO_ROOT_SECRET_ACCESS_KEY": "secret"}
    with Cirro(tmp_path, "--auth", env=keys) as platform:
        sns = make_client(platform.url, "sns", aws_access_key_id="AKIDROOT", aws_secret_access_key="secret")
        topic = sns.create_topic(Name="t")["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=http_endpoint.url)
        asked = json.loads(http_endpoint.next("SubscriptionConfirmation")[1])
        verify(asked, tmp_path)
        assert "ConfirmSubscriptionResponse" in get(asked["SubscribeURL"])
        sns.publish(TopicArn=topic, Message="m")
        assert "UnsubscribeResponse" in get(json.loads(http_endpoint.next("Notification")[1])["UnsubscribeURL"])
        with pytest.raises(urllib.error.HTTPError) as e:
            get(f"{platform.url}/?Action=DeleteTopic&Version=2010-03-31&TopicArn={topic}")
        assert e.value.code == 403
        assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["SubscriptionsDeleted"] == "1"
