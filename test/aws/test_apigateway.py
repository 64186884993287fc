"""REST APIs through boto3 and plain HTTP: what a user of API Gateway's proxy integrations does."""
import base64
import concurrent.futures
import gzip
import json
import re
import signal

import botocore.exceptions
import pytest
import requests

from cirro import Cirro
from conftest import ROLE, RUNTIME, make_client, package, unique

ECHO = """
    import json
    def handler(event, context):
        return {"statusCode": 200, "body": json.dumps(event)}
"""


def uri(arn):
    return f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations"


def arn(name):
    return f"arn:aws:lambda:us-east-1:000000000000:function:{name}"


class Api:
    """A REST API under construction."""

    def __init__(self, gw, url, **kw):
        self.gw, self.url = gw, url
        made = gw.create_rest_api(name=unique("api"), **kw)
        self.id, self.root = made["id"], made["rootResourceId"]

    def resource(self, part, parent=None):
        return self.gw.create_resource(restApiId=self.id, parentId=parent or self.root, pathPart=part)["id"]

    def proxy(self, resource, function_arn, method="ANY", **kw):
        at = {"restApiId": self.id, "resourceId": resource, "httpMethod": method}
        self.gw.put_method(**at, authorizationType="NONE")
        self.gw.put_integration(**at, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri(function_arn), **kw)

    def deploy(self, stage="prod", **kw):
        return self.gw.create_deployment(restApiId=self.id, stageName=stage, **kw)["id"]

    def at(self, path="", stage="prod"):
        return f"{self.url}/_aws/execute-api/{self.id}/{stage}{path}"


@pytest.fixture
def gw(client):
    return client("apigateway")


@pytest.fixture
def api(gw, endpoint):
    return lambda **kw: Api(gw, endpoint, **kw)


@pytest.fixture(scope="module")
def echo(function):
    return arn(function(ECHO))


@pytest.fixture
def catch_all(api, echo):
    """A deployed API whose every path calls the echo function."""
    def make(**kw):
        a = api(**kw)
        a.proxy(a.root, echo)
        a.proxy(a.resource("{proxy+}"), echo)
        a.deploy()
        return a
    return make


class fails:
    """Checks that boto3 raises an error with this code, status and message."""

    def __init__(self, code, status, message):
        self.want = (code, status, message)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        assert isinstance(error, botocore.exceptions.ClientError), f"no error, but {self.want} was expected"
        r = error.response
        assert (r["Error"]["Code"], r["ResponseMetadata"]["HTTPStatusCode"], r["Error"]["Message"]) == self.want
        return True


def test_event(catch_all):
    a = catch_all()
    r = requests.post(a.at("/user/test%2Balias@x.y?p=1&p=2&e=%2B"), data=b"hi",
                      headers={"tEsT-HEADeR": "aValUE", "authorization": "secret", "User-Agent": "tests"})
    e = r.json()
    assert (e["resource"], e["path"], e["httpMethod"]) == ("/{proxy+}", "/user/test%2Balias@x.y", "POST")
    assert e["pathParameters"] == {"proxy": "user/test%2Balias@x.y"}
    assert e["queryStringParameters"] == {"p": "2", "e": "+"}
    assert e["multiValueQueryStringParameters"] == {"p": ["1", "2"], "e": ["+"]}
    assert e["headers"]["tEsT-HEADeR"] == "aValUE" and e["headers"]["Authorization"] == "secret"
    assert e["multiValueHeaders"]["tEsT-HEADeR"] == ["aValUE"]
    assert not {"Connection", "Content-Length"} & set(e["headers"])
    assert (e["body"], e["isBase64Encoded"], e["stageVariables"]) == ("hi", False, None)
    c = e["requestContext"]
    assert (c["path"], c["stage"], c["apiId"], c["accountId"]) == ("/prod/user/test%2Balias@x.y", "prod", a.id, "000000000000")
    assert c["requestId"] == r.headers["x-amzn-RequestId"] and c["extendedRequestId"] == r.headers["x-amz-apigw-id"]
    assert re.fullmatch(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000", c["requestTime"])
    assert c["identity"]["sourceIp"] == "127.0.0.1" and c["identity"]["userAgent"] == "tests"
    assert r.headers["X-Amzn-Trace-Id"] == e["headers"]["X-Amzn-Trace-Id"]


def test_addresses(catch_all, endpoint):
    a = catch_all()
    for url, host in ((f"{endpoint}/_aws/execute-api/{a.id}/prod/x", None),
                      (f"{endpoint}/restapis/{a.id}/prod/_user_request_/x", None),
                      (f"{endpoint}/prod/x", f"{a.id}.execute-api.us-east-1.localhost:4566"),
                      (f"{endpoint}/prod/x", f"{a.id}.execute-api.us-east-1.amazonaws.com")):
        r = requests.get(url, headers={"Host": host} if host else {})
        assert (r.status_code, r.json()["path"]) == (200, "/x"), url


def test_unknown_routes(api, echo, endpoint):
    a = api()
    a.proxy(a.resource("x"), echo, "GET")
    a.deploy()
    for url, message in ((a.at("/y"), "Missing Authentication Token"), (a.at("/x", "nope"), "Forbidden"),
                         (f"{endpoint}/_aws/execute-api/nope/prod/x", "Forbidden")):
        r = requests.get(url)
        assert (r.status_code, r.json()) == (403, {"message": message}), url
    r = requests.post(a.at("/x"))
    assert (r.status_code, r.headers["x-amzn-ErrorType"]) == (403, "MissingAuthenticationTokenException")


REPLIES = """
    def handler(event, context):
        kind = event["pathParameters"]["kind"]
        if kind == "raise":
            raise ValueError("secret")
        return {
            "string": "text", "none": None, "empty": {}, "extra": {"statusCode": 200, "x": 1},
            "cookies": {"statusCode": "201", "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]}, "headers": {"X-A": True}},
            "binary": {"body": "iVBORw==", "isBase64Encoded": True, "headers": {"Content-Type": "image/png"}},
            "remapped": {"headers": {"Content-Length": "1", "Date": "now"}, "body": "four"},
        }[kind]
"""


def test_replies(api, function):
    a = api(binaryMediaTypes=["image/png"])
    a.proxy(a.resource("{kind}"), arn(function(REPLIES)))
    a.deploy()
    for kind in ("raise", "string", "none", "extra"):
        r = requests.get(a.at(f"/{kind}"))
        assert (r.status_code, r.json()) == (502, {"message": "Internal server error"}), kind
        assert r.headers["x-amzn-ErrorType"] == "InternalServerErrorException"
    r = requests.get(a.at("/empty"))
    assert (r.status_code, r.content, r.headers["Content-Type"]) == (200, b"", "application/json")
    r = requests.get(a.at("/cookies"))
    assert (r.status_code, r.cookies.get_dict(), r.headers["X-A"]) == (201, {"a": "1", "b": "2"}, "true")
    assert requests.get(a.at("/binary"), headers={"Accept": "image/png"}).content == base64.b64decode("iVBORw==")
    assert requests.get(a.at("/binary")).text == "iVBORw=="
    r = requests.get(a.at("/remapped"))
    assert (r.text, r.headers["x-amzn-Remapped-Content-Length"], r.headers["x-amzn-Remapped-Date"]) == ("four", "1", "now")


def test_binary_and_large_requests(catch_all):
    a = catch_all(binaryMediaTypes=["image/*"])
    e = requests.post(a.at("/x"), data=b"\xff\xd8", headers={"Content-Type": "image/jpeg"}).json()
    assert (base64.b64decode(e["body"]), e["isBase64Encoded"]) == (b"\xff\xd8", True)
    # The gateway takes 10 MB, but the event must fit into what a function takes, which is 6 MB.
    for size in (10 * 1024 * 1024 + 1, 7 * 1024 * 1024):
        r = requests.post(a.at("/x"), data=b"a" * size)
        assert (r.status_code, r.json()) == (413, {"message": "Request Too Long"}), size


def test_compression(catch_all, gw):
    a = catch_all(minimumCompressionSize=100)
    r = requests.post(a.at("/x"), data=gzip.compress(b"packed"), headers={"Content-Encoding": "gzip"})
    assert r.headers["Content-Encoding"] == "gzip" and r.json()["body"] == "packed"


def test_versions_aliases_and_stage_variables(api, gw, client, function):
    name = function('def handler(event, context): return {"body": context.invoked_function_arn + " v1"}')
    awslambda = client("lambda")
    assert awslambda.publish_version(FunctionName=name)["Version"] == "1"
    awslambda.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    awslambda.update_function_code(FunctionName=name, ZipFile=package(
        'def handler(event, context): return {"body": context.invoked_function_arn + " v2"}'))
    awslambda.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 1200})
    a = api()
    for path, target in (("latest", arn(name)), ("version", arn(name) + ":1"), ("alias", arn(name) + ":live"),
                         ("variable", arn("${stageVariables.fn}") + ":${stageVariables.alias}")):
        a.proxy(a.resource(path), target)
    a.deploy(variables={"fn": name, "alias": "live"})
    assert requests.get(a.at("/latest")).text == arn(name) + " v2"
    assert requests.get(a.at("/version")).text == arn(name) + ":1 v1"
    assert requests.get(a.at("/alias")).text == arn(name) + ":live v1"
    assert requests.get(a.at("/variable")).text == arn(name) + ":live v1"
    # A stage's variables change at once, without a deployment.
    gw.update_stage(restApiId=a.id, stageName="prod", patchOperations=[
        {"op": "replace", "path": "/variables/alias", "value": "1"}])
    assert requests.get(a.at("/variable")).text == arn(name) + ":1 v1"
    gw.update_stage(restApiId=a.id, stageName="prod", patchOperations=[{"op": "remove", "path": "/variables/fn"}])
    assert requests.get(a.at("/variable")).status_code == 500


def test_timeout(api, function):
    a = api()
    a.proxy(a.root, arn(function("import time\ndef handler(e, c): time.sleep(3)", Timeout=10)), timeoutInMillis=200)
    a.deploy()
    r = requests.get(a.at())
    assert (r.status_code, r.json()) == (504, {"message": "Endpoint request timed out"})


def test_cors_preflight(api, gw, echo):
    a = api()
    users = a.resource("users")
    a.proxy(users, echo, "GET")
    at = {"restApiId": a.id, "resourceId": users, "httpMethod": "OPTIONS"}
    allow = "method.response.header.Access-Control-Allow-"
    gw.put_method(**at, authorizationType="NONE")
    gw.put_method_response(**at, statusCode="200", responseParameters={allow + "Origin": True, allow + "Methods": True},
                           responseModels={"application/json": "Empty"})
    gw.put_integration(**at, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    gw.put_integration_response(**at, statusCode="200", responseTemplates={"application/json": ""},
                                responseParameters={allow + "Origin": "'*'", allow + "Methods": "'GET,OPTIONS'"})
    a.deploy()
    r = requests.options(a.at("/users"), headers={"Origin": "http://example.com", "Access-Control-Request-Method": "GET"})
    assert (r.status_code, r.content) == (200, b"")
    assert (r.headers["Access-Control-Allow-Origin"], r.headers["Access-Control-Allow-Methods"]) == ("*", "GET,OPTIONS")


def test_gateway_responses(api, gw, echo):
    a = api()
    a.proxy(a.resource("x"), echo)
    gw.put_gateway_response(restApiId=a.id, responseType="DEFAULT_4XX", responseParameters={
        "gatewayresponse.header.Access-Control-Allow-Origin": "'*'"})
    gw.put_gateway_response(restApiId=a.id, responseType="MISSING_AUTHENTICATION_TOKEN", statusCode="404",
                            responseTemplates={"application/json": '{"error": $context.error.messageString}'})
    a.deploy()
    r = requests.get(a.at("/nope"))
    assert (r.status_code, r.json()) == (404, {"error": "Missing Authentication Token"})
    gw.delete_gateway_response(restApiId=a.id, responseType="MISSING_AUTHENTICATION_TOKEN")
    assert requests.get(a.at("/nope")).status_code == 404, "what is deployed changed"
    a.deploy()
    r = requests.get(a.at("/nope"))
    assert (r.status_code, r.headers["Access-Control-Allow-Origin"]) == (403, "*")
    assert len(gw.get_gateway_responses(restApiId=a.id, limit=500)["items"]) == 21


def test_deployments_are_snapshots(api, gw, echo):
    a = api()
    a.proxy(a.resource("x"), echo)
    first = a.deploy()
    y = a.resource("y")
    a.proxy(y, echo)
    assert requests.get(a.at("/y")).status_code == 403
    second = a.deploy()
    assert requests.get(a.at("/y")).status_code == 200
    with fails("BadRequestException", 400, "Active stages pointing to this deployment must be moved or deleted"):
        gw.delete_deployment(restApiId=a.id, deploymentId=second)
    gw.update_stage(restApiId=a.id, stageName="prod", patchOperations=[
        {"op": "replace", "path": "/deploymentId", "value": first}])
    assert requests.get(a.at("/y")).status_code == 403
    gw.delete_deployment(restApiId=a.id, deploymentId=second)
    assert [d["id"] for d in gw.get_deployments(restApiId=a.id)["items"]] == [first]
    summary = gw.get_deployment(restApiId=a.id, deploymentId=first, embed=["apisummary"])["apiSummary"]
    assert summary == {"/x": {"ANY": {"authorizationType": "NONE", "apiKeyRequired": False}}}


def test_rest_api_lifecycle(gw):
    made = gw.create_rest_api(name="pets", description="d", tags={"a": "1"}, endpointConfiguration={"types": ["REGIONAL"]})
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert re.fullmatch("[a-z0-9]{10}", made["id"]) and re.fullmatch("[a-z0-9]{6}", made["rootResourceId"])
    assert (made["apiKeySource"], made["disableExecuteApiEndpoint"], made["tags"]) == ("HEADER", False, {"a": "1"})
    assert made["endpointConfiguration"] == {"types": ["REGIONAL"], "ipAddressType": "ipv4"}
    got = gw.update_rest_api(restApiId=made["id"], patchOperations=[
        {"op": "add", "path": "/binaryMediaTypes/image~1png"}, {"op": "replace", "path": "/name", "value": "dogs"}])
    assert (got["name"], got["binaryMediaTypes"]) == ("dogs", ["image/png"])
    assert made["id"] in [a["id"] for page in gw.get_paginator("get_rest_apis").paginate() for a in page["items"]]
    with fails("BadRequestException", 400, "Invalid patch path /nope"):
        gw.update_rest_api(restApiId=made["id"], patchOperations=[{"op": "replace", "path": "/nope", "value": "x"}])
    resource = f"arn:aws:apigateway:us-east-1::/restapis/{made['id']}"
    gw.tag_resource(resourceArn=resource, tags={"b": "2"})
    gw.untag_resource(resourceArn=resource, tagKeys=["a"])
    assert gw.get_tags(resourceArn=resource)["tags"] == {"b": "2"}
    assert gw.delete_rest_api(restApiId=made["id"])["ResponseMetadata"]["HTTPStatusCode"] == 202
    with fails("NotFoundException", 404, f"Invalid API identifier specified 000000000000:{made['id']}"):
        gw.get_rest_api(restApiId=made["id"])


def test_resources(api, gw):
    a = api()
    users = a.resource("users")
    user = a.resource("{id}", users)
    with fails("BadRequestException", 400,
               "A sibling ({id}) of this resource already has a variable path part -- only one is allowed"):
        a.resource("{proxy+}", users)
    with fails("ConflictException", 409, "Another resource with the same parent already has this name: users"):
        a.resource("users")
    with fails("BadRequestException", 400, "Resources cannot be cyclical."):
        gw.update_resource(restApiId=a.id, resourceId=users, patchOperations=[
            {"op": "replace", "path": "/parentId", "value": user}])
    gw.update_resource(restApiId=a.id, resourceId=users, patchOperations=[
        {"op": "replace", "path": "/pathPart", "value": "people"}])
    pages = gw.get_paginator("get_resources").paginate(restApiId=a.id, PaginationConfig={"PageSize": 2})
    assert [r["path"] for page in pages for r in page["items"]] == ["/", "/people", "/people/{id}"]
    gw.delete_resource(restApiId=a.id, resourceId=users)
    assert [r["path"] for r in gw.get_resources(restApiId=a.id)["items"]] == ["/"]


def test_methods_and_integrations(api, gw, echo):
    a = api()
    a.proxy(a.root, echo, "GET")
    at = {"restApiId": a.id, "resourceId": a.root, "httpMethod": "GET"}
    m = gw.get_method(**at)
    assert (m["authorizationType"], m["apiKeyRequired"]) == ("NONE", False)
    assert m["methodIntegration"] == {
        "type": "AWS_PROXY", "httpMethod": "POST", "uri": uri(echo), "passthroughBehavior": "WHEN_NO_MATCH",
        "timeoutInMillis": 29000, "cacheNamespace": a.root, "cacheKeyParameters": []}
    with fails("ConflictException", 409, "Method already exists for this resource"):
        gw.put_method(**at, authorizationType="NONE")
    with fails("NotImplemented", 501, "Cirro does not implement apigateway.integrations of type HTTP_PROXY"):
        gw.put_integration(**at, type="HTTP_PROXY", integrationHttpMethod="GET", uri="http://example.com")
    with fails("NotFoundException", 404, "Invalid Response status code specified"):
        gw.get_integration_response(**at, statusCode="200")
    with fails("NotImplemented", 501, "Cirro does not implement apigateway.CreateApiKey"):
        gw.create_api_key(name="k")
    assert gw.delete_integration(**at)["ResponseMetadata"]["HTTPStatusCode"] == 204
    with fails("BadRequestException", 400, "No integration defined for method"):
        a.deploy()


def test_stages(api, gw, echo):
    a = api()
    a.proxy(a.root, echo)
    deployment = gw.create_deployment(restApiId=a.id)["id"]
    made = gw.create_stage(restApiId=a.id, stageName="dev", deploymentId=deployment, variables={"v": "1"})
    assert (made["cacheClusterEnabled"], made["cacheClusterStatus"], made["methodSettings"]) == (False, "NOT_AVAILABLE", {})
    assert requests.get(a.at(stage="dev")).json()["stageVariables"] == {"v": "1"}
    with fails("ConflictException", 409, "Stage already exists"):
        gw.create_stage(restApiId=a.id, stageName="dev", deploymentId=deployment)
    with fails("NotFoundException", 404, "Invalid Stage identifier specified"):
        gw.get_stage(restApiId=a.id, stageName="nope")
    assert [s["stageName"] for s in gw.get_stages(restApiId=a.id)["item"]] == ["dev"]
    gw.delete_stage(restApiId=a.id, stageName="dev")
    assert requests.get(a.at(stage="dev")).status_code == 403


def test_test_invoke_method(api, gw, echo):
    a = api()
    pet = a.resource("{petId}", a.resource("pets"))
    a.proxy(pet, echo, "GET")
    out = gw.test_invoke_method(restApiId=a.id, resourceId=pet, httpMethod="GET", pathWithQueryString="/pets/7?a=b",
                                headers={"X": "y"}, stageVariables={"v": "w"})
    event = json.loads(out["body"])
    assert (out["status"], event["pathParameters"], event["stageVariables"]) == (200, {"petId": "7"}, {"v": "w"})
    assert event["requestContext"]["stage"] == "test-invoke-stage" and event["headers"] == {"X": "y"}
    assert out["headers"]["Content-Type"] == "application/json" and out["multiValueHeaders"]["Content-Type"] == ["application/json"]
    assert "Method completed with status: 200" in out["log"] and out["latency"] >= 0


def test_many_clients(catch_all):
    a = catch_all()

    def call(i):
        with requests.Session() as s:
            return [s.get(a.at(f"/{i}/{n}")).json()["path"] for n in range(10)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for i, paths in enumerate(pool.map(call, range(8))):
            assert paths == [f"/{i}/{n}" for n in range(10)]


def test_api_survives_a_crash(tmp_path):
    with Cirro(tmp_path) as cirro:
        awslambda = make_client(cirro.url, "lambda")
        name = unique("fn")
        awslambda.create_function(FunctionName=name, Runtime=RUNTIME, Handler="app.handler", Role=ROLE, Code={"ZipFile": package(ECHO)})
        awslambda.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 1200})
        a = Api(make_client(cirro.url, "apigateway"), cirro.url)
        a.proxy(a.resource("{id}"), arn(name))
        a.deploy(variables={"v": "1"})
        cirro.restart(signal.SIGKILL)
        e = requests.get(a.at("/7")).json()
        assert (e["pathParameters"], e["stageVariables"]) == ({"id": "7"}, {"v": "1"})
