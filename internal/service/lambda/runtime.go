package lambda

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// The managed runtimes that functions can be made with, in the order in which AWS lists them, and those
// that AWS has blocked. https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
var (
	runtimes = []string{"nodejs20.x", "provided.al2023", "python3.12", "python3.13", "nodejs22.x", "java17",
		"nodejs16.x", "dotnet8", "python3.10", "java11", "python3.11", "dotnet6", "java21", "nodejs18.x",
		"provided.al2", "ruby3.3", "ruby3.4", "java8.al2", "ruby3.2", "python3.8", "python3.9", "python3.14",
		"nodejs24.x", "java25", "dotnet10", "ruby4.0", "nodejs26.x", "python3.15", "java8.al2023", "java11.al2023",
		"java17.al2023"}
	blockedRuntimes = []string{"nodejs", "nodejs4.3", "nodejs4.3-edge", "nodejs6.10", "nodejs8.10", "nodejs10.x",
		"nodejs12.x", "nodejs14.x", "python2.7", "python3.6", "python3.7", "java8", "dotnetcore1.0",
		"dotnetcore2.0", "dotnetcore2.1", "dotnetcore3.1", "go1.x", "ruby2.5", "ruby2.7", "provided"}
	snapStartRuntimes = []string{"java11", "java17", "java21", "java25", "python3.12", "python3.13", "python3.14",
		"dotnet8", "dotnet10"}
)

// checkRuntime refuses a runtime in AWS's words.
func checkRuntime(runtime string) error {
	switch {
	case slices.Contains(runtimes, runtime):
		return nil
	case slices.Contains(blockedRuntimes, runtime):
		return invalid("The runtime parameter of %s is no longer supported for creating or updating AWS Lambda "+
			"functions. We recommend you use a supported runtime while creating or updating functions.", runtime)
	}
	return invalid("Value %s at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [%s] "+
		"or be a valid ARN", runtime, strings.Join(runtimes, ", "))
}

// runtimeVersion is the ARN that stands for the version of a runtime: it changes when that does.
func runtimeVersion(region, runtime string) string {
	sum := sha256.Sum256([]byte("1/" + runtime))
	return "arn:aws:lambda:" + region + "::runtime:" + hex.EncodeToString(sum[:])
}
