"""Step Functions' tasks, with boto3: each integration by a machine of its own."""
import http.server
import json
import threading

import pytest

from conftest import ROLE, eventually, unique


@pytest.fixture(scope="module")
def sfn(client):
    return client("stepfunctions")


@pytest.fixture(scope="module")
def run(sfn):
    """run(states, input) runs a machine that starts at its first state to its end."""
    def go(states, payload=None, **machine):
        definition = {"StartAt": next(iter(states)), "States": states, **machine}
        arn = sfn.create_state_machine(name=unique("sm"), definition=json.dumps(definition), roleArn=ROLE)["stateMachineArn"]
        execution = sfn.start_execution(stateMachineArn=arn, input=json.dumps(payload or {}))["executionArn"]

        def ended():
            d = sfn.describe_execution(executionArn=execution)
            return d if d["status"] != "RUNNING" else None
        return eventually(ended)
    return go


def task(resource, parameters, **fields):
    return {"T": {"Type": "Task", "Resource": resource, "Parameters": parameters, "End": True, **fields}}


def output(d):
    assert d["status"] == "SUCCEEDED", d
    return json.loads(d["output"])


def test_lambda_invoke(run, function):
    name = function("def handler(event, context):\n    if event.get('bad'): raise ValueError('no')\n    return {'got': event}")
    out = output(run(task("arn:aws:states:::lambda:invoke", {"FunctionName": name, "Payload": {"n.$": "$.n"}}), {"n": 1}))
    assert out["Payload"] == {"got": {"n": 1}} and out["StatusCode"] == 200 and out["ExecutedVersion"] == "$LATEST"
    assert out["SdkHttpMetadata"]["HttpStatusCode"] == 200 and out["SdkResponseMetadata"]["RequestId"]
    assert list(out["SdkHttpMetadata"]["HttpHeaders"]) == ["Connection", "Content-Length", "Content-Type", "Date", "X-Amz-Executed-Version",
                                                           "x-amzn-Remapped-Content-Length", "x-amzn-RequestId", "X-Amzn-Trace-Id"]
    assert output(run(task("arn:aws:states:::lambda:invoke", {"FunctionName": name, "Payload": None})))["Payload"] == {"got": {}}
    assert output(run(task("arn:aws:states:::lambda:invoke", {"FunctionName": name, "LogType": "Tail", "NoSuch": 1})))["StatusCode"] == 200
    d = run(task("arn:aws:states:::lambda:invoke", {"FunctionName": name, "Payload": {"bad": True}}))
    assert (d["status"], d["error"], json.loads(d["cause"])["errorMessage"]) == ("FAILED", "ValueError", "no")
    d = run(task("arn:aws:states:::lambda:invoke", {"FunctionName": "none-such"}))
    assert d["error"] == "Lambda.ResourceNotFoundException" and "Function not found" in d["cause"]


def test_sqs_with_a_task_token(run, client, sfn):
    sqs = client("sqs")
    url = sqs.create_queue(QueueName=unique("q"))["QueueUrl"]
    out = output(run(task("arn:aws:states:::sqs:sendMessage", {"QueueUrl": url, "MessageBody": {"a.$": "$.a"}}), {"a": [1]}))
    message = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"][0]
    assert json.loads(message["Body"]) == {"a": [1]} and out["MessageId"] == message["MessageId"]
    definition = {"StartAt": "T", "States": task("arn:aws:states:::sqs:sendMessage.waitForTaskToken",
                                                 {"QueueUrl": url, "MessageBody": {"token.$": "$$.Task.Token"}})}
    arn = sfn.create_state_machine(name=unique("sm"), definition=json.dumps(definition), roleArn=ROLE)["stateMachineArn"]
    execution = sfn.start_execution(stateMachineArn=arn)["executionArn"]

    def token():
        for m in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages", []):
            if "token" in json.loads(m["Body"]):
                return json.loads(m["Body"])["token"]
    sfn.send_task_success(taskToken=eventually(token), output='{"ok": true}')
    d = eventually(lambda: (lambda d: d if d["status"] != "RUNNING" else None)(sfn.describe_execution(executionArn=execution)))
    assert output(d) == {"ok": True}
    types = [e["type"] for e in sfn.get_execution_history(executionArn=execution)["events"]]
    assert types == ["ExecutionStarted", "TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded", "TaskStateExited", "ExecutionSucceeded"]


def test_dynamodb(run, client):
    table = unique("t")
    client("dynamodb").create_table(TableName=table, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
                                    AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}])
    eventually(lambda: client("dynamodb").describe_table(TableName=table)["Table"]["TableStatus"] == "ACTIVE")
    output(run(task("arn:aws:states:::dynamodb:putItem", {"TableName": table, "Item": {"pk": {"S.$": "$.k"}, "n": {"N": "7"}}}), {"k": "x"}))
    out = output(run(task("arn:aws:states:::dynamodb:getItem", {"TableName": table, "Key": {"pk": {"S": "x"}}})))
    assert out["Item"] == {"pk": {"S": "x"}, "n": {"N": "7"}}
    assert out["SdkHttpMetadata"]["HttpHeaders"]["Server"] == "Server"
    out = output(run(task("arn:aws:states:::aws-sdk:dynamodb:scan", {"TableName": table})))
    assert out["Count"] == 1 and "SdkHttpMetadata" not in out
    d = run(task("arn:aws:states:::dynamodb:putItem", {"TableName": table, "Item": {"pk": {"S": "x"}}, "ConditionExpression": "attribute_not_exists(pk)"}))
    assert d["error"] == "DynamoDB.ConditionalCheckFailedException"
    d = run(task("arn:aws:states:::aws-sdk:dynamodb:getItem", {"TableName": "none-such", "Key": {"pk": {"S": "x"}}}))
    assert d["error"] == "DynamoDb.ResourceNotFoundException" and "(Service: DynamoDb, Status Code: 400, Request ID: " in d["cause"]


def test_s3_by_the_sdk(run, client):
    bucket = unique("b")
    client("s3").create_bucket(Bucket=bucket)
    output(run(task("arn:aws:states:::aws-sdk:s3:putObject", {"Bucket": bucket, "Key": "k", "Body": {"a": 1}})))
    out = output(run(task("arn:aws:states:::aws-sdk:s3:getObject", {"Bucket": bucket, "Key": "k"})))
    assert json.loads(out["Body"]) == {"a": 1}
    d = run(task("arn:aws:states:::aws-sdk:s3:getObject", {"Bucket": bucket, "Key": "none"}))
    assert d["error"] == "S3.NoSuchKeyException"
    assert "(Service: S3, Status Code: 404, Request ID: " in d["cause"] and ", Extended Request ID: " in d["cause"]


def test_events(run, client):
    events, sqs, source = client("events"), client("sqs"), unique("app")
    url = sqs.create_queue(QueueName=unique("q"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=source, EventPattern=json.dumps({"source": [source]}))
    events.put_targets(Rule=source, Targets=[{"Id": "q", "Arn": arn}])
    entry = {"Source": source, "DetailType": "d", "Detail": {"a.$": "$.a"}, "Resources": ["mine"]}
    d = run(task("arn:aws:states:::events:putEvents", {"Entries": [entry]}), {"a": 1})
    out = output(d)
    assert set(out) == {"Entries", "FailedEntryCount"} and out["FailedEntryCount"] == 0
    event = json.loads(eventually(lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages"))[0]["Body"])
    assert event["detail"] == {"a": 1} and event["id"] == out["Entries"][0]["EventId"]
    assert event["resources"] == ["mine", d["stateMachineArn"], d["executionArn"]]
    d = run(task("arn:aws:states:::events:putEvents", {"Entries": [entry, {"DetailType": "d", "Detail": {}}]}), {"a": 1})
    assert d["error"] == "EventBridge.FailedEntry" and json.loads(d["cause"])["Entries"][1]["ErrorCode"] == "InvalidArgument"


def test_errors_that_no_model_has_go_by_the_client(run, client):
    url = client("sqs").create_queue(QueueName=unique("q"))["QueueUrl"]
    d = run(task("arn:aws:states:::sqs:sendMessage", {"QueueUrl": url, "MessageBody": ""}))
    assert d["error"] == "SQS.AmazonSQSException" and "; Error Code: MissingParameter; " in d["cause"]
    d = run(task("arn:aws:states:::dynamodb:getItem", {"TableName": "/", "Key": {"pk": {"S": "x"}}}))
    assert d["error"] == "DynamoDB.AmazonDynamoDBException" and "; Error Code: ValidationException; " in d["cause"]


@pytest.mark.parametrize("wait, parsed", [("sync", False), ("sync:2", True)])
def test_executions_that_are_waited_for(run, sfn, wait, parsed):
    def machine(states):
        return sfn.create_state_machine(name=unique("child"), roleArn=ROLE, definition=json.dumps({"StartAt": "A", "States": states}))["stateMachineArn"]
    good = machine({"A": {"Type": "Wait", "Seconds": 1, "Next": "B"}, "B": {"Type": "Pass", "Result": {"r": 1}, "End": True}})
    out = output(run(task(f"arn:aws:states:::states:startExecution.{wait}", {"StateMachineArn": good, "Input": {"i": 1}})))
    assert out["Status"] == "SUCCEEDED"
    assert (out["Output"], out["Input"]) == (({"r": 1}, {"i": 1}) if parsed else ('{"r":1}', '{"i":1}'))
    bad = machine({"A": {"Type": "Fail", "Error": "E", "Cause": "c"}})
    d = run(task(f"arn:aws:states:::states:startExecution.{wait}", {"StateMachineArn": bad}))
    assert d["error"] == "States.TaskFailed" and json.loads(d["cause"])["Error"] == "E"


def test_what_is_not_there_is_refused_when_the_machine_is_made(sfn):
    for resource, problem in (("arn:aws:states:::glue:startJobRun", "Cirro does not implement the integration glue:startJobRun"),
                              ("arn:aws:states:::aws-sdk:ec2:describeVpcs", "Cirro does not implement the integration aws-sdk:ec2:describeVpcs"),
                              ("arn:aws:states:::dynamodb:getItem.sync", "is not recognized"), ("nothing", "Value is not a valid resource ARN")):
        with pytest.raises(sfn.exceptions.InvalidDefinition, match=problem):
            sfn.create_state_machine(name=unique("sm"), roleArn=ROLE, definition=json.dumps({"StartAt": "T", "States": task(resource, {})}))


class Outside(http.server.BaseHTTPRequestHandler):
    """Answers with what it was asked, or with the status that the path names."""
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked = {"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()},
                 "body": self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()}
        name = self.path[1:].partition("?")[0]
        status = int(name) if name.isdigit() else 200
        body = json.dumps(asked).encode() if status == 200 else b"not today"
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Two", "a")
        self.send_header("X-Two", "b")
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def outside():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Outside)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def connection(client):
    return client("events").create_connection(Name=unique("c"), AuthorizationType="API_KEY", AuthParameters={
        "ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "secret"},
        "InvocationHttpParameters": {"QueryStringParameters": [{"Key": "who", "Value": "me"}],
                                     "BodyParameters": [{"Key": "tenant", "Value": "t"}]}})["ConnectionArn"]


def http_task(endpoint, connection, **parameters):
    return task("arn:aws:states:::http:invoke", {"ApiEndpoint": endpoint, "Method": "POST",
                                                 "Authentication": {"ConnectionArn": connection}, **parameters})


def test_http(run, outside, connection):
    out = output(run(http_task(f"{outside}/x", connection, RequestBody={"n.$": "$.n"}, QueryParameters={"q": ["1", 2]},
                               Headers={"X-Mine": "yes"}), {"n": 1}))
    assert (out["StatusCode"], out["StatusText"], out["Headers"]["x-two"]) == (200, "OK", ["a", "b"])
    asked = out["ResponseBody"]
    assert asked["path"] == "/x?q=1&q=2&who=me" and json.loads(asked["body"]) == {"n": 1, "tenant": "t"}
    headers = asked["headers"]
    assert (headers["x-key"], headers["x-mine"], headers["content-type"]) == ("secret", "yes", "application/json")
    assert headers["user-agent"] == "Amazon|StepFunctions|HttpInvoke|us-east-1"


@pytest.mark.parametrize("array, form", [
    (None, "a[0]=1&a[1]=x+y&b[c]=2&tenant=t"), ("REPEAT", "a=1&a=x+y&b[c]=2&tenant=t"),
    ("BRACKETS", "a[]=1&a[]=x+y&b[c]=2&tenant=t"), ("COMMAS", "a=1,x+y&b[c]=2&tenant=t")])
def test_http_with_a_form(run, outside, connection, array, form):
    options = {"RequestEncodingOptions": {"ArrayFormat": array}} if array else {}
    out = output(run(http_task(outside, connection, RequestBody={"a": [1, "x y"], "b": {"c": 2}},
                               Transform={"RequestBodyEncoding": "URL_ENCODED", **options})))
    asked = out["ResponseBody"]
    assert asked["headers"]["content-type"] == "application/x-www-form-urlencoded"
    assert asked["body"].replace("%5B", "[").replace("%5D", "]").replace("%2C", ",") == form


def test_http_that_fails(run, outside, connection):
    def error(endpoint, arn=connection, **parameters):
        d = run(http_task(endpoint, arn, **parameters))
        return d["error"], d["cause"]
    assert error(f"{outside}/404") == ("States.Http.StatusCode.404", "not today")
    assert error(f"{outside}/302")[0] == "States.Http.StatusCode.302"
    assert error("http://127.0.0.1:1/")[0] == "States.Http.Socket"
    assert error(outside, Headers={"Host": "a"})[0] == "States.Runtime"
    assert error(outside, connection.replace("/c-", "/d-"))[0] == "Events.ConnectionResource.ResourceNotFound"


def test_apigateway(run, client, function):
    name = function("""
        import json
        def handler(event, context):
            status = 418 if event["resource"] == "/{proxy+}" and event["path"].endswith("teapot") else 200
            return {"statusCode": status, "body": json.dumps({k: event[k] for k in ("httpMethod", "path", "body", "multiValueQueryStringParameters")})}
    """)
    gateway = client("apigateway")
    api = gateway.create_rest_api(name=unique("api"))["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    to = {"restApiId": api, "httpMethod": "ANY",
          "resourceId": gateway.create_resource(restApiId=api, parentId=root, pathPart="{proxy+}")["id"]}
    gateway.put_method(**to, authorizationType="NONE")
    arn = client("lambda").get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    client("lambda").add_permission(FunctionName=name, StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com")
    gateway.put_integration(**to, type="AWS_PROXY", integrationHttpMethod="POST",
                            uri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations")
    gateway.create_deployment(restApiId=api, stageName="prod")

    def call(**parameters):
        return run(task("arn:aws:states:::apigateway:invoke", {
            "ApiEndpoint": f"{api}.execute-api.us-east-1.amazonaws.com", "Stage": "prod", "Method": "POST", **parameters}))
    out = output(call(Path="a/b c", QueryParameters={"q": ["1", "2"]}, RequestBody={"x": None, "y": [{"z": None}]}))
    assert (out["StatusCode"], out["StatusText"]) == (200, "OK") and out["Headers"]["Content-Type"]
    asked = out["ResponseBody"]
    assert (asked["httpMethod"], asked["path"], asked["multiValueQueryStringParameters"]) == ("POST", "/a/b%20c", {"q": ["1", "2"]})
    assert json.loads(asked["body"]) == {"y": [{}]}
    assert json.loads(output(call(Path="a", AllowNullValues=True, RequestBody={"x": None}))["ResponseBody"]["body"]) == {"x": None}
    d = call(Path="teapot")
    assert d["error"] == "ApiGateway.418" and json.loads(d["cause"])["path"] == "/teapot"
    assert call(Path="a", Method="BREW")["error"] == "States.Runtime"
