"""What AWS's conformance requirements for durable execution SDKs ask handlers to do, one handler a requirement.

The name of an execution begins with the requirement's number.
https://github.com/aws/aws-durable-execution-conformance-tests
"""
import datetime
import json
import os
import time

from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.config import (
    CallbackConfig, ChildConfig, CompletionConfig, Duration, InvokeConfig, JitterStrategy, MapConfig, NestingType,
    ParallelConfig, StepConfig, StepSemantics, WaitForCallbackConfig)
from aws_durable_execution_sdk_python.retries import RetryDecision, RetryStrategyConfig, create_retry_strategy
from aws_durable_execution_sdk_python.serdes import SerDes
from aws_durable_execution_sdk_python.waits import WaitForConditionConfig, WaitForConditionDecision, WaitStrategyConfig, create_wait_strategy

HANDLERS = {}
BEGINS = True  # this is the execution's first invocation
NO_RETRY = StepConfig(retry_strategy=lambda error, attempt: RetryDecision.no_retry())


def requirement(*numbers):
    def add(does):
        for number in numbers:
            HANDLERS[number] = durable_execution(does)
        return does
    return add


def handler(event, context):
    global BEGINS
    BEGINS = len(event["InitialExecutionState"]["Operations"]) == 1
    name = event["DurableExecutionArn"].split("/")[2]
    return HANDLERS["-".join(name.split("-")[:2])](event, context)


def seconds(n):
    return Duration.from_seconds(n)


def retry(attempts, delay=1, rate=1, **more):
    return create_retry_strategy(RetryStrategyConfig(
        max_attempts=attempts, initial_delay=seconds(delay), backoff_rate=rate, jitter_strategy=JitterStrategy.NONE, **more))


def returns(value):
    return lambda *_: value


def fails(error):
    def fail(*_):
        raise error
    return fail


def fails_until(attempt, value):
    def work(context):
        if context.attempt < attempt:
            raise RuntimeError(f"attempt {context.attempt}")
        return value
    return work


class Upper(SerDes):
    def serialize(self, value, _):
        return json.dumps(value).upper()

    def deserialize(self, data, _):
        return json.loads(data)


class UpperText(SerDes):
    def serialize(self, value, _):
        return value.upper()

    def deserialize(self, data, _):
        return data


class UpperAnswer(Upper):
    def deserialize(self, data, _):
        return json.loads(data.upper())


class Parsed(SerDes):
    def serialize(self, value, _):
        return json.dumps(value)

    def deserialize(self, data, _):
        return json.loads(data)


class Caught:
    """What to give where an operation fails."""

    def __init__(self, otherwise):
        self.otherwise = otherwise

    def __call__(self, operation, *args, **kw):
        try:
            return operation(*args, **kw)
        except Exception:
            return self.otherwise


# Steps

@requirement("1-1")
def greeting(event, context):
    return context.step(returns(f"Hello, {event}!"))


@requirement("1-2")
def named_step(event, context):
    return context.step(returns(f"Hello, {event}!"), name="custom_step_name")


@requirement("1-3")
def sequential(event, context):
    first = context.step(returns("first"))
    return context.step(returns(first + "_second"))


@requirement("1-4")
def structured(event, context):
    return context.step(returns({"user": event, "count": len(event["tags"])}))


@requirement("1-5")
def nothing(event, context):
    return context.step(returns(None))


@requirement("1-6")
def upper_step(event, context):
    return context.step(returns(event), config=StepConfig(serdes=Upper()))


@requirement("1-8", "1-9")
def step_then_wait(event, context):
    value, pause = {"1-8": ("computed", 2), "1-9": ("cached_value", 1)}[number(context)]
    value = context.step(returns(value))
    context.wait(seconds(pause))
    return value


def number(context):
    return "-".join(context.state.durable_execution_arn.split("/")[2].split("-")[:2])


@requirement("1-10")
def failed_step_then_wait(event, context):
    value = Caught("caught")(context.step, fails(ValueError("for good")), config=NO_RETRY)
    context.wait(seconds(1))
    return value


@requirement("1-11")
def second_attempt(event, context):
    return context.step(fails_until(2, "Operation succeeded"), config=StepConfig(retry_strategy=retry(3)))


@requirement("1-12")
def four_attempts(event, context):
    return context.step(fails(RuntimeError("always")), config=StepConfig(retry_strategy=retry(4)))


@requirement("1-14")
def backoff(event, context):
    return context.step(fails_until(3, "done"), config=StepConfig(retry_strategy=retry(5, 2, 3)))


class TransientError(Exception):
    pass


@requirement("1-15", "1-16")
def transient(event, context):
    def once(step):
        if step.attempt == 1:
            raise TransientError("once")
        return "done"
    retried = TransientError if number(context) == "1-15" else ValueError
    return context.step(once, config=StepConfig(retry_strategy=retry(3, retryable_error_types=[retried])))


@requirement("1-17", "1-18")
def at_most_once(event, context):
    def flaky(step):
        if number(context) == "1-17" or step.attempt == 1:
            os._exit(1)
        return "succeeded on second attempt"
    attempts = 1 if number(context) == "1-17" else 3
    return context.step(flaky, "at_most_once_flaky_step", StepConfig(
        step_semantics=StepSemantics.AT_MOST_ONCE_PER_RETRY, retry_strategy=retry(attempts)))


@requirement("1-19")
def step_fails(event, context):
    return context.step(fails(RuntimeError("always")), config=NO_RETRY)


@requirement("1-20")
def step_caught(event, context):
    value = Caught("fallback_result")(context.step, fails(RuntimeError("always")), config=NO_RETRY)
    return context.step(returns(value))


# Waits

@requirement("2-1")
def wait(event, context):
    context.wait(seconds(2))
    return "waited"


@requirement("2-2")
def named_wait(event, context):
    context.wait(seconds(2), "custom_wait_name")
    return "waited"


@requirement("2-3")
def two_waits(event, context):
    context.wait(seconds(2), "wait-1")
    context.wait(seconds(2), "wait-2")
    return {"completedWaits": 2}


@requirement("2-4", "2-5")
def long_wait(event, context):
    context.wait(Duration.from_minutes(1) if number(context) == "2-4" else Duration.from_hours(1))


# Child contexts

def in_child(*operations):
    """A child that does the operations in turn and gives the last one's value."""
    def child(context):
        value = None
        for operation in operations:
            value = operation(context)
        return value
    return child


def a_step(value):
    return lambda context: context.step(returns(value))


def run(context, work, name="child", **config):
    return context.run_in_child_context(work, name, ChildConfig(**config))


@requirement("3-1")
def child(event, context):
    return run(context, in_child(a_step(event)))


@requirement("3-2")
def named_child(event, context):
    return run(context, in_child(a_step(event["value"])), event["name"])


@requirement("3-3")
def child_of_two(event, context):
    return run(context, in_child(a_step(event), a_step(event)))


@requirement("3-4")
def child_fails(event, context):
    return run(context, lambda c: c.step(fails(ValueError("inner")), config=NO_RETRY))


@requirement("3-5")
def child_caught(event, context):
    Caught(None)(run, context, lambda c: c.step(fails(ValueError("inner")), config=NO_RETRY))
    return context.step(returns(event))


@requirement("3-6")
def nested(event, context):
    return run(context, in_child(a_step(event), lambda c: run(c, in_child(a_step(event)), "inner")))


@requirement("3-7")
def child_retries(event, context):
    return run(context, lambda c: c.step(fails_until(2, event), config=StepConfig(retry_strategy=retry(3))))


@requirement("3-8")
def child_gives_up(event, context):
    return run(context, lambda c: c.step(fails(ValueError("inner")), config=StepConfig(retry_strategy=retry(2))))


@requirement("3-9")
def child_then_wait(event, context):
    value = run(context, in_child(a_step(event)))
    context.wait(seconds(1))
    return value


@requirement("3-10")
def child_waits(event, context):
    def child(c):
        value = c.step(returns(event))
        c.wait(seconds(1))
        return value
    return run(context, child)


@requirement("3-11")
def child_grows(event, context):
    large = run(context, lambda c: c.step(returns(event)) * 40_000)
    context.wait(seconds(1))
    return len(large)


@requirement("3-12")
def child_crashes(event, context):
    def crash(_):
        if BEGINS:
            time.sleep(3)  # until it is on record that this has begun
            os._exit(1)
        return event

    return run(context, lambda c: c.step(crash))


@requirement("3-13")
def child_waits_first(event, context):
    run(context, lambda c: c.wait(seconds(1)) or event)
    return context.step(returns(event))


@requirement("3-18")
def child_then_step_and_wait(event, context):
    child_waits(event, context)
    value = context.step(returns(event))
    context.wait(seconds(1))
    return value


@requirement("3-14")
def child_upper(event, context):
    return run(context, in_child(a_step(event)), serdes=UpperText())


@requirement("3-15")
def child_fails_at_once(event, context):
    return run(context, fails(ValueError("at once")))


@requirement("3-16")
def child_of_nothing(event, context):
    return run(context, returns(None))


# Callbacks

def create(context, name, **limits):
    return context.create_callback(name, CallbackConfig(**{k: seconds(n) for k, n in limits.items()}))


@requirement("4-1", "4-6")
def callback(event, context):
    return create(context, event).result()


@requirement("4-2")
def named_callback(event, context):
    return create(context, "approval").result()


@requirement("4-3")
def callback_timeout(event, context):
    return create(context, event, timeout=5).result()


@requirement("4-4")
def callback_heartbeat(event, context):
    return create(context, event, heartbeat_timeout=5).result()


@requirement("4-5")
def callback_beats(event, context):
    return create(context, event, heartbeat_timeout=10).result()


@requirement("4-7")
def callback_step(event, context):
    asked = create(context, event)
    context.step(returns(1))
    return asked.result()


@requirement("4-8")
def callback_step_timeout(event, context):
    asked = create(context, event, timeout=5)
    context.step(returns(1))
    return asked.result()


@requirement("4-9", "4-10")
def callback_wait(event, context):
    asked = create(context, event)
    context.wait(seconds(5))
    return asked.result()


@requirement("4-11")
def callback_times_out_within_a_wait(event, context):
    asked = create(context, event, timeout=3)
    context.wait(seconds(6))
    return asked.result()


@requirement("4-12")
def callback_then_wait(event, context):
    answer = create(context, event).result()
    context.wait(seconds(2))
    return answer


@requirement("4-13")
def callback_caught(event, context):
    message = Caught("caught")(create(context, event).result)
    context.wait(seconds(2))
    return message


@requirement("4-14")
def callback_timeout_caught(event, context):
    message = Caught("caught")(create(context, event, timeout=3).result)
    context.wait(seconds(2))
    return message


class Received(SerDes):
    def serialize(self, value, _):
        return json.dumps(value)

    def deserialize(self, data, _):
        value = json.loads(data)
        return {**value, "timestamp": int(datetime.datetime.fromisoformat(value["timestamp"]).timestamp())}


@requirement("4-15")
def callback_structured(event, context):
    return {"received": context.create_callback(event, CallbackConfig(serdes=Received())).result()}


@requirement("4-16")
def callback_number(event, context):
    count = context.create_callback(event, CallbackConfig(serdes=Parsed())).result()
    return {"count": count, "doubled": count * 2}


@requirement("4-17")
def one_callback_after_another(event, context):
    return [create(context, name).result() for name in event]


@requirement("4-18", "4-19")
def two_callbacks(event, context):
    a, b = (create(context, name) for name in event)
    if number(context) == "4-18":
        return [a.result(), b.result()]
    return [b.result(), a.result()][::-1]


# Chained invokes

ECHO, FAILING = os.environ.get("ECHO"), os.environ.get("FAILING")


@requirement("5-1", "5-3", "5-4", "5-7", "5-16")
def invoke(event, context):
    payload = {"5-4": None, "5-7": "x" * 200_000}.get(number(context), event)
    config = InvokeConfig(serdes_result=UpperAnswer()) if number(context) == "5-16" else None
    answer = context.invoke(ECHO, payload, config=config)
    return len(answer) if number(context) == "5-7" else answer


@requirement("5-2")
def named_invoke(event, context):
    return context.invoke(ECHO, event["payload"], event["name"])


@requirement("5-5")
def invoke_fails(event, context):
    return context.invoke(FAILING, event)


@requirement("5-6")
def invoke_caught(event, context):
    return Caught("fallback")(context.invoke, FAILING, event)


@requirement("5-9")
def invoke_then_wait(event, context):
    answer = context.invoke(ECHO, event)
    context.wait(seconds(1))
    return answer


@requirement("5-10")
def failed_invoke_then_wait(event, context):
    answer = Caught("fallback")(context.invoke, FAILING, event)
    context.wait(seconds(1))
    return answer


@requirement("5-11")
def step_then_invoke(event, context):
    return context.invoke(ECHO, context.step(returns("stepped")))


@requirement("5-12")
def invoke_then_step(event, context):
    answer = context.invoke(ECHO, "asked")
    return context.step(returns(answer))


@requirement("5-13")
def child_invokes(event, context):
    return context.run_in_child_context(lambda c: c.invoke(ECHO, "asked"))


@requirement("5-14")
def two_invokes(event, context):
    return [context.invoke(ECHO, n) for n in (1, 2)]


@requirement("5-15")
def upper_invoke(event, context):
    return context.invoke(ECHO, event, config=InvokeConfig(serdes_payload=Upper()))


# Waits for conditions

def until(context, check, done, initial, delay=1, attempts=None, **more):
    def decide(state, made):
        if done(state):
            return WaitForConditionDecision.stop_polling()
        return WaitForConditionDecision.continue_waiting(seconds(delay))
    strategy = decide if attempts is None else create_wait_strategy(WaitStrategyConfig(
        should_continue_polling=lambda state: not done(state), max_attempts=attempts, initial_delay=seconds(delay), backoff_rate=1,
        jitter_strategy=JitterStrategy.NONE))
    return context.wait_for_condition(check, WaitForConditionConfig(wait_strategy=strategy, initial_state=initial), **more)


def increment(state, _):
    return state + 1


@requirement("6-1", "6-2", "6-3", "6-4", "6-5", "6-6")
def condition(event, context):
    initial = {"6-2": 5, "6-4": 5}.get(number(context), 0)
    check = (lambda state, _: state) if number(context) == "6-2" else increment
    more = {"6-3": {"name": "poll-status"}, "6-5": {"delay": 2}, "6-6": {"attempts": 3}}.get(number(context), {})
    return until(context, check, lambda state: number(context) != "6-6" and state >= event, initial, **more)


@requirement("6-7")
def condition_fails(event, context):
    return until(context, fails(ValueError("the check")), returns(True), 0)


@requirement("6-8")
def condition_caught(event, context):
    return Caught("recovered")(until, context, fails(ValueError("the check")), returns(True), 0)


@requirement("6-9")
def structured_condition(event, context):
    def check(state, _):
        attempts = state["attempts"] + 1
        return {"status": "DONE" if attempts == 2 else "PENDING", "attempts": attempts}
    return until(context, check, lambda state: state["status"] == "DONE", {"status": "PENDING", "attempts": 0})


@requirement("6-10")
def condition_of_nothing(event, context):
    return until(context, returns(None), returns(True), None)


@requirement("6-12")
def condition_then_step(event, context):
    return context.step(returns(until(context, increment, lambda state: state >= event, 0) * 10))


@requirement("6-13")
def two_conditions(event, context):
    return until(context, increment, lambda state: state >= 4, until(context, increment, lambda state: state >= 2, 0))


# Waits for callbacks

def submitted(context, name, submit=returns(None), **config):
    return context.wait_for_callback(submit, name, WaitForCallbackConfig(**config))


@requirement("7-1", "7-4", "7-15")
def submit(event, context):
    return submitted(context, event)


@requirement("7-2")
def named_submit(event, context):
    return submitted(context, "approval")


@requirement("7-3")
def nameless_submit(event, context):
    return submitted(context, None)


@requirement("7-5")
def submit_timeout(event, context):
    return submitted(context, event, timeout=seconds(3))


@requirement("7-6")
def submit_caught(event, context):
    return Caught("recovered")(submitted, context, event)


@requirement("7-7")
def submit_fails(event, context):
    return submitted(context, event, fails(RuntimeError("submit")), retry_strategy=retry(2))


@requirement("7-8")
def submit_in_child(event, context):
    return context.run_in_child_context(lambda c: submitted(c, event), "wrapper")


@requirement("7-9")
def submit_twice(event, context):
    submitted(context, "first")
    return submitted(context, "second")


@requirement("7-10")
def wait_step_submit(event, context):
    context.wait(seconds(1))
    context.step(returns({"fixed": True}))
    return submitted(context, event)


@requirement("7-11")
def submit_parsed(event, context):
    return submitted(context, event, serdes=Parsed())["status"]


@requirement("7-12")
def submit_heartbeat(event, context):
    return submitted(context, event, heartbeat_timeout=seconds(5))


@requirement("7-13")
def submit_beats(event, context):
    return submitted(context, event, heartbeat_timeout=seconds(10))


@requirement("7-14")
def submit_timeout_caught(event, context):
    return Caught("timed-out-handled")(submitted, context, event, timeout=seconds(3))


# Parallel and map

def projected(batch, *fields):
    every = {"completionReason": batch.completion_reason.value, "status": batch.status.value, "successCount": batch.success_count,
             "failureCount": batch.failure_count, "totalCount": batch.total_count}
    return {f: every[f] for f in fields or every}


@requirement("8-1")
def parallel(event, context):
    branches = [lambda c: c.step(returns("task-1")), lambda c: c.step(returns("task-2"))]
    return context.parallel(branches, "parallel", ParallelConfig(max_concurrency=1)).get_results()


@requirement("8-2", "8-4", "8-5")
def parallel_values(event, context):
    values = {"8-2": ["alpha", "beta"], "8-4": ["hello", 42, {"k": "v"}], "8-5": []}[number(context)]
    return context.parallel([returns(v) for v in values], config=ParallelConfig(max_concurrency=1)).get_results()


@requirement("8-14")
def parallel_waits(event, context):
    def waits(c):
        c.wait(seconds(2))
        return "b1"
    return context.parallel([a_step("b0"), waits], config=ParallelConfig(max_concurrency=1)).get_results()


@requirement("8-21")
def parallel_in_parallel(event, context):
    def inner(c):
        return c.parallel([a_step("i1"), a_step("i2")], config=ParallelConfig(max_concurrency=1)).get_results()
    return context.parallel([inner], config=ParallelConfig(max_concurrency=1)).get_results()


@requirement("8-22")
def parallel_tolerates(event, context):
    branches = [fails(ValueError("first")), returns(1), returns(2), returns(3)]
    return projected(context.parallel(branches, config=ParallelConfig(
        max_concurrency=1, completion_config=CompletionConfig(tolerated_failure_percentage=25))))


def mapped(context, items, work, name=None, completion=None, **config):
    if completion:
        config["completion_config"] = CompletionConfig(**completion)
    return context.map(items, work, name, MapConfig(max_concurrency=1, **config))


@requirement("9-1")
def map_steps(event, context):
    return mapped(context, event, lambda c, item, *_: c.step(returns(f"Hello, {item}!")), "map").get_results()


@requirement("9-2")
def map_values(event, context):
    return mapped(context, event, lambda c, item, *_: item * 2).get_results()


@requirement("9-4")
def map_of_nothing(event, context):
    return mapped(context, event, lambda c, item, *_: item).get_results()


def second_fails(c, item, index, items):
    if index == 1:
        raise ValueError("second")
    return "ok"


@requirement("9-5")
def map_fails_fast(event, context):
    return projected(mapped(context, [0, 1, 2], second_fails, completion={"tolerated_failure_count": 0}))


@requirement("9-7")
def map_of_enough(event, context):
    return projected(mapped(context, [0, 1, 2, 3], returns("done"), completion={"min_successful": 2}),
                     "completionReason", "successCount", "totalCount")


@requirement("9-8")
def map_tolerates(event, context):
    return projected(mapped(context, [0, 1, 2], second_fails, completion={"tolerated_failure_count": 1}))


@requirement("9-12")
def map_flat(event, context):
    return mapped(context, ["fa", "fb"], lambda c, item, *_: c.step(returns(item)), nesting_type=NestingType.FLAT).get_results()


@requirement("9-15")
def map_waits(event, context):
    def work(c, item, index, items):
        if index == 1:
            c.wait(seconds(1))
        return c.step(returns(item))
    return mapped(context, ["r0", "r1"], work).get_results()


@requirement("9-16")
def map_large(event, context):
    return projected(mapped(context, range(4), returns("x" * 70_000)), "successCount", "totalCount")


@requirement("9-17")
def map_succeeds_then_waits(event, context):
    batch = mapped(context, ["a", "b"], lambda c, item, *_: item.upper())
    context.wait(seconds(1))
    return batch.get_results()


@requirement("9-18")
def map_then_wait(event, context):
    batch = mapped(context, [0, 1], second_fails, completion={"tolerated_failure_count": 1})
    context.wait(seconds(1))
    return projected(batch)
