"""Invoking functions as users of boto3 and of HTTP do."""
import base64
import concurrent.futures
import json
import random
import re
import signal
import threading
import time

import boto3
import botocore.exceptions
import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cirro import Cirro
from conftest import ROLE, RUNTIME, eventually, make_client, package, unique

ECHO = '''
import json, os
def handler(event, context):
    print("got", json.dumps(event))
    return {"event": event, "id": context.aws_request_id, "arn": context.invoked_function_arn,
            "version": context.function_version, "trace": os.environ.get("_X_AMZN_TRACE_ID"),
            "client": context.client_context and context.client_context.custom}
'''


@pytest.fixture(scope="module")
def lam(client):
    return client("lambda")


@pytest.fixture(scope="module")
def echo(function):
    return function(ECHO)


@pytest.fixture(scope="module")
def logs_of(client):
    def messages(name):
        logs = client("logs")
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}")
        try:
            return [e["message"] for page in pages for e in page["events"]]
        except logs.exceptions.ResourceNotFoundException:
            return []  # the function has not run yet
    return messages


def error(call, **kw):
    with pytest.raises(botocore.exceptions.ClientError) as e:
        call(**kw)
    return e.value.response


def test_request_response(lam, echo):
    r = lam.invoke(FunctionName=echo, Payload=b'{"a": [1, null, "\xc3\xbc"]}', LogType="Tail",
                   ClientContext=base64.b64encode(b'{"custom": {"k": "v"}}').decode())
    out = json.loads(r["Payload"].read())
    assert (r["StatusCode"], r["ExecutedVersion"], "FunctionError" in r) == (200, "$LATEST", False)
    assert out["event"] == {"a": [1, None, "ü"]}
    assert out["id"] == r["ResponseMetadata"]["RequestId"]
    assert out["arn"] == f"arn:aws:lambda:us-east-1:000000000000:function:{echo}"
    assert out["version"] == "$LATEST"
    assert out["client"] == {"k": "v"}
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0;Lineage=1:[0-9a-f]{8}:0", out["trace"])
    tail = base64.b64decode(r["LogResult"]).decode()
    assert re.search(rf"^START RequestId: {out['id']} Version: \$LATEST\n", tail, re.M)
    assert "got " in tail and f"END RequestId: {out['id']}\n" in tail and f"REPORT RequestId: {out['id']}\tDuration: " in tail


def test_no_payload_is_an_empty_object(lam, echo):
    assert json.loads(lam.invoke(FunctionName=echo)["Payload"].read())["event"] == {}


def test_dry_run(lam, echo):
    r = lam.invoke(FunctionName=echo, InvocationType="DryRun")
    assert r["StatusCode"] == 204 and r["Payload"].read() == b""
    e = error(lam.invoke, FunctionName="none", InvocationType="DryRun")
    assert e["Error"]["Code"] == "ResourceNotFoundException"


def test_names_and_arns(lam, echo):
    for name in (echo, f"000000000000:{echo}", f"arn:aws:lambda:us-east-1:000000000000:function:{echo}", f"{echo}:$LATEST",
                 f"000000000000:function:{echo}"):
        assert lam.invoke(FunctionName=name)["StatusCode"] == 200, name


def test_unhandled_error(lam, function):
    name = function("def handler(e, c):\n    raise ValueError('no')\n")
    r = lam.invoke(FunctionName=name, LogType="Tail")
    out = json.loads(r["Payload"].read())
    assert (r["StatusCode"], r["FunctionError"]) == (200, "Unhandled")
    assert (out["errorType"], out["errorMessage"]) == ("ValueError", "no")
    assert out["requestId"] == r["ResponseMetadata"]["RequestId"] and "app.py" in out["stackTrace"][0]


@pytest.mark.parametrize("kw, code, message", [
    (dict(FunctionName="none"), "ResourceNotFoundException",
     "Function not found: arn:aws:lambda:us-east-1:000000000000:function:none:$LATEST"),
    (dict(Qualifier="9"), "ResourceNotFoundException", "Function not found: arn:aws:lambda:us-east-1:000000000000:function:{f}:9"),
    (dict(Payload=b"n\x87"), "InvalidRequestContentException",
     "Could not parse request body into json: Could not parse payload into json: Invalid UTF-8 start byte 0x87\n at [Source: "
     "REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 3]"),
    (dict(Payload=b"[" * 2000), "InvalidRequestContentException", "Document nesting depth (1001) exceeds the maximum allowed (1000"),
    (dict(ClientContext="%%"), "InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON object."),
    (dict(Payload=b'"' + b"x" * 6291455 + b'"'), "RequestEntityTooLargeException",
     "Request must be smaller than 6291456 bytes for the InvokeFunction operation"),
    (dict(Payload=b'"' + b"x" * 1048575 + b'"', InvocationType="Event"), "RequestEntityTooLargeException",
     "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)"),
    (dict(InvocationType="Soon"), "ValidationException", "Soon"),
])
def test_refused(lam, echo, kw, code, message):
    e = error(lam.invoke, **{"FunctionName": echo, **kw})
    assert e["Error"]["Code"] == code, e
    assert message.replace("{f}", echo) in e["Error"]["Message"]


def test_largest_payloads(lam, function):
    name = function("def handler(e, c):\n    return e['s'] * e['n']\n", MemorySize=512)
    r = lam.invoke(FunctionName=name, Payload=json.dumps({"s": "x" * (6291456 - 40), "n": 1}).encode())
    assert len(json.loads(r["Payload"].read())) == 6291416
    r = lam.invoke(FunctionName=name, Payload=json.dumps({"s": "x" * 1000, "n": 6300}).encode())
    assert r["FunctionError"] == "Unhandled"
    assert json.loads(r["Payload"].read()) == {
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        "errorType": "Function.ResponseSizeTooLarge"}
    assert lam.invoke(FunctionName=name, Payload=b'{"s": "x", "n": 1}')["Payload"].read() == b'"x"'


def test_versions_and_weighted_alias(lam, function):
    name = function("import os\ndef handler(e, c):\n    return os.environ['VALUE']\n", Environment={"Variables": {"VALUE": "one"}})
    ready = lam.get_waiter("function_updated_v2")
    lam.publish_version(FunctionName=name)
    lam.update_function_configuration(FunctionName=name, Environment={"Variables": {"VALUE": "two"}})
    ready.wait(FunctionName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 1200})
    assert lam.invoke(FunctionName=name)["Payload"].read() == b'"two"'
    lam.publish_version(FunctionName=name)
    for version in ("1", "2"):
        lam.get_waiter("published_version_active").wait(FunctionName=name, Qualifier=version, WaiterConfig={"Delay": 0.1, "MaxAttempts": 1200})
    alias = lam.create_alias(FunctionName=name, Name="live", FunctionVersion="1",
                             RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}})["AliasArn"]
    seen = {}
    for _ in range(60):
        r = lam.invoke(FunctionName=alias)
        seen.setdefault(r["ExecutedVersion"], set()).add(json.loads(r["Payload"].read()))
    assert seen == {"1": {"one"}, "2": {"two"}}
    lam.update_alias(FunctionName=name, Name="live", FunctionVersion="2", RoutingConfig={"AdditionalVersionWeights": {}})
    assert lam.invoke(FunctionName=name, Qualifier="live")["ExecutedVersion"] == "2"


def test_reserved_concurrency(lam, function):
    name = function("import time\ndef handler(e, c):\n    time.sleep(e['s'])\n    return 1\n", Timeout=10)
    lam.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=2)
    lam.invoke(FunctionName=name, Payload=b'{"s": 0}')

    def call(_):
        try:
            return lam.invoke(FunctionName=name, Payload=b'{"s": 1.5}')["StatusCode"]
        except lam.exceptions.TooManyRequestsException as e:
            return e.response["ResponseMetadata"]["HTTPStatusCode"], e.response["Reason"], e.response["Error"]["Message"]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(call, range(8)))
    assert 2 <= answers.count(200) < 8  # two at a time, and more than one after the other where the machine is busy
    assert set(answers) - {200} == {(429, "ReservedFunctionConcurrentInvocationLimitExceeded", "Rate Exceeded.")}
    lam.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    e = error(lam.invoke, FunctionName=name)
    assert e["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded" and e["Type"] == "User"
    lam.delete_function_concurrency(FunctionName=name)
    assert lam.invoke(FunctionName=name, Payload=b'{"s": 0}')["StatusCode"] == 200


def test_a_caller_that_leaves_does_not_end_the_function(lam, function, endpoint, logs_of):
    name = function("import time\ndef handler(e, c):\n    time.sleep(2)\n    print('to the end')\n", Timeout=10)
    impatient = make_client(endpoint, "lambda", config=boto3.session.Config(read_timeout=0.3, retries={"max_attempts": 0}))
    with pytest.raises(botocore.exceptions.ReadTimeoutError):
        impatient.invoke(FunctionName=name)
    eventually(lambda: any("to the end" in m for m in logs_of(name)))


def test_event(lam, echo, logs_of):
    r = lam.invoke(FunctionName=echo, InvocationType="Event", Payload=b'{"mark": "async-1"}')
    assert r["StatusCode"] == 202 and r["Payload"].read() == b"" and "ExecutedVersion" not in r
    request = r["ResponseMetadata"]["RequestId"]
    eventually(lambda: any("async-1" in m for m in logs_of(echo)))
    assert any(m.startswith(f"START RequestId: {request} ") for m in logs_of(echo))


def test_invoke_async(lam, echo, logs_of):
    r = lam.invoke_async(FunctionName=echo, InvokeArgs=b'{"mark": "async-2"}')
    assert r["Status"] == 202
    eventually(lambda: any("async-2" in m for m in logs_of(echo)))


def test_event_retries_with_one_request_id(lam, function, logs_of):
    name = function("def handler(e, c):\n    raise Exception('again')\n")
    request = lam.invoke(FunctionName=name, InvocationType="Event", Payload=b"{}")["ResponseMetadata"]["RequestId"]
    starts = eventually(lambda: [m for m in logs_of(name) if m.startswith("START")] if
                        sum(m.startswith("REPORT") for m in logs_of(name)) >= 3 else None)
    assert len(starts) == 3 and all(request in m for m in starts)


def test_event_goes_to_a_function_as_its_destination(lam, function, echo, logs_of):
    source = function("def handler(e, c):\n    if e.get('fail'): raise Exception('no')\n    return {'ok': e}\n")
    target = f"arn:aws:lambda:us-east-1:000000000000:function:{echo}"
    lam.put_function_event_invoke_config(FunctionName=source, MaximumRetryAttempts=0,
                                         DestinationConfig={"OnSuccess": {"Destination": target}, "OnFailure": {"Destination": target}})
    good = lam.invoke(FunctionName=source, InvocationType="Event", Payload=b'{"n": 1}')["ResponseMetadata"]["RequestId"]
    bad = lam.invoke(FunctionName=source, InvocationType="Event", Payload=b'{"fail": 1}')["ResponseMetadata"]["RequestId"]

    def record(request):
        for m in logs_of(echo):
            if m.startswith("got ") and request in m:
                return json.loads(m[4:])
    r = eventually(lambda: record(good))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", r.pop("timestamp"))
    assert r == {"version": "1.0", "requestPayload": {"n": 1}, "responsePayload": {"ok": {"n": 1}},
                 "requestContext": {"requestId": good, "condition": "Success", "approximateInvokeCount": 1,
                                    "functionArn": f"arn:aws:lambda:us-east-1:000000000000:function:{source}:$LATEST"},
                 "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"}}
    r = eventually(lambda: record(bad))
    assert r["requestContext"]["condition"] == "RetriesExhausted" and r["responseContext"]["functionError"] == "Unhandled"
    assert r["responsePayload"]["errorMessage"] == "no"


def test_events_wait_for_reserved_concurrency(lam, function, logs_of):
    name = function("import time\ndef handler(e, c):\n    time.sleep(0.02)\n    print('ran', e)\n")
    lam.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    for n in range(30):
        lam.invoke(FunctionName=name, InvocationType="Event", Payload=str(n).encode())
    eventually(lambda: {m.strip() for m in logs_of(name) if m.startswith("ran")} == {f"ran {n}" for n in range(30)})


def test_every_event_survives_sigkill(tmp_path):
    """What answered 202 runs at least once, however often the platform is killed.

    A run leaves a mark that is durable before the function returns: its own log may be lost in the crash.
    """
    source = '''
    import json, os, time, urllib.request
    def handler(event, context):
        mark = {"timestamp": int(time.time() * 1000), "message": str(event["n"])}
        urllib.request.urlopen(urllib.request.Request(
            os.environ["AWS_ENDPOINT_URL"], json.dumps({"logGroupName": "marks", "logStreamName": "s", "logEvents": [mark]}).encode(),
            {"X-Amz-Target": "Logs_20140328.PutLogEvents", "Content-Type": "application/x-amz-json-1.1"})).read()
    '''
    with Cirro(tmp_path / "data") as platform:
        lam, logs = make_client(platform.url, "lambda"), make_client(platform.url, "logs")
        logs.create_log_group(logGroupName="marks")
        logs.create_log_stream(logGroupName="marks", logStreamName="s")
        name = unique()
        lam.create_function(FunctionName=name, Runtime=RUNTIME, Handler="app.handler", Role=ROLE, Code={"ZipFile": package(source)},
                            MemorySize=1769)
        lam.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 1200})
        lam.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=3)
        accepted, numbers, lock = set(), iter(range(10 ** 6)), threading.Lock()

        def send(until):
            client = make_client(platform.url, "lambda")
            while not until.is_set():
                with lock:
                    n = next(numbers)
                try:
                    client.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps({"n": n}).encode())
                    accepted.add(n)
                except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
                    return
                time.sleep(0.02)

        for _ in range(3):
            until = threading.Event()
            threads = [threading.Thread(target=send, args=(until,)) for _ in range(4)]
            for t in threads:
                t.start()
            enough = len(accepted) + random.randint(10, 150)
            eventually(lambda: len(accepted) >= enough, every=0.01)
            platform.stop(signal.SIGKILL)
            until.set()
            for t in threads:
                t.join()
            platform.listen = "127.0.0.1:0"  # a client may hold the old port by now
            platform.start()
        logs = make_client(platform.url, "logs")
        def ran():
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName="marks")
            return {int(e["message"]) for page in pages for e in page["events"]}
        eventually(lambda: not accepted - ran(), within=300, every=0.5)


STREAM = '''
const { Readable } = require("stream");
exports.handler = awslambda.streamifyResponse(async (event, out, context) => {
  if (event.fail === "before") throw new Error("before");
  out.setContentType("text/x-stream");
  const pause = event.pause || event.queryStringParameters?.pause || 50;
  for (let n = 0; n < (event.n || 3); n++) {
    out.write(`chunk ${n}\\n`);
    await new Promise(r => setTimeout(r, pause));
  }
  if (event.fail === "after") throw new Error("after");
  out.end();
});
'''


@pytest.fixture(scope="module")
def streamer(function):
    return function(None, "index.handler", Runtime="nodejs20.x", Zip=package(STREAM, "index.js"))


def comes_as_it_is_made(arrivals):
    """arrivals(pause) are the times at which chunks came that were made so many milliseconds apart: as far apart, or nearly.

    A client that has to wait for the processor finds several at once, but not however long the pause is.
    """
    for pause in (50, 400, 3000):
        times = arrivals(pause)
        if times[-1] - times[0] > pause / 1000:
            return
    pytest.fail(f"chunks of every {pause} ms came within {times[-1] - times[0]} s")


def read_stream(response):
    body, done = b"", None
    for event in response["EventStream"]:
        if "PayloadChunk" in event:
            body += event["PayloadChunk"]["Payload"]
        if "InvokeComplete" in event:
            done = event["InvokeComplete"]
    return body.decode(), done


def test_response_stream(lam, streamer):
    def arrivals(pause):
        r = lam.invoke_with_response_stream(FunctionName=streamer, Payload=json.dumps({"n": 4, "pause": pause}), LogType="Tail")
        assert (r["StatusCode"], r["ExecutedVersion"], r["ResponseStreamContentType"]) == (
            200, "$LATEST", "application/vnd.amazon.eventstream")
        times = []
        for event in r["EventStream"]:
            times.append(time.monotonic())
            if "InvokeComplete" in event:
                assert "START RequestId" in base64.b64decode(event["InvokeComplete"]["LogResult"]).decode()
        return times
    comes_as_it_is_made(arrivals)


def test_response_stream_of_a_buffered_function(lam, echo):
    body, done = read_stream(lam.invoke_with_response_stream(FunctionName=echo, Payload=b'{"a": 1}'))
    assert json.loads(body)["event"] == {"a": 1} and "ErrorCode" not in done


def test_response_stream_errors(lam, streamer, function):
    body, done = read_stream(lam.invoke_with_response_stream(FunctionName=streamer, Payload=b'{"fail": "before"}'))
    assert done["ErrorCode"] and "before" in done["ErrorDetails"]
    body, done = read_stream(lam.invoke_with_response_stream(FunctionName=streamer, Payload=b'{"fail": "after"}'))
    assert body.startswith("chunk 0") and done["ErrorCode"] and "after" in done["ErrorDetails"]
    e = error(lam.invoke_with_response_stream, FunctionName="none")
    assert e["Error"]["Code"] == "ResourceNotFoundException"


@pytest.fixture
def url(lam, endpoint):
    """url(function, **config) makes a function's URL and returns its address by path, and by host."""
    def make(name, **config):
        address = lam.create_function_url_config(FunctionName=name, AuthType=config.pop("AuthType", "NONE"), **config)["FunctionUrl"]
        host = re.match(r"https?://([^/]+)/", address)[1]
        return f"{endpoint}/_aws/lambda-url/{host.split('.')[0]}", host
    return make


def test_function_url(function, url, endpoint):
    base, host = url(function('''
    import json
    def handler(event, context):
        return {"statusCode": 201, "headers": {"X-Own": "1", "Content-Type": "application/json"}, "cookies": ["a=1", "b=2; Secure"],
                "body": json.dumps([event, context.aws_request_id])}
    '''))
    r = requests.post(f"{base}/some/p%20ath?x=1&x=2&y=%C3%BC", data='{"k": 1}', headers={"Content-Type": "application/json", "Cookie": "c=3; d=4"})
    assert (r.status_code, r.headers["X-Own"], r.cookies["a"]) == (201, "1", "1")
    event, request = r.json()
    assert request == r.headers["x-amzn-RequestId"] == event["requestContext"]["requestId"]
    assert (event["version"], event["rawPath"], event["rawQueryString"]) == ("2.0", "/some/p%20ath", "x=1&x=2&y=%C3%BC")
    assert event["queryStringParameters"] == {"x": "1,2", "y": "ü"}
    assert event["cookies"] == ["c=3", "d=4"] and event["body"] == '{"k": 1}' and event["isBase64Encoded"] is False
    assert event["requestContext"]["http"]["method"] == "POST"
    r = requests.get(f"{endpoint}/by/host", headers={"Host": host})
    event, _ = r.json()
    assert event["rawPath"] == "/by/host" and event["requestContext"]["domainName"] == host.split(":")[0]
    assert "body" not in event and "cookies" not in event
    r = requests.post(base + "/", data=b"\xff\x00")
    assert r.json()[0]["isBase64Encoded"] and base64.b64decode(r.json()[0]["body"]) == b"\xff\x00"


@pytest.mark.parametrize("returned, status, body", [
    ('{"hello": "world"}', 200, '{"hello":"world"}'), ('"hello"', 200, "hello"), ("None", 200, "null"),
    ('{"statusCode": "418", "body": "teapot"}', 418, "teapot"), ('{"statusCode": "x"}', 502, "Internal Server Error"),
    ("1 / 0", 502, "Internal Server Error"),
])
def test_function_url_answers(function, url, returned, status, body):
    base, _ = url(function(f"def handler(e, c):\n    return {returned}\n"))
    r = requests.get(base)
    assert (r.status_code, r.text.replace(": ", ":"), r.headers["Content-Type"]) == (status, body, "application/json")


def test_function_url_cors(function, url):
    base, _ = url(function("def handler(e, c):\n    return 'ok'\n"), Cors={
        "AllowOrigins": ["https://page.example"], "AllowMethods": ["GET", "POST"], "AllowHeaders": ["x-key"], "MaxAge": 60})
    r = requests.options(base, headers={"Origin": "https://page.example", "Access-Control-Request-Method": "POST"})
    assert r.status_code == 200 and r.text == ""
    assert (r.headers["Access-Control-Allow-Origin"], r.headers["Access-Control-Allow-Methods"],
            r.headers["Access-Control-Allow-Headers"], r.headers["Access-Control-Max-Age"]) == ("https://page.example", "GET,POST", "x-key", "60")
    r = requests.get(base, headers={"Origin": "https://page.example"})
    assert r.text == "ok" and r.headers["Access-Control-Allow-Origin"] == "https://page.example"
    r = requests.get(base, headers={"Origin": "https://other.example"})
    assert r.text == "ok" and "Access-Control-Allow-Origin" not in r.headers


def test_function_url_refuses(function, url, endpoint, lam):
    r = requests.get(f"{endpoint}/_aws/lambda-url/0123456789abcdefghijklmnopqrstuv/")
    assert (r.status_code, r.text, r.headers["x-amzn-ErrorType"]) == (403, '{"Message":null}', "AccessDeniedException")
    name = function("def handler(e, c):\n    return e['requestContext']\n")
    base, _ = url(name, AuthType="AWS_IAM")
    r = requests.get(base)
    assert r.status_code == 403 and r.json()["Message"].startswith("Forbidden. For troubleshooting Function URL authorization issues")
    request = AWSRequest("GET", base + "/")
    SigV4Auth(Credentials("AKIAEXAMPLE", "secret"), "lambda", "us-east-1").add_auth(request)
    caller = requests.get(base + "/", headers=dict(request.headers)).json()
    assert caller["accountId"] == "000000000000" and caller["authorizer"]["iam"]["accessKey"] == "AKIAEXAMPLE"
    assert caller["authorizer"]["iam"]["userArn"] == "arn:aws:iam::000000000000:root"
    lam.update_function_url_config(FunctionName=name, AuthType="NONE")
    lam.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    r = requests.get(base)
    assert r.status_code == 429 and r.json()["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"


def test_function_url_stream(streamer, function, url):
    base, _ = url(streamer, InvokeMode="RESPONSE_STREAM")

    def arrivals(pause):
        with requests.get(base, params={"pause": pause}, stream=True) as r:
            times = [time.monotonic() for line in r.iter_lines(chunk_size=1)]
            assert r.headers["Content-Type"] == "text/x-stream" and len(times) == 3
            return times
    comes_as_it_is_made(arrivals)
    source = '''
    exports.handler = awslambda.streamifyResponse(async (event, out) => {
      out = awslambda.HttpResponseStream.from(out, {statusCode: 207, headers: {"X-A": "b", "Content-Type": "text/y"}, cookies: ["k=v"]});
      out.write("one"); out.write(" two"); out.end();
    });
    '''
    base, _ = url(function(None, "index.handler", Runtime="nodejs20.x", Zip=package(source, "index.js")), InvokeMode="RESPONSE_STREAM")
    r = requests.get(base)
    assert (r.status_code, r.text, r.headers["X-A"], r.headers["Content-Type"], r.cookies["k"]) == (207, "one two", "b", "text/y", "v")
