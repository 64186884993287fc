"""A platform that verifies signatures: only who has a key gets in, and as who the key says."""
import json

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from cirro import Cirro
from conftest import ROLE, RUNTIME, make_client, package

ROOT = {"aws_access_key_id": "AKIAROOT", "aws_secret_access_key": "a-long-secret"}


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    env = {"CIRRO_ROOT_ACCESS_KEY_ID": ROOT["aws_access_key_id"], "CIRRO_ROOT_SECRET_ACCESS_KEY": ROOT["aws_secret_access_key"]}
    with Cirro(tmp_path_factory.mktemp("auth"), "--auth", env=env) as c:
        yield c


def test_the_root_key_gets_in(platform):
    assert make_client(platform.url, "sts", **ROOT).get_caller_identity()["Arn"] == "arn:aws:iam::000000000000:root"


@pytest.mark.parametrize("service, call, keys, code", [
    ("sts", "get_caller_identity", {"aws_access_key_id": "test"}, "InvalidClientTokenId"),
    ("sts", "get_caller_identity", {**ROOT, "aws_secret_access_key": "wrong"}, "SignatureDoesNotMatch"),
    ("lambda", "list_functions", {"aws_access_key_id": "test"}, "UnrecognizedClientException"),
    ("lambda", "list_functions", {**ROOT, "aws_secret_access_key": "wrong"}, "InvalidSignatureException"),
    ("logs", "describe_log_groups", {**ROOT, "aws_secret_access_key": "wrong"}, "InvalidSignatureException"),
])
def test_others_do_not(platform, service, call, keys, code):
    with pytest.raises(ClientError) as e:
        getattr(make_client(platform.url, service, **keys), call)()
    assert (e.value.response["Error"]["Code"], e.value.response["ResponseMetadata"]["HTTPStatusCode"]) == (code, 403)


def test_an_unsigned_request_does_not(platform):
    r = requests.get(f"{platform.url}/2015-03-31/functions/")
    assert (r.status_code, r.headers["x-amzn-ErrorType"]) == (403, "MissingAuthenticationTokenException")


def test_users_and_roles_get_in_as_themselves(platform):
    iam = make_client(platform.url, "iam", **ROOT)
    arn = iam.create_user(UserName="ann")["User"]["Arn"]
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    ann = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    assert make_client(platform.url, "sts", **ann).get_caller_identity()["Arn"] == arn
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "sts:AssumeRole"}]}
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    c = make_client(platform.url, "sts", **ann).assume_role(RoleArn=role, RoleSessionName="s1")["Credentials"]
    session = {"aws_access_key_id": c["AccessKeyId"], "aws_secret_access_key": c["SecretAccessKey"]}
    assert make_client(platform.url, "sts", **session, aws_session_token=c["SessionToken"]).get_caller_identity()["Arn"].endswith("/r/s1")
    with pytest.raises(ClientError) as e:
        make_client(platform.url, "sts", **session, aws_session_token=c["SessionToken"][:-8] + "AAAAAAAA").get_caller_identity()
    assert e.value.response["Error"]["Code"] == "InvalidClientTokenId"
    iam.update_access_key(UserName="ann", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    with pytest.raises(ClientError):
        make_client(platform.url, "sts", **ann).get_caller_identity()


@pytest.fixture(scope="module")
def whoami(platform):
    client = make_client(platform.url, "lambda", **ROOT)
    source = '''
        import boto3
        def handler(event, context):
            return boto3.client("sts").get_caller_identity()["Arn"]
    '''
    client.create_function(FunctionName="whoami", Runtime=RUNTIME, Handler="app.handler", Role=ROLE, Timeout=30,
                           MemorySize=1024, Code={"ZipFile": package(source)})
    client.get_waiter("function_active_v2").wait(FunctionName="whoami", WaiterConfig={"Delay": 0.1, "MaxAttempts": 1200})
    return client


def test_a_function_calls_back_as_its_role(whoami):
    out = whoami.invoke(FunctionName="whoami")
    assert json.loads(out["Payload"].read()) == "arn:aws:sts::000000000000:assumed-role/test/whoami"


def test_a_function_url_with_aws_iam_wants_a_signature(platform, whoami):
    url = whoami.create_function_url_config(FunctionName="whoami", AuthType="AWS_IAM")["FunctionUrl"]
    host = url.removeprefix("http://").rstrip("/")
    assert requests.get(platform.url, headers={"Host": host}).status_code == 403
    request = AWSRequest("GET", platform.url + "/", headers={"Host": host})
    SigV4Auth(Credentials(ROOT["aws_access_key_id"], ROOT["aws_secret_access_key"]), "lambda", "us-east-1").add_auth(request)
    r = requests.get(platform.url + "/", headers=dict(request.headers))
    assert (r.status_code, r.text) == (200, "arn:aws:sts::000000000000:assumed-role/test/whoami")
    r = requests.get(platform.url + "/other", headers=dict(request.headers))
    assert r.status_code == 403
