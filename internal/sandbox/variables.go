package sandbox

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"cirro/internal/sandbox/family"
	"cirro/internal/sandbox/runtimeapi"
)

// Addresses that an environment's processes find the platform at.
const (
	runtimeAddress  = "127.0.0.1:9001"
	endpointAddress = "127.0.0.1:4566"
)

// variables are the environment variables of a runtime and of extensions, as AWS defines them:
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html. Those that AWS lets a
// function change come before its own, the reserved ones after.
func variables(s *Spec, r *family.Runtime, logStream string, c Credentials) []string {
	v := map[string]string{
		"AWS_XRAY_CONTEXT_MISSING":        "LOG_ERROR",
		"AWS_XRAY_DAEMON_ADDRESS":         "169.254.79.129:2000",
		"AWS_ENDPOINT_URL":                "http://" + endpointAddress,
		"_AWS_XRAY_DAEMON_ADDRESS":        "169.254.79.129",
		"_AWS_XRAY_DAEMON_PORT":           "2000",
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "on-demand",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(s.Memory),
	}
	maps.Copy(v, lasting)
	maps.Copy(v, r.Env)
	maps.Copy(v, s.Environment)
	maps.Copy(v, map[string]string{
		"_HANDLER":                        s.Handler,
		"AWS_DEFAULT_REGION":              s.Region,
		"AWS_REGION":                      s.Region,
		"AWS_LAMBDA_FUNCTION_NAME":        s.Function,
		"AWS_LAMBDA_FUNCTION_VERSION":     s.Version,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(s.Memory),
		"AWS_LAMBDA_LOG_GROUP_NAME":       s.LogGroup,
		"AWS_LAMBDA_LOG_STREAM_NAME":      logStream,
		"AWS_LAMBDA_RUNTIME_API":          runtimeAddress,
		"LAMBDA_TASK_ROOT":                family.Task,
		"LAMBDA_RUNTIME_DIR":              family.Home,
	})
	if s.InitializationType != "" {
		v["AWS_LAMBDA_INITIALIZATION_TYPE"] = s.InitializationType
	}
	if !strings.HasPrefix(s.Runtime, "provided") {
		v["AWS_EXECUTION_ENV"] = "AWS_Lambda_" + s.Runtime
	}
	if s.LogFormat != "" {
		v["AWS_LAMBDA_LOG_FORMAT"] = s.LogFormat
	}
	if s.LogFormat == "JSON" {
		v["AWS_LAMBDA_LOG_LEVEL"] = cmp.Or(s.ApplicationLogLevel, "INFO")
	}
	if c.AccessKeyID != "" {
		v["AWS_ACCESS_KEY_ID"] = c.AccessKeyID
		v["AWS_SECRET_ACCESS_KEY"] = c.SecretAccessKey
		if c.SessionToken != "" {
			v["AWS_SESSION_TOKEN"] = c.SessionToken
		}
	}
	return asList(v)
}

// variables are those of the environment.
func (e *environment) variables(r *family.Runtime) []string {
	if e.pause == nil {
		return variables(e.spec, r, e.journal.name, e.credentials())
	}
	return snapStartVariables(e.spec, r, e.pause.token)
}

// snapStartVariables are those of a function with SnapStart. They outlive the environment that they were made
// for: there are no credentials in them, and no log stream.
// https://docs.aws.amazon.com/lambda/latest/dg/snapstart-monitoring.html
func snapStartVariables(s *Spec, r *family.Runtime, token string) []string {
	v := asMap(variables(s, r, "", Credentials{}))
	delete(v, "AWS_LAMBDA_LOG_GROUP_NAME")
	delete(v, "AWS_LAMBDA_LOG_STREAM_NAME")
	v["AWS_LAMBDA_INITIALIZATION_TYPE"] = "snap-start"
	v["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://" + runtimeAddress + runtimeapi.CredentialsPath
	v["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = token
	return asList(v)
}

// lasting are the variables that are the same for all functions that do not set them.
var lasting = map[string]string{
	"LANG":            "en_US.UTF-8",
	"TZ":              ":UTC",
	"PATH":            "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
	"LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
}

// startVariables are the variables of a runtime's program that is started before its function is known:
// those that count at a start are there, and the same.
func startVariables(r *family.Runtime) []string {
	v := maps.Clone(lasting)
	maps.Copy(v, r.Env)
	v["AWS_LAMBDA_RUNTIME_API"] = runtimeAddress
	return asList(v)
}

// asList writes variables as a program is given them.
func asList(v map[string]string) []string {
	list := make([]string, 0, len(v))
	for _, name := range slices.Sorted(maps.Keys(v)) {
		list = append(list, name+"="+v[name])
	}
	return list
}

func asMap(list []string) map[string]string {
	v := make(map[string]string, len(list))
	for _, entry := range list {
		name, value, _ := strings.Cut(entry, "=")
		v[name] = value
	}
	return v
}

// hidden are the variables that extensions do not get.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html#runtimes-extensions-registration-api-b
var hidden = []string{
	"AWS_EXECUTION_ENV", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_XRAY_CONTEXT_MISSING",
	"AWS_XRAY_DAEMON_ADDRESS", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT", "_AWS_XRAY_DAEMON_ADDRESS",
	"_AWS_XRAY_DAEMON_PORT", "_HANDLER",
}

// extensionVariables are those of a runtime's variables that extensions get.
func extensionVariables(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains(hidden, name)
	})
}
