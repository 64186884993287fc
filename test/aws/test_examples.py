"""The example that `make run` deploys, as its user meets it."""
import concurrent.futures
import os
import re
import signal
import subprocess
import sys

import pytest
import requests

from cirro import ROOT, Cirro

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


def test_it_is_still_there_after_a_crash_and_deploys_again(platform, base):
    order = requests.post(f"{base}/orders", json={"items": [{"sku": "tea"}]}).json()
    platform.restart(signal.SIGKILL)
    assert requests.get(f"{base}/orders/{order['id']}").json() == order
    assert requests.get(f"{base}/products/pot").json()["cents"] == 3400
    assert deploy(platform) == base
