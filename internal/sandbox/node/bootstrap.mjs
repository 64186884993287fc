// Runs a Lambda function written for Node.js: gets invocations from the Runtime API and answers them.
//
// It behaves as AWS's own runtime (https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html) and
// is written to start fast: it speaks HTTP over a plain socket and loads only what every function needs.
//
// A log record that may span lines is written to standard output as one line that begins with the byte
// 0xFF, which no UTF-8 text contains, and has NUL for each line break inside it.
//
// With --wait it is started before its function is known: it loads what functions commonly use, writes a
// byte to descriptor 3, and reads from it, as one line of JSON, what environment it is to have.

import Module, { createRequire } from "node:module";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import util from "node:util";
import vm from "node:vm";

const require = createRequire(import.meta.url);
const env = process.env;
const prefix = "/2018-06-01/runtime/";

// --- errors ------------------------------------------------------------------------------------------

function named(name) {
  const kind = class extends Error {};
  kind.prototype.name = `Runtime.${name}`;
  return kind;
}

const ImportModuleError = named("ImportModuleError");
const HandlerNotFound = named("HandlerNotFound");
const MalformedHandlerName = named("MalformedHandlerName");
const MalformedStreamingHandler = named("MalformedStreamingHandler");
const UserCodeSyntaxError = named("UserCodeSyntaxError");
const InvalidStreamingOperation = named("InvalidStreamingOperation");
const UnhandledPromiseRejection = named("UnhandledPromiseRejection");

const clean = (text) => text?.replace(/\x7F/g, "%7F");

// errorOf is an error as the function's callers see it.
function errorOf(error) {
  try {
    const looksLikeError = error && typeof error.name === "string" && typeof error.message === "string" &&
      typeof error.stack === "string" && error.name && error.message && error.stack;
    if (util.types.isNativeError(error) || looksLikeError) {
      return {
        errorType: clean(error.name),
        errorMessage: clean(error.message),
        trace: clean(error.stack).split("\n"),
      };
    }
    return { errorType: typeof error, errorMessage: error.toString(), trace: [] };
  } catch {
    return {
      errorType: "handled",
      errorMessage: "callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack",
    };
  }
}

function errorText(error) {
  try {
    return "\t" + JSON.stringify(error, (_, value) => {
      if (!(value instanceof Error)) return value;
      const out = Object.assign({ errorType: value.name, errorMessage: value.message, code: value.code }, value);
      if (typeof value.stack === "string") out.stack = value.stack.split("\n");
      return out;
    });
  } catch {
    return "\t" + JSON.stringify(errorOf(error));
  }
}

function xrayCause(error) {
  try {
    const stack = (error.stack ?? "").split("\n").slice(1).map((line) => {
      const m = /^\s*at (?:(.*) \()?(.*?):(\d+)(?::\d+)?\)?$/.exec(line);
      return m && { path: m[2], line: Number(m[3]), label: m[1] ?? "anonymous" };
    }).filter(Boolean);
    return JSON.stringify({
      working_directory: process.cwd(),
      exceptions: [{ type: clean(error.name), message: clean(error.message), stack }],
      paths: [...new Set(stack.map((frame) => frame.path))],
    });
  } catch {
    return "";
  }
}

// --- log ---------------------------------------------------------------------------------------------

const requestIdKey = Symbol.for("aws.lambda.runtime.requestId");
const tenantIdKey = Symbol.for("aws.lambda.runtime.tenantId");
let jsonLog = false;
const levels = { TRACE: 1, DEBUG: 2, INFO: 3, WARN: 4, ERROR: 5, FATAL: 6 };

function writeRecord(text) {
  if (text.endsWith("\n")) text = text.slice(0, -1);
  const body = Buffer.from(text.replaceAll("\n", "\0") + "\n");
  let data = Buffer.concat([Buffer.from([0xff]), body]);
  while (data.length > 0) {
    try {
      data = data.subarray(fs.writeSync(1, data));
    } catch (e) {
      if (e.code !== "EAGAIN") return;
    }
  }
}

const textLog = (level) => (message, ...rest) =>
  writeRecord(`${new Date().toISOString()}\t${globalThis[requestIdKey]}\t${level}\t${util.format(message, ...rest)}`);

function plainError(_, value) {
  if (!(value instanceof Error)) return value;
  return Object.assign({
    errorType: value?.constructor?.name ?? "UnknownError",
    errorMessage: value.message,
    stackTrace: typeof value.stack === "string" ? value.stack.split("\n") : value.stack,
  }, value);
}

const jsonRecord = (level) => (...message) => {
  const record = { timestamp: new Date().toISOString(), level, requestId: globalThis[requestIdKey] };
  if (globalThis[tenantIdKey] != null) record.tenantId = globalThis[tenantIdKey];
  if (message.length === 1) {
    record.message = message[0];
    try {
      writeRecord(JSON.stringify(record, plainError));
    } catch {
      record.message = util.format(record.message);
      writeRecord(JSON.stringify(record));
    }
    return;
  }
  record.message = util.format(...message);
  const error = message.find((m) => m instanceof Error);
  if (error) {
    record.errorType = error?.constructor?.name ?? "UnknownError";
    record.errorMessage = error.message;
    record.stackTrace = typeof error.stack === "string" ? error.stack.split("\n") : [];
  }
  writeRecord(JSON.stringify(record));
};

function patchConsole() {
  jsonLog = env.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === "JSON";
  const least = levels[env.AWS_LAMBDA_LOG_LEVEL?.toUpperCase()] ?? levels.TRACE;
  const logger = jsonLog ? jsonRecord : textLog;
  for (const [name, level] of [["trace", "TRACE"], ["debug", "DEBUG"], ["info", "INFO"], ["warn", "WARN"], ["error", "ERROR"]]) {
    console[name] = levels[level] >= least ? logger(level) : () => {};
  }
  console.log = console.info;
  console.fatal = logger("FATAL");
}

function logError(title, error) {
  const e = error instanceof Error ? error : new Error(error);
  if (jsonLog) console.error(e);
  else console.error(title, errorText(e));
}

// --- the Runtime API ---------------------------------------------------------------------------------

// Api is a connection to the Runtime API, kept open. Replies come in the order of requests.
class Api {
  constructor(address) {
    this.address = address;
    const at = address.lastIndexOf(":");
    this.target = { host: address.slice(0, at), port: Number(address.slice(at + 1)) };
    this.waiting = [];
    this.pending = Buffer.alloc(0);
    this.connect();
  }

  connect() {
    this.socket = net.connect({ ...this.target, noDelay: true });
    this.socket.on("data", (data) => this.receive(data));
    const gone = () => process.exit(1); // the platform is gone
    this.socket.on("error", gone);
    this.socket.on("end", gone);
    this.socket.unref();
  }

  receive(data) {
    this.pending = this.pending.length === 0 ? data : Buffer.concat([this.pending, data]);
    for (;;) {
      const reply = this.parse();
      if (!reply) return;
      if (this.waiting.length <= 1) this.socket.unref();
      this.waiting.shift()?.(reply);
    }
  }

  // parse takes one whole reply out of what came, if there is one.
  parse() {
    const end = this.pending.indexOf("\r\n\r\n");
    if (end < 0) return undefined;
    const lines = this.pending.toString("latin1", 0, end).split("\r\n");
    const headers = {};
    for (const line of lines.slice(1)) {
      const at = line.indexOf(":");
      headers[line.slice(0, at).toLowerCase()] = line.slice(at + 1).trim();
    }
    const status = Number(lines[0].slice(9, 12));
    let from = end + 4;
    if (headers["transfer-encoding"]?.toLowerCase() === "chunked") {
      const parts = [];
      for (;;) {
        const eol = this.pending.indexOf("\r\n", from);
        if (eol < 0) return undefined;
        const size = parseInt(this.pending.toString("latin1", from, eol), 16);
        from = eol + 2;
        if (this.pending.length < from + size + 2) return undefined;
        if (size === 0) break;
        parts.push(this.pending.subarray(from, from + size));
        from += size + 2;
      }
      this.pending = this.pending.subarray(from + 2);
      return { status, headers, body: Buffer.concat(parts) };
    }
    const size = Number(headers["content-length"] ?? 0);
    if (this.pending.length < from + size) return undefined;
    const body = this.pending.subarray(from, from + size);
    this.pending = this.pending.subarray(from + size);
    return { status, headers, body };
  }

  // await calls back with the reply to the request that was written last, and keeps the loop alive.
  await(callback) {
    this.waiting.push(callback);
    this.socket.ref();
  }

  head(path, headers) {
    let text = `POST ${prefix}${path} HTTP/1.1\r\nHost: ${this.address}\r\nUser-Agent: cirro-node\r\n`;
    for (const [name, value] of Object.entries(headers)) {
      text += `${name}: ${String(value).replace(/[\r\n]/g, " ").replace(/[^\x20-\x7e\t]/g, "?")}\r\n`;
    }
    return text + "\r\n";
  }

  post(path, text, headers, done = () => {}) {
    const body = Buffer.from(text);
    const head = this.head(path, { "Content-Type": "application/json", "Content-Length": body.length, ...headers });
    this.socket.write(Buffer.concat([Buffer.from(head, "latin1"), body]));
    this.await(done);
  }

  next(callback) {
    this.get("invocation/next", callback);
  }

  get(path, callback) {
    this.socket.write(`GET ${prefix}${path} HTTP/1.1\r\nHost: ${this.address}\r\nUser-Agent: cirro-node\r\n\r\n`);
    this.await(callback);
  }

  // pause waits, with SnapStart, until the environment is restored.
  pause(callback) {
    this.get("restore/next", () => {
      // A new connection is served faster than one that this was asked on.
      this.socket.removeAllListeners().destroy();
      this.connect();
      callback();
    });
  }

  fail(id, error, done) {
    const e = errorOf(error);
    const cause = xrayCause(error);
    const headers = { "Lambda-Runtime-Function-Error-Type": e.errorType };
    if (cause && cause.length < 65536) headers["Lambda-Runtime-Function-XRay-Error-Cause"] = cause;
    this.post(id ? `invocation/${id}/error` : "init/error", JSON.stringify(e), headers, done);
  }
}

// responseStream makes the stream that a streaming handler writes its response to.
function responseStream(api, id, highWaterMark) {
  const { Writable } = require("node:stream");
  let contentType = "application/octet-stream";
  let begun = false;
  let failure;

  const begin = () => {
    begun = true;
    api.socket.write(api.head(`invocation/${id}/response`, {
      "Content-Type": contentType,
      "Transfer-Encoding": "chunked",
      "Lambda-Runtime-Function-Response-Mode": "streaming",
      Trailer: "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
    }));
    api.socket.ref();
  };
  const chunk = (data, callback) => {
    if (data.length === 0) return callback?.();
    api.socket.write(data.length.toString(16) + "\r\n");
    api.socket.write(data);
    api.socket.write("\r\n", callback);
  };

  class ResponseStream extends Writable {
    setContentType(type) {
      if (begun) throw new InvalidStreamingOperation("Cannot set content-type, too late.");
      contentType = type;
    }

    write(data, encoding, callback) {
      if (typeof data !== "string" && !Buffer.isBuffer(data) && data?.constructor !== Uint8Array) {
        data = JSON.stringify(data);
      }
      return super.write(data, encoding, callback);
    }

    _write(data, _encoding, callback) {
      this.start();
      chunk(data, callback);
    }

    _final(callback) {
      this.start();
      let trailer = "0\r\n";
      if (failure) {
        const e = errorOf(failure);
        trailer += `Lambda-Runtime-Function-Error-Type: ${e.errorType}\r\n` +
          `Lambda-Runtime-Function-Error-Body: ${Buffer.from(JSON.stringify(e)).toString("base64")}\r\n`;
      }
      api.socket.write(trailer + "\r\n");
      api.await(() => callback());
    }

    start() {
      if (begun) return;
      begin();
      this._onBeforeFirstWrite?.((data) => chunk(Buffer.from(data)));
    }

    // end with an error, told in the trailers.
    fail(error) {
      failure = error;
      super.end();
    }
  }

  return new ResponseStream(highWaterMark ? { highWaterMark } : {});
}

class HttpResponseStream {
  static from(stream, prelude) {
    stream.setContentType("application/vnd.awslambda.http-integration-response");
    const text = JSON.stringify(prelude);
    stream._onBeforeFirstWrite = (write) => {
      write(text);
      write(new Uint8Array(8));
    };
    return stream;
  }
}

// --- compiled code -----------------------------------------------------------------------------------

// Compiled keeps what V8 compiled of the function's CommonJS modules from one environment to the next. The
// first one hands it over when it is initialised, if there is enough of it; the platform shows it to later
// ones. A module that is not as Node.js itself would read and compile it is left to Node.js.
class Compiled {
  static file = "/var/compiled/code";
  static head = "(function (exports, require, module, __filename, __dirname) { ";
  static tail = "\n});";
  static least = 1024; // characters of a module that is worth it
  static enough = 128 * 1024; // of all modules together

  constructor() {
    this.found = new Map();
    this.scripts = [];
    this.size = 0;
    this.missed = 0;
    this.over = false; // the function is initialised
    this.native = Module.prototype._compile;
    this.extension = Module._extensions[".js"];
    // Before Node.js 22 kept code cannot import(), and an old one cannot import() from such code at all.
    this.imports = Number.parseInt(process.versions.node) >= 22;
    this.dynamic = vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER;
    if (!this.dynamic) return;
    const warn = process.emitWarning;
    process.emitWarning = () => {}; // of the constant, which is new; once
    new vm.Script("0", { importModuleDynamically: this.dynamic });
    process.emitWarning = warn;
  }

  // read reads what an earlier environment left: the length of the index, the index, the code.
  read() {
    if (!fs.existsSync(Compiled.file)) return;
    try {
      const all = fs.readFileSync(Compiled.file);
      const end = 4 + all.readUInt32LE(0);
      for (const [name, offset, size] of JSON.parse(all.toString("utf8", 4, end))) {
        this.found.set(name, all.subarray(end + offset, end + offset + size));
      }
    } catch {
      this.found.clear(); // it is of no use
    }
  }

  install() {
    // Without walls paths are the host's, and nothing is kept. What options preload may change how modules
    // are compiled.
    if (!this.dynamic || env.LAMBDA_TASK_ROOT !== "/var/task" || env.NODE_OPTIONS || process.execArgv.length > 0) return;
    this.read();
    Module.prototype._compile = function _compile(content, filename, ...rest) {
      const run = compiled.compile(this, content, filename, rest[0]);
      if (!run) return Reflect.apply(compiled.native, this, [content, filename, ...rest]);
      return Reflect.apply(run, this.exports, [this.exports, requireOf(this), this, filename, path.dirname(filename)]);
    };
  }

  compile(module, content, filename, format) {
    if (content.length < Compiled.least || !/^\/(var\/task|opt)\//.test(filename) || format && format !== "commonjs") return undefined;
    if (Module._extensions[".js"] !== this.extension || Object.hasOwn(module, "_compile")) return undefined; // it may be changed
    if (Module.wrap("") !== Compiled.head + Compiled.tail) return undefined;
    const cachedData = this.found.get(filename);
    if (!cachedData && !this.imports && /\bimport\s*[(/]/.test(content)) return undefined;
    let script;
    try {
      script = new vm.Script(Compiled.head + content.replace(/^#!.*/, "") + Compiled.tail, {
        filename, cachedData, columnOffset: -Compiled.head.length, importModuleDynamically: this.dynamic,
      });
    } catch {
      return undefined; // Node.js says what is wrong
    }
    if (!cachedData || script.cachedDataRejected) this.missed += content.length;
    this.size += content.length;
    if (!this.over) this.scripts.push([filename, script]);
    return script.runInThisContext();
  }

  // worth says whether it is worth it, and new.
  worth() {
    return this.size >= Compiled.enough && this.missed >= this.size / 4;
  }

  // offer hands over what was compiled.
  offer(address) {
    const index = [];
    const parts = [];
    let offset = 0;
    for (const [name, script] of this.scripts) {
      const data = script.createCachedData();
      index.push([name, offset, data.length]);
      parts.push(data);
      offset += data.length;
    }
    const names = Buffer.from(JSON.stringify(index));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(names.length);
    return put(address, Buffer.concat([length, names, ...parts]));
  }
}

const compiled = new Compiled();

// put hands over compiled code on a connection of its own, and waits until it is taken.
function put(address, body) {
  return new Promise((resolve) => {
    const at = address.lastIndexOf(":");
    const socket = net.connect({ host: address.slice(0, at), port: Number(address.slice(at + 1)) });
    socket.on("error", () => {});
    socket.on("close", resolve);
    socket.on("data", () => socket.destroy());
    socket.write(`PUT /cirro/compiled HTTP/1.1\r\nHost: ${address}\r\nContent-Length: ${body.length}\r\n\r\n`);
    socket.write(body);
  });
}

// requireOf makes the function that a module knows as require.
function requireOf(module) {
  const require = function require(id) {
    return module.require(id);
  };
  require.resolve = function resolve(request, options) {
    return Module._resolveFilename(request, module, false, options);
  };
  require.resolve.paths = function paths(request) {
    return Module._resolveLookupPaths(request, module);
  };
  require.main = process.mainModule;
  require.extensions = Module._extensions;
  require.cache = Module._cache;
  return require;
}

// --- the function ------------------------------------------------------------------------------------

const streamingKey = Symbol.for("aws.lambda.runtime.handler.streaming");
const highWaterMarkKey = Symbol.for("aws.lambda.runtime.handler.streaming.highWaterMark");

function provideGlobals() {
  if (["1", "true"].includes(env.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA)) return;
  globalThis.awslambda = {
    streamifyResponse(handler, options) {
      handler[streamingKey] = "response";
      if (typeof options?.highWaterMark === "number") handler[highWaterMarkKey] = Math.trunc(options.highWaterMark);
      return handler;
    },
    HttpResponseStream,
  };
}

// isModule says whether the nearest package.json makes .js files of a directory ES modules.
function isModule(folder) {
  for (;;) {
    if (folder.endsWith("/node_modules")) return false;
    const file = path.join(folder, "package.json");
    if (fs.existsSync(file)) {
      try {
        return JSON.parse(fs.readFileSync(file))?.type === "module";
      } catch (e) {
        console.warn(`${file} cannot be read, it will be ignored for ES module detection purposes.`, e);
        return false;
      }
    }
    if (folder === "/") return false;
    folder = path.dirname(folder);
  }
}

async function loadModule(root, folder, name) {
  const file = path.resolve(root, folder, name);
  const exists = (extension) => fs.existsSync(file + extension);
  if (fs.existsSync(file) && fs.statSync(file).isFile()) return require(file);
  if (exists(".js")) {
    return isModule(path.dirname(file)) ? await import(file + ".js") : require(file + ".js");
  }
  if (exists(".mjs")) return await import(file + ".mjs");
  if (exists(".cjs")) return require(file + ".cjs");
  return require(require.resolve(name, { paths: [root, folder] }));
}

async function load(root, handler) {
  if (handler.includes("..")) {
    throw new MalformedHandlerName(
      `'${handler}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`);
  }
  const base = path.basename(handler);
  const folder = handler.substring(0, handler.indexOf(base));
  const match = /^([^.]*)\.(.*)$/.exec(base);
  if (!match) throw new MalformedHandlerName("Bad handler");
  let app;
  try {
    app = await loadModule(root, folder, match[1]);
  } catch (e) {
    if (e instanceof SyntaxError) throw new UserCodeSyntaxError(e);
    if (e?.code === "MODULE_NOT_FOUND") throw new ImportModuleError(e);
    throw e;
  }
  const found = match[2].split(".").reduce((nested, key) => nested && nested[key], app);
  if (!found) throw new HandlerNotFound(`${handler} is undefined or not exported`);
  if (typeof found !== "function") throw new HandlerNotFound(`${handler} is not a function`);
  const streaming = found[streamingKey];
  if (streaming && streaming !== "response") {
    throw new MalformedStreamingHandler("Only response streaming is supported.");
  }
  return found;
}

function parsed(text, name) {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (e) {
    throw new Error(`Cannot parse ${name} as json: ${e.toString()}`);
  }
}

// context fills in what a function may know of its invocation.
// https://docs.aws.amazon.com/lambda/latest/dg/nodejs-context.html
function fillContext(context, headers) {
  if (headers["lambda-runtime-trace-id"]) env._X_AMZN_TRACE_ID = headers["lambda-runtime-trace-id"];
  else delete env._X_AMZN_TRACE_ID;
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  const decode = (text) => text && Buffer.from(text, "latin1").toString("utf8");
  return Object.assign(context, {
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: parsed(decode(headers["lambda-runtime-client-context"]), "ClientContext"),
    identity: parsed(decode(headers["lambda-runtime-cognito-identity"]), "CognitoIdentity"),
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    tenantId: headers["lambda-runtime-aws-tenant-id"],
    getRemainingTimeInMillis: () => deadline - Date.now(),
  });
}

const isPromise = (value) => value && typeof value.then === "function";

// Runtime runs the handler for one invocation after the other.
class Runtime {
  constructor(api) {
    this.api = api;
    this.idle = () => {}; // what to do when the event loop is empty
    this.id = undefined; // of the invocation that runs
    process.on("beforeExit", () => this.idle());
    process.on("uncaughtException", (error) => {
      logError("Uncaught Exception", error);
      this.die(error, 129);
    });
    process.on("unhandledRejection", (reason, promise) => {
      const error = new UnhandledPromiseRejection(reason);
      error.reason = reason;
      error.promise = promise;
      logError("Unhandled Promise Rejection", error);
      this.die(error, 128);
    });
  }

  die(error, code) {
    if (this.dying) return;
    this.dying = true;
    this.api.fail(this.id, error, () => process.exit(code));
  }

  async start() {
    compiled.install();
    this.handler = await load(env.LAMBDA_TASK_ROOT, env._HANDLER ?? "");
    compiled.over = true;
    if (compiled.worth()) await compiled.offer(env.AWS_LAMBDA_RUNTIME_API);
    compiled.scripts = [];
    this.handle = this.handler[streamingKey] ? this.stream : this.invoke;
    if (env.AWS_LAMBDA_INITIALIZATION_TYPE === "snap-start") this.api.pause(() => this.next());
    else this.next();
  }

  next() {
    this.idle = () => {};
    setImmediate(() => this.api.next(({ headers, body }) => {
      this.id = headers["lambda-runtime-aws-request-id"];
      if (this.id === undefined) process.exit(0); // the environment is shutting down
      globalThis[requestIdKey] = this.id;
      globalThis[tenantIdKey] = headers["lambda-runtime-aws-tenant-id"];
      this.handle(headers, body.toString("utf8"));
    }));
  }

  answer(value) {
    let text;
    try {
      text = JSON.stringify(value === undefined ? null : value) ?? "null";
    } catch {
      return this.fail(new Error("Unable to stringify response body"));
    }
    this.api.post(`invocation/${this.id}/response`, text);
    this.next();
  }

  fail(error) {
    logError("Invoke Error", error);
    this.api.fail(this.id, error);
    this.next();
  }

  invoke(headers, text) {
    let waits = true;
    let finished = false;
    const once = (f) => (...args) => {
      if (finished) return;
      finished = true;
      this.idle = () => {};
      f(...args);
    };
    const failed = (error) => error !== undefined && error !== null;
    const done = once((error, result) => failed(error) ? this.fail(error) : this.answer(result));
    const callback = once((error, result) => {
      if (failed(error)) this.fail(error);
      else if (!waits) this.answer(result);
      else this.idle = () => setImmediate(() => this.answer(result));
    });
    const context = {
      get callbackWaitsForEmptyEventLoop() { return waits; },
      set callbackWaitsForEmptyEventLoop(value) { waits = value; },
      succeed: (result) => done(null, result),
      fail: (error) => done(failed(error) ? error : "handled"),
      done,
    };
    this.idle = once(() => this.answer(null)); // nothing is left that could call back
    try {
      const result = this.handler(JSON.parse(text), fillContext(context, headers), callback);
      if (isPromise(result)) result.then(context.succeed, context.fail).catch(context.fail);
    } catch (error) {
      callback(error);
    }
  }

  async stream(headers, text) {
    let waits = true;
    const context = {
      get callbackWaitsForEmptyEventLoop() { return waits; },
      set callbackWaitsForEmptyEventLoop(value) { waits = value; },
    };
    const out = responseStream(this.api, this.id, this.handler[highWaterMarkKey]);
    const closed = new Promise((resolve) => out.once("close", resolve));
    const next = () => {
      if (!waits) this.next();
      else this.idle = () => setImmediate(() => this.next());
    };
    const fail = async (error) => {
      logError("Invoke Error", error);
      if (!out.writableEnded) out.fail(error);
      await closed;
      next();
    };
    this.idle = () => fail(new Error("Response stream is not finished."));
    try {
      const result = this.handler(JSON.parse(text), out, fillContext(context, headers));
      if (!isPromise(result)) return await fail("Streaming does not support non-async handlers.");
      if (await result !== undefined) console.warn("Streaming handlers ignore return values.");
      if (!out.writableEnded) return await fail("Response stream is not finished.");
      await closed;
      next();
    } catch (error) {
      await fail(error);
    }
  }
}

// --- waiting -----------------------------------------------------------------------------------------

// warmUp loads what functions commonly use, and loads a module of each kind: the first one takes Node.js
// some milliseconds.
async function warmUp() {
  for (const name of ["assert", "async_hooks", "buffer", "crypto", "dns", "events", "fs/promises", "http", "https", "os",
    "querystring", "stream", "stream/promises", "string_decoder", "timers/promises", "tls", "url", "zlib"]) {
    require(`node:${name}`);
  }
  const file = path.join(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), "warm");
  const warm = require(file + ".cjs");
  delete require.cache[file + ".cjs"];
  await import(file + ".mjs");
  await warm.handler(JSON.parse(JSON.stringify({ a: [1] })), fillContext({}, {}));
  util.format("%s", {});
}

// assignment waits for the environment that this program is to have, and takes it over.
async function assignment() {
  const control = new net.Socket({ fd: 3, readable: true, writable: true });
  control.setEncoding("utf8");
  control.write("\n");
  const text = await new Promise((resolve) => {
    let all = "";
    control.on("data", (part) => {
      all += part;
      if (all.endsWith("\n")) resolve(all);
    });
    control.on("end", () => process.exit(0)); // it is needed no more
    control.on("error", () => process.exit(0));
  });
  const closed = new Promise((resolve) => control.once("close", resolve));
  control.removeAllListeners("end").destroy();
  const { environment } = JSON.parse(text);
  for (const name of Object.keys(env)) if (!(name in environment)) delete env[name];
  for (const [name, value] of Object.entries(environment)) if (env[name] !== value) env[name] = value;
  process.chdir(env.LAMBDA_TASK_ROOT);
  await closed;
}

const api = new Api(env.AWS_LAMBDA_RUNTIME_API);
if (process.argv[2] === "--wait") {
  process.argv.pop();
  await warmUp();
  await assignment();
}
patchConsole();
provideGlobals();
await new Runtime(api).start();
