package lambda

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// maxEnvironment bounds a function's environment variables, in bytes.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxEnvironment = 4 << 10

// reservedVariables are set by Lambda itself.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
var reservedVariables = []string{"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION",
	"AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
	"AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME",
	"AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
	"AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"}

const variablePattern = `[a-zA-Z]([a-zA-Z0-9_])+`

var variableName = regexp.MustCompile("^" + variablePattern + "$")

func checkEnvironment(variables map[string]string) error {
	var reserved []string
	for name := range variables {
		if slices.Contains(reservedVariables, name) {
			reserved = append(reserved, name)
		}
	}
	if len(reserved) > 0 {
		slices.Sort(reserved)
		return invalid("Lambda was unable to configure your environment variables because the environment variables "+
			"you have provided contains reserved keys that are currently not supported for modification. "+
			"Reserved keys used in this request: %s", strings.Join(reserved, ", "))
	}
	for name := range variables {
		if !variableName.MatchString(name) {
			return invalid("1 validation error detected: Value at 'environment.variables' failed to satisfy constraint: "+
				"Map keys must satisfy constraint: [Member must satisfy regular expression pattern: %s]", variablePattern)
		}
	}
	if measured := measure(variables); len(measured) > maxEnvironment {
		return invalid("Lambda was unable to configure your environment variables because the environment variables "+
			"you have provided exceeded the 4KB limit. String measured: %s", measured)
	}
	return nil
}

// measure is the form of the variables whose length is limited.
func measure(variables map[string]string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(variables); err != nil {
		panic(err) // a map of strings
	}
	return strings.TrimSuffix(b.String(), "\n")
}
