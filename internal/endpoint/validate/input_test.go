package validate

import (
	"errors"
	"testing"

	"cirro/internal/awsapi"
	"cirro/internal/awsapi/apigateway"
	"cirro/internal/awsapi/iam"
	"cirro/internal/awsapi/lambda"
	"cirro/internal/awsapi/logs"
	"cirro/internal/endpoint/wire"
)

var services = map[string]*wire.Service{"apigateway": wire.NewService(&apigateway.Service), "iam": wire.NewService(&iam.Service),
	"lambda": wire.NewService(&lambda.Service), "logs": wire.NewService(&logs.Service)}

// TestMessages holds messages that AWS answered to real requests.
func TestMessages(t *testing.T) {
	role := new("arn:aws:iam::000000000000:role/r")
	create := func(change func(*lambda.CreateFunctionRequest)) *lambda.CreateFunctionRequest {
		in := &lambda.CreateFunctionRequest{FunctionName: new("f"), Role: role, Code: &lambda.FunctionCode{}}
		change(in)
		return in
	}
	for _, c := range []struct {
		name, service, operation string
		in                       any
		want                     string // "" for no error
	}{
		{"nothing wrong", "lambda", "CreateFunction", create(func(*lambda.CreateFunctionRequest) {}), ""},
		{"range", "lambda", "CreateFunction", create(func(in *lambda.CreateFunctionRequest) { in.Timeout = new(int32(901)) }),
			"1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900"},
		// https://github.com/localstack/localstack/blob/master/tests/aws/services/lambda_/test_lambda_api.snapshot.json
		{"elements", "lambda", "CreateFunction", create(func(in *lambda.CreateFunctionRequest) { in.Architectures = []string{"X86_64"} }),
			"1 validation error detected: Value '[X86_64]' at 'architectures' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]"},
		{"list and elements", "lambda", "CreateFunction", create(func(in *lambda.CreateFunctionRequest) { in.Architectures = []string{"a", "b"} }),
			"2 validation errors detected: Value '[a, b]' at 'architectures' failed to satisfy constraint: Member must have length less than or equal to 1; Value '[a, b]' at 'architectures' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]"},
		{"allowed methods", "lambda", "CreateFunctionUrlConfig", &lambda.CreateFunctionUrlConfigRequest{FunctionName: new("f"), AuthType: new("NONE"),
			Cors: &lambda.Cors{AllowMethods: []string{"GET", "POST", "OPTIONS"}}},
			"1 validation error detected: Value '[GET, POST, OPTIONS]' at 'cors.allowMethods' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 6, Member must have length greater than or equal to 0, Member must satisfy regular expression pattern: .*, Member must not be null]"},
		{"map keys", "lambda", "CreateAlias", &lambda.CreateAliasRequest{FunctionName: new("f"), Name: new("a"), FunctionVersion: new("1"),
			RoutingConfig: &lambda.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{"x": 0.5}}},
			"1 validation error detected: Value '{x=0.5}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or equal to 1024, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [0-9]+, Member must not be null]"},
		{"map values", "lambda", "CreateAlias", &lambda.CreateAliasRequest{FunctionName: new("f"), Name: new("a"), FunctionVersion: new("1"),
			RoutingConfig: &lambda.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{"1": 2}}},
			"1 validation error detected: Value '{1=2.0}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value greater than or equal to 0.0, Member must not be null]"},
		{"secret keys", "lambda", "CreateFunction", create(func(in *lambda.CreateFunctionRequest) {
			in.Environment = &lambda.Environment{Variables: map[string]string{"1": "secret"}}
		}),
			"1 validation error detected: Value at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+, Member must not be null]"},
		{"upper case", "lambda", "CreateFunction", create(func(in *lambda.CreateFunctionRequest) { in.KMSKeyArn = new("x") }),
			"1 validation error detected: Value 'x' at 'kMSKeyArn' failed to satisfy constraint: Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()"},
		// https://github.com/amazon-archives/cloudwatch-logs-centralize-logs/issues/5
		{"null in a list", "logs", "PutLogEvents", &logs.PutLogEventsRequest{LogGroupName: new("g"), LogStreamName: new("s"),
			LogEvents: []logs.InputLogEvent{{Message: new("m")}}},
			"1 validation error detected: Value null at 'logEvents.1.member.timestamp' failed to satisfy constraint: Member must not be null"},
		// https://github.com/lazywithclass/winston-cloudwatch/issues/55
		{"empty list", "logs", "PutLogEvents", &logs.PutLogEventsRequest{LogGroupName: new("g"), LogStreamName: new("s"), LogEvents: []logs.InputLogEvent{}},
			"1 validation error detected: Value '[]' at 'logEvents' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"api gateway", "apigateway", "PutIntegration", &apigateway.PutIntegrationRequest{RestApiId: new("a"), ResourceId: new("b"), HttpMethod: new("GET"), Type: new("FOO")},
			"1 validation error detected: Value 'FOO' at 'putIntegrationInput.type' failed to satisfy constraint: Member must satisfy enum value set: [HTTP, AWS, MOCK, HTTP_PROXY, AWS_PROXY]"},
		{"pattern before length", "iam", "TagUser", &iam.TagUserRequest{UserName: new("u"), Tags: []iam.Tag{{Key: new(""), Value: new("$&")}}},
			"3 validation errors detected: Value '' at 'tags.1.member.key' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+; Value '' at 'tags.1.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1; Value '$&' at 'tags.1.member.value' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*"},
		{"code points", "iam", "CreateUser", &iam.CreateUserRequest{UserName: new("u"), Tags: []iam.Tag{{Key: new("äöü"), Value: new("")}}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Input(services[c.service].Lookup(c.operation), c.in)
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			e, ok := errors.AsType[*awsapi.Error](err)
			if !ok || e.Message != c.want {
				t.Errorf("%v\nnot %s", err, c.want)
			}
			if code := e.Type.Code; code != "ValidationException" && (c.service != "logs" || code != "InvalidParameterException") {
				t.Error(code)
			}
		})
	}
}

// TestPatternsCompile finds patterns that would be left unchecked.
func TestPatternsCompile(t *testing.T) {
	for name, s := range services {
		for i := range s.Shapes {
			if java := s.Shapes[i].Pattern; java != "" {
				p := compile(java)
				if p.compile(); p.fast == nil && p.slow == nil {
					t.Errorf("%s.%s: %s", name, s.Shapes[i].Name, java)
				}
			}
		}
	}
}
