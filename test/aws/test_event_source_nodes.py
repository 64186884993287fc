"""Two nodes over one database: one of them polls a source, and the other one does when that one is gone."""
import signal

from conftest import ROLE, RUNTIME, eventually, make_client, package, unique
from test_event_source_streams import Streams
from test_nodes import two

# Writes down which records it was given, in their order.
WORKER = """
    import os, boto3
    dynamodb = boto3.client("dynamodb")
    def handler(event, context):
        numbers = [r["dynamodb"]["Keys"]["sk"] for r in event["Records"]]
        dynamodb.update_item(TableName=os.environ["LOG"], Key={"pk": {"S": "log"}, "sk": {"N": "0"}},
            UpdateExpression="SET seen = list_append(if_not_exists(seen, :none), :new)",
            ExpressionAttributeValues={":none": {"L": []}, ":new": {"L": numbers}})
"""


def test_one_node_polls_at_a_time(tmp_path):
    with two(tmp_path) as platforms:
        here, there = (Streams(lambda service, url=p.url: make_client(url, service), None) for p in platforms)
        fn, (table, arn), (log, _) = unique("fn"), here.table(), here.table()
        here.awslambda.create_function(FunctionName=fn, Runtime=RUNTIME, Handler="app.handler", Role=ROLE, Timeout=60, MemorySize=512,
                                       Environment={"Variables": {"LOG": log}}, Code={"ZipFile": package(WORKER)})
        here.awslambda.get_waiter("function_active_v2").wait(FunctionName=fn, WaiterConfig={"Delay": 0.1, "MaxAttempts": 1200})

        def seen(node):
            item = node.dynamodb.get_item(TableName=log, Key={"pk": {"S": "log"}, "sk": {"N": "0"}}, ConsistentRead=True).get("Item")
            return [int(n["N"]) for n in item["seen"]["L"]] if item else []
        mapping = here.map(arn, fn, StartingPosition="LATEST", BatchSize=3)
        for n in range(20):
            (here if n % 2 else there).put(table, "a", n)
        eventually(lambda: len(seen(there)) >= 20)
        assert seen(there) == list(range(20)), "each once, and in order"

        # A change that one node is told of is the other's, too.
        there.awslambda.update_event_source_mapping(UUID=mapping, Enabled=False)
        here.state(mapping, "Disabled")
        here.awslambda.update_event_source_mapping(UUID=mapping, Enabled=True)
        there.state(mapping, "Enabled")
        here.put(table, "a", 20)
        eventually(lambda: seen(there)[-1] == 20)

        platforms[0].stop(signal.SIGKILL)
        there.put(table, "a", *range(21, 30))
        eventually(lambda: seen(there)[-1] == 29)
        assert sorted(set(seen(there))) == list(range(30))
        there.awslambda.delete_event_source_mapping(UUID=mapping)
        eventually(lambda: there.awslambda.list_event_source_mappings()["EventSourceMappings"] == [])
