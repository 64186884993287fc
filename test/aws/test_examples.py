"""The example that `make run` deploys, as its user meets it."""
import concurrent.futures
import json
import os
import re
import signal
import subprocess
import sys

import pytest
import requests

from cirro import ROOT, Cirro
from conftest import eventually, make_client

DEPLOY = ROOT / "examples" / "orders" / "deploy.py"


def deploy(platform):
    env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    out = subprocess.run([sys.executable, DEPLOY], env={**env, "AWS_ENDPOINT_URL": platform.url}, text=True,
                         capture_output=True, timeout=300)
    assert out.returncode == 0, out.stderr
    assert "\n201 Created\n" in out.stdout
    return re.search(r"curl (\S+)/products", out.stdout).group(1)


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    with Cirro(tmp_path_factory.mktemp("orders")) as c:
        yield c


@pytest.fixture(scope="module")
def base(platform):
    return deploy(platform)


def test_products(base):
    assert {p["sku"] for p in requests.get(f"{base}/products").json()} == {"tea", "mug", "pot"}
    assert requests.get(f"{base}/products/tea").json()["cents"] == 1250
    assert requests.get(f"{base}/products/gold").status_code == 404


def test_an_order_is_priced(base):
    r = requests.post(f"{base}/orders", json={"items": [{"sku": "mug", "quantity": 3}, {"sku": "tea"}]})
    assert (r.status_code, r.json()["cents"]) == (201, 3 * 1890 + 1250)


def test_an_order_is_kept(base):
    made = requests.post(f"{base}/orders", json={"items": [{"sku": "tea", "quantity": 2}]}).json()
    assert requests.get(f"{base}/orders/{made['id']}").json() == made
    assert requests.get(f"{base}/orders").json()[0] == made
    assert requests.get(f"{base}/orders/none").status_code == 404


def test_an_order_is_made_once(base):
    def place(key):
        return requests.post(f"{base}/orders", json={"items": [{"sku": "pot"}]}, headers={"Idempotency-Key": key}).json()
    first = place("once")
    assert place("once") == first
    assert place("again")["id"] != first["id"]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert len({order["id"] for order in pool.map(place, ["at once"] * 8)}) == 1


@pytest.mark.parametrize("body, error", [
    ("{}", "An order needs items"),
    ('{"items": [{"sku": "gold"}]}', "No such product: gold"),
    ('{"items": [{"sku": "tea", "quantity": 0}]}', "A quantity is a whole number from 1 to 100"),
    ("{", "The body is not JSON"),
])
def test_what_makes_no_sense_is_refused(base, body, error):
    r = requests.post(f"{base}/orders", data=body)
    assert r.status_code == 400 and r.json()["error"].startswith(error)


def client(platform, service):
    return make_client(platform.url, service, region_name="us-east-1")


def quantities(base, sku):
    """Of the latest orders, those of one line and this product."""
    orders = [order["items"] for order in requests.get(f"{base}/orders").json()]
    return sorted(lines[0]["quantity"] for lines in orders if len(lines) == 1 and lines[0]["sku"] == sku)


def test_orders_come_through_the_queue(platform, base):
    sqs = client(platform, "sqs")
    url, dead = (sqs.get_queue_url(QueueName=name)["QueueUrl"] for name in ("orders", "orders-dead"))
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})  # what fails comes again soon
    for body in ('{"items": [{"sku": "tea", "quantity": 70}]}', "no order"):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    eventually(lambda: 70 in quantities(base, "tea"))
    dead = eventually(lambda: sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=5).get("Messages"))
    assert [m["Body"] for m in dead] == ["no order"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "60"})  # as deploy.py wants it again


def test_orders_come_in_files(platform, base):
    s3, ordered = client(platform, "s3"), list(range(51, 63))  # more than go to the queue at once
    lines = [json.dumps({"items": [{"sku": "mug", "quantity": n}]}) for n in ordered]
    s3.put_object(Bucket="orders-files", Key="incoming/monday ü.jsonl", Body="\n".join(lines).encode())
    eventually(lambda: [n for n in quantities(base, "mug") if n > 50] == ordered)
    eventually(lambda: [o["Key"] for o in s3.list_objects_v2(Bucket="orders-files")["Contents"]] == ["done/monday ü.jsonl"])


def ended(check):
    """What check returns once it tells of an end."""
    return eventually(lambda: (lambda d: d if d and d.get("status") != "RUNNING" else None)(check()))


def test_an_order_goes_its_way(platform, base):
    made = requests.post(f"{base}/orders", json={"items": [{"sku": "mug", "quantity": 12}, {"sku": "tea"}]}).json()
    assert ended(lambda: requests.get(f"{base}/orders/{made['id']}/status").json()) == {
        "status": "SUCCEEDED", "shipment": {"tracking": f"CIRRO-{made['id'][:8]}", "parcels": 3}, "email": {"sent": True}}
    assert requests.get(f"{base}/orders/none/status").status_code == 404


def test_an_order_that_is_not_paid_goes_nowhere(platform, base):
    made = requests.post(f"{base}/orders", json={"items": [{"sku": "pot", "quantity": 100}] * 2}).json()
    status = ended(lambda: requests.get(f"{base}/orders/{made['id']}/status").json())
    assert status == {"status": "FAILED", "error": "PaymentDeclined", "cause": "The payment was declined"}


def test_the_workflow_is_started_by_hand(platform, base):
    sfn = client(platform, "stepfunctions")
    arn = next(m["stateMachineArn"] for m in sfn.list_state_machines()["stateMachines"] if m["name"] == "orders")

    def run(order):
        execution = sfn.start_execution(stateMachineArn=arn, input=json.dumps({"order": order}))["executionArn"]
        return ended(lambda: sfn.describe_execution(executionArn=execution))
    output = json.loads(run({"items": [{"sku": "pot", "quantity": 11, "cents": 1}]})["output"])
    assert (output["paid"], output["parcels"]) == (11 * 3400, 2)
    assert run({"items": [{"sku": "gold"}]})["error"] == "OrderFailed"


def test_it_is_still_there_after_a_crash_and_deploys_again(platform, base):
    order = requests.post(f"{base}/orders", json={"items": [{"sku": "tea"}]}).json()
    platform.restart(signal.SIGKILL)
    assert requests.get(f"{base}/orders/{order['id']}").json() == order
    assert requests.get(f"{base}/products/pot").json()["cents"] == 3400
    assert deploy(platform) == base
