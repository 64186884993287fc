// Package upstream says which versions of AWS's Go modules the generated APIs come from, and finds them in
// the module cache. The modules carry AWS's API models, and the fixtures that the protocols are tested
// with; none of it is copied into this repository.
package upstream

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
)

// Models carries an api-2.json for every service, with constraints, and the protocol test cases. It ends
// in July 2024.
const Models = "github.com/aws/aws-sdk-go@v1.55.8"

// Newer are the modules of single services, by the service's name, with what has come since.
var Newer = map[string]string{
	"application-autoscaling": "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling@v1.41.18",
	"apigateway":              "github.com/aws/aws-sdk-go-v2/service/apigateway@v1.40.2",
	"dynamodb":                "github.com/aws/aws-sdk-go-v2/service/dynamodb@v1.73.2",
	"streams.dynamodb":        "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams@v1.46.7",
	"events":                  "github.com/aws/aws-sdk-go-v2/service/eventbridge@v1.55.10",
	"iam":                     "github.com/aws/aws-sdk-go-v2/service/iam@v1.64.9",
	"kinesis":                 "github.com/aws/aws-sdk-go-v2/service/kinesis@v1.56.12",
	"lambda":                  "github.com/aws/aws-sdk-go-v2/service/lambda@v1.114.3",
	"logs":                    "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs@v1.92.1",
	"monitoring":              "github.com/aws/aws-sdk-go-v2/service/cloudwatch@v1.75.6",
	"pipes":                   "github.com/aws/aws-sdk-go-v2/service/pipes@v1.24.2",
	"s3":                      "github.com/aws/aws-sdk-go-v2/service/s3@v1.114.10",
	"scheduler":               "github.com/aws/aws-sdk-go-v2/service/scheduler@v1.18.2",
	"sns":                     "github.com/aws/aws-sdk-go-v2/service/sns@v1.47.10",
	"sqs":                     "github.com/aws/aws-sdk-go-v2/service/sqs@v1.52.11",
	"states":                  "github.com/aws/aws-sdk-go-v2/service/sfn@v1.41.2",
	"sts":                     "github.com/aws/aws-sdk-go-v2/service/sts@v1.51.9",
}

// Dir is where the module cache holds a module, path@version; it is downloaded if need be.
func Dir(module string) (string, error) {
	cmd := exec.Command("go", "mod", "download", "-json", module)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	b, err := cmd.Output()
	var m struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(b, &m); jsonErr == nil && m.Error != "" {
		return "", fmt.Errorf("go mod download %s: %s", module, m.Error)
	}
	if err != nil {
		return "", fmt.Errorf("go mod download %s: %w: %s", module, err, stderr.Bytes())
	}
	return m.Dir, nil
}
