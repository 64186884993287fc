package iam

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

const awsManagedPrefix = "arn:aws:iam::aws:policy/"

// grant is one Allow statement of a policy that AWS manages: actions on all resources.
type grant struct{ actions []string }

// logging is what a function needs to write its log; most of AWS's execution policies contain it.
var logging = grant{actions: []string{"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}}

// awsGrants are the policies of AWS's that functions are most often given; any other does not exist
// here, and says so when it is attached.
// https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html
var awsGrants = map[string][]grant{
	"AdministratorAccess":        {{actions: []string{"*"}}},
	"AmazonDynamoDBFullAccess":   {{actions: []string{"dynamodb:*"}}},
	"AmazonS3FullAccess":         {{actions: []string{"s3:*", "s3-object-lambda:*"}}},
	"AmazonS3ReadOnlyAccess":     {{actions: []string{"s3:Get*", "s3:List*", "s3:Describe*", "s3-object-lambda:Get*", "s3-object-lambda:List*"}}},
	"AmazonSNSFullAccess":        {{actions: []string{"sns:*"}}},
	"AmazonSQSFullAccess":        {{actions: []string{"sqs:*"}}},
	"AWSLambda_FullAccess":       {{actions: []string{"lambda:*", "logs:*"}}},
	"AWSStepFunctionsFullAccess": {{actions: []string{"states:*"}}},
	"AWSXRayDaemonWriteAccess": {{actions: []string{"xray:PutTraceSegments", "xray:PutTelemetryRecords",
		"xray:GetSamplingRules", "xray:GetSamplingTargets", "xray:GetSamplingStatisticSummaries"}}},
	"CloudWatchLogsFullAccess":                    {{actions: []string{"logs:*", "cloudwatch:GenerateQuery"}}},
	"service-role/AWSLambdaBasicExecutionRole":    {logging},
	"service-role/AWSLambdaRole":                  {{actions: []string{"lambda:InvokeFunction"}}},
	"service-role/AWSLambdaSQSQueueExecutionRole": {logging, {actions: []string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}}},
	"service-role/AWSLambdaDynamoDBExecutionRole": {logging, {actions: []string{"dynamodb:DescribeStream", "dynamodb:GetRecords",
		"dynamodb:GetShardIterator", "dynamodb:ListStreams"}}},
	"service-role/AWSLambdaKinesisExecutionRole": {logging, {actions: []string{"kinesis:DescribeStream", "kinesis:DescribeStreamSummary",
		"kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards", "kinesis:ListStreams", "kinesis:SubscribeToShard"}}},
	"service-role/AWSLambdaVPCAccessExecutionRole": {logging, {actions: []string{"ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces",
		"ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"}}},
	"service-role/AmazonAPIGatewayPushToCloudWatchLogs": {{actions: []string{"logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogGroups",
		"logs:DescribeLogStreams", "logs:PutLogEvents", "logs:GetLogEvents", "logs:FilterLogEvents"}}},
}

// awsManaged returns a policy that AWS manages.
func awsManaged(arn string) (policy, bool) {
	name := strings.TrimPrefix(arn, awsManagedPrefix)
	grants, ok := awsGrants[name]
	if !ok {
		return policy{}, false
	}
	since := time.Date(2015, 4, 9, 15, 3, 43, 0, time.UTC)
	return policy{Name: nameOf(arn), Path: pathOf(arn), ID: "ANPAAWS" + strings.ToUpper(nameOf(arn)), ARN: arn, Created: since, Updated: since,
		Default: "v1", Latest: 1, Versions: []policyVersion{{ID: "v1", Document: document(grants), Created: since}}}, true
}

func document(grants []grant) string {
	type statement struct {
		Effect   string
		Action   []string
		Resource string
	}
	var statements []statement
	for _, g := range grants {
		statements = append(statements, statement{"Allow", g.actions, "*"})
	}
	b, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		panic(err) // strings alone
	}
	return string(b)
}

// awsManagedPolicies are all of them by ARN.
func awsManagedPolicies() []policy {
	var all []policy
	for name := range awsGrants {
		p, _ := awsManaged(awsManagedPrefix + name)
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b policy) int { return strings.Compare(a.ARN, b.ARN) })
	return all
}
