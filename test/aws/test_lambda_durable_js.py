"""Lambda durable functions by AWS's durable execution SDK for JavaScript, unmodified, in the function.

https://docs.aws.amazon.com/lambda/latest/dg/durable-functions.html
https://github.com/aws/aws-durable-execution-sdk-js
"""
import json

import pytest

import javascript
from conftest import unique
from test_lambda_durable import FAILED, Durable, details, story

SOURCE = """
import { withDurableExecution, createRetryStrategy, JitterStrategy } from "@aws/durable-execution-sdk-js";

const retryStrategy = createRetryStrategy({ maxAttempts: 4, initialDelay: { seconds: 5 }, backoffRate: 2, jitter: JitterStrategy.NONE });

const does = {
  async steps(event, context) {
    const first = await context.step("first", async () => 1);
    await context.wait("pause", { minutes: 1 });
    const second = await context.step("second", async () => first + 1);
    return { first, second, event };
  },
  async retried(event, context) {
    return await context.step("flaky", async ({ attempt }) => {
      if (attempt < event.succeeds) throw new TypeError("attempt " + attempt);
      return attempt;
    }, { retryStrategy });
  },
  async condition(event, context) {
    return await context.waitForCondition("until three", async (state) => state + 1, {
      initialState: 0, waitStrategy: (state) => state < 3 ? { shouldContinue: true, delay: { seconds: 10 } } : { shouldContinue: false } });
  },
  async together(event, context) {
    const branches = await context.parallel("branches", [
      { name: "waits", func: async (c) => { await c.wait({ seconds: 60 }); return await c.step(async () => "waited"); } },
      { name: "nested", func: (c) => c.runInChildContext("inner", (inner) => inner.step("leaf", async () => "leaf")) },
    ]);
    const items = await context.map("items", [1, 2, 3], async (c, item) => await c.step(async () => item * 10), { maxConcurrency: 2 });
    const all = await context.promise.all([context.step(async () => "a"), context.wait({ seconds: 100 }), context.step(async () => "b")]);
    return { branches: branches.getResults(), items: items.getResults(), all };
  },
  async callback(event, context) {
    const [answer] = await context.createCallback("approval", { timeout: { seconds: event.timeout } });
    try {
      return { approved: await answer };
    } catch (e) {
      return { error: e.constructor.name, message: e.message };
    }
  },
  async submitted(event, context) {
    return await context.waitForCallback("submit", async (id) => { console.log("submitted", id); }, { timeout: { hours: 10 } });
  },
  async chained(event, context) {
    try {
      return { answer: await context.invoke("other", event.function, event.payload) };
    } catch (e) {
      return { error: e.constructor.name, message: e.message };
    }
  },
  async fails(event, context) {
    await context.wait({ seconds: 1 });
    throw new RangeError("as it should");
  },
  async large(event, context) {
    return "y".repeat(event.size);
  },
};

export const handler = withDurableExecution(async (event, context) => does[event.do](event, context));
"""


@pytest.fixture(scope="module")
def durable(client, function):
    code = javascript.package(SOURCE, "@aws/durable-execution-sdk-js")
    name = function("", "index.handler", Zip=code, Runtime="nodejs22.x", Timeout=60, MemorySize=512, DurableConfig={"ExecutionTimeout": 900})
    return Durable(client, name, None)


def test_steps_and_a_wait(durable):
    arn = durable.start("steps", n=1)
    assert durable.result(arn) == {"first": 1, "second": 2, "event": {"do": "steps", "n": 1}}
    events = durable.history(arn)
    assert story(events) == ["ExecutionStarted", "StepStarted", "StepSucceeded", "WaitStarted",
                             "WaitSucceeded", "StepStarted", "StepSucceeded", "ExecutionSucceeded"]
    assert [e.get("Name") for e in events if e["EventType"].startswith(("Step", "Wait"))] == ["first"] * 2 + ["pause"] * 2 + ["second"] * 2
    assert details(next(e for e in events if e["EventType"] == "WaitStarted"))["Duration"] == 60


def test_a_step_is_retried_later_and_later(durable):
    arn = durable.start("retried", succeeds=3)
    assert durable.result(arn) == 3
    failed = [details(e) for e in durable.history(arn) if e["EventType"] == "StepFailed"]
    assert [f["RetryDetails"] for f in failed] == [
        {"CurrentAttempt": 1, "NextAttemptDelaySeconds": 5}, {"CurrentAttempt": 2, "NextAttemptDelaySeconds": 10}]
    assert [f["Error"]["Payload"]["ErrorMessage"] for f in failed] == ["attempt 1", "attempt 2"]


def test_a_step_runs_out_of_attempts(durable):
    execution = durable.ended(durable.start("retried", succeeds=9))
    assert execution["Status"] == FAILED and execution["Error"]["ErrorMessage"] == "attempt 4"


def test_wait_for_condition(durable):
    assert durable.result(durable.start("condition")) == 3


def test_parallel_map_child_contexts_and_promises(durable):
    arn = durable.start("together")
    assert durable.result(arn) == {"branches": ["waited", "leaf"], "items": [10, 20, 30], "all": ["a", None, "b"]}
    kinds = [e["SubType"] for e in durable.history(arn) if e["EventType"] == "ContextStarted"]
    assert kinds.count("ParallelBranch") == 2 and kinds.count("MapIteration") == 3 and kinds.count("RunInChildContext") >= 1


def test_callbacks(durable):
    arn = durable.start("callback", timeout=90000)
    callback = details(durable.event(arn, "CallbackStarted"))["CallbackId"]
    durable.client.send_durable_execution_callback_success(CallbackId=callback, Result=b"yes")
    assert durable.result(arn) == {"approved": "yes"}
    arn = durable.start("callback", timeout=90000)
    callback = details(durable.event(arn, "CallbackStarted"))["CallbackId"]
    durable.client.send_durable_execution_callback_failure(CallbackId=callback, Error={"ErrorType": "Declined", "ErrorMessage": "not today"})
    assert durable.result(arn) == {"error": "CallbackExternalError", "message": "not today"}
    assert durable.result(durable.start("callback", timeout=20)) == {"error": "CallbackTimeoutError", "message": "Callback timed out"}
    arn = durable.start("submitted")
    durable.event(arn, "StepSucceeded")
    callback = details(durable.event(arn, "CallbackStarted"))["CallbackId"]
    durable.client.send_durable_execution_callback_success(CallbackId=callback, Result=b"done")
    assert durable.result(arn) == "done"


def test_chained_invokes(durable):
    itself = f"{durable.name}:$LATEST"
    arn = durable.start("chained", function=itself, payload={"do": "retried", "succeeds": 2})
    assert durable.result(arn) == {"answer": 2}
    arn = durable.start("chained", function=itself, payload={"do": "fails"})
    assert durable.result(arn) == {"error": "InvokeError", "message": "as it should"}
    arn = durable.start("chained", function="nowhere", payload={})
    assert durable.result(arn)["error"] == "InvokeError"


def test_an_execution_fails(durable):
    reply = durable.invoke({"do": "fails"}, DurableExecutionName=unique())
    assert reply["FunctionError"]
    assert json.load(reply["Payload"])["errorMessage"] == "as it should"
    execution = durable.get(reply["DurableExecutionArn"])
    assert execution["Status"] == FAILED and execution["Error"]["ErrorMessage"] == "as it should"


def test_a_result_larger_than_an_answer(durable):
    reply = durable.invoke({"do": "large", "size": 6 * 1024 * 1024 - 10})
    assert len(json.load(reply["Payload"])) == 6 * 1024 * 1024 - 10
