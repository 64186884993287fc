package python_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"cirro/internal/sandbox/jail"
)

// What a function does with objects that were there before it is what it does with any others.
func TestWhatIsSharedBehavesAsUsual(t *testing.T) {
	long := os.Getenv("CIRRO_LONG") == "1"
	minors := []int{11, 13}
	if long {
		minors = []int{11, 12, 13} // the two last are alike in this
	}
	for _, minor := range minors {
		name := "python3." + strconv.Itoa(minor)
		t.Run(name, func(t *testing.T) {
			n := newNest(t, jail.AsRoot, name, packages(t))
			if !strings.Contains(n.runtime.Version, ":3."+strconv.Itoa(minor)+".") {
				t.Skipf("no %s", name)
			}
			n.hatch()
			want := "True"
			if minor < 12 {
				want = "False" // counts references everywhere
			}
			code := useAndAbuse
			if !long {
				code = strings.Replace(code, "in names:", "in names[::8]:", 1)
			}
			if got := n.egg().run(code, nil); !strings.HasSuffix(got, want+" done") {
				t.Errorf("got %s", got)
			}
		})
	}
}

// useAndAbuse imports much, changes and deletes what was loaded ahead, and collects it.
const useAndAbuse = `
import sys, gc, json, weakref, importlib, pkgutil, pickle, copy, threading, collections, logging
immortal = sys.getrefcount(json.decoder) > 1 << 30
mine = object()
assert sys.getrefcount(mine) < 10  # what is new is counted

names = [m.name for m in pkgutil.iter_modules() if m.name not in ("antigravity", "this", "idlelib", "turtledemo", "body", "app")]
for name in names:
    try:
        importlib.import_module(name)
    except Exception:
        pass
import boto3
def clients():
    made = [boto3.client(s, "us-east-1", aws_access_key_id="a", aws_secret_access_key="b") for s in ("s3", "sqs", "ec2", "dynamodb")]
    assert len(made[0].generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"})) > 100
    assert copy.copy(made[0].meta.config.retries) is not made
clients()

# Changing what is shared, and what hangs on it.
class Ends:
    ended = 0
    def __del__(self):
        Ends.ended += 1
for module in (json, logging, collections):
    for n in range(300):
        setattr(module, f"extra{n}", Ends())
    for n in range(300):
        delattr(module, f"extra{n}")
assert Ends.ended == 900
kept = logging.root.manager.loggerDict
kept["mine"] = Ends()
del kept["mine"]
assert Ends.ended == 901
cycle = [json, Ends()]
cycle.append(cycle)
seen = weakref.ref(cycle[1])
del cycle
gc.collect()
assert seen() is None and Ends.ended == 902

assert json.loads(json.dumps({"a": [1, 2.5, None, "b"] * 100}))["a"][3] == "b"
assert pickle.loads(pickle.dumps(collections.OrderedDict(a=1)))["a"] == 1
text = logging.__name__
text += "x" * 100
assert logging.__name__ == "logging" and len(text) == 107
assert sum(json.encoder.INFINITY > n for n in range(1000)) == 1000

class Child(logging.Handler):
    def emit(self, record):
        pass
handler = Child()
logging.getLogger("mine").addHandler(handler)
logging.getLogger("mine").warning("%s", 1)
logging.getLogger("mine").removeHandler(handler)

threads = [threading.Thread(target=clients) for _ in range(8)]
for t in threads:
    t.start()
for t in threads:
    t.join()

# All anew, while what was there is collected.
gc.unfreeze()
gc.collect()
for name in [n for n in sys.modules if n.partition(".")[0] in ("boto3", "botocore", "urllib3", "json", "email", "xml", "asyncio")]:
    del sys.modules[name]
gc.collect()
import boto3, json, asyncio
async def later():
    await asyncio.sleep(0)
    return 1
assert asyncio.run(later()) == 1
clients()
gc.collect()
print(immortal, "done")
`
