"""Bodies in an S3-compatible store: here, another Cirro."""
import hashlib
import os

import pytest

from cirro import Cirro
from conftest import ROLE, make_client, package


@pytest.fixture
def bucket(cirro, client):
    client("s3").create_bucket(Bucket="bodies-of-another")
    return f"s3://bodies-of-another/cirro?endpoint={cirro.url}"


def test_functions_and_objects_have_their_bodies_in_a_bucket(bucket, client, tmp_path):
    env = {"CIRRO_BLOBS": bucket, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_CONFIG_FILE": os.devnull,
           "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    large = os.urandom(20 << 20)
    with Cirro(tmp_path / "one", env=env) as platform:
        functions = make_client(platform.url, "lambda")
        functions.create_function(FunctionName="f", Runtime="python3.11", Handler="app.handler", Role=ROLE, Timeout=60,
                                  Code={"ZipFile": package("def handler(event, context): return event")})
        functions.get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig={"Delay": 0.1, "MaxAttempts": 1200})
        assert functions.invoke(FunctionName="f", Payload=b'"hello"')["Payload"].read() == b'"hello"'
        s3 = make_client(platform.url, "s3")
        s3.create_bucket(Bucket="bucket")
        s3.put_object(Bucket="bucket", Key="large", Body=large)
        platform.restart()
        s3 = make_client(platform.url, "s3")
        assert hashlib.sha256(s3.get_object(Bucket="bucket", Key="large")["Body"].read()).digest() == hashlib.sha256(large).digest()
        assert s3.get_object(Bucket="bucket", Key="large", Range="bytes=10000000-10000099")["Body"].read() == large[10000000:10000100]
        assert not (tmp_path / "one" / "blobs").exists()
    keys = [o["Key"] for o in client("s3").list_objects_v2(Bucket="bodies-of-another")["Contents"]]
    assert len(keys) >= 2 and all(key.startswith("cirro/") for key in keys)


def test_bucket_that_is_not_there_is_named(cirro, tmp_path):
    env = {"CIRRO_BLOBS": f"s3://no-such-bucket?endpoint={cirro.url}", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    with pytest.raises(RuntimeError, match="did not start"):
        Cirro(tmp_path, env=env).start()
