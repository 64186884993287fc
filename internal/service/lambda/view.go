package lambda

import (
	"encoding/base64"
	"encoding/hex"
	"time"

	api "cirro/internal/awsapi/lambda"
)

// timestamp is a time as Lambda writes it in strings.
func timestamp(t time.Time) *string {
	return new(t.UTC().Format("2006-01-02T15:04:05.000") + "+0000")
}

// sha256Base64 is a hash as Lambda shows it.
func (c code) sha256Base64() string {
	sum, _ := hex.DecodeString(c.SHA256)
	return base64.StdEncoding.EncodeToString(sum)
}

// listed is the configuration as lists of functions and versions show it: without the states.
// https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html
func (v *version) listed(arn string) api.FunctionConfiguration {
	c := api.FunctionConfiguration{
		FunctionName:     &v.Function,
		FunctionArn:      &arn,
		Runtime:          text(v.Runtime),
		Role:             &v.Role,
		Handler:          text(v.Handler),
		CodeSize:         &v.Code.Size,
		Description:      &v.Description,
		Timeout:          new(int32(v.Timeout)),
		MemorySize:       new(int32(v.Memory)),
		LastModified:     timestamp(v.Modified),
		CodeSha256:       new(v.Code.sha256Base64()),
		Version:          &v.Number,
		TracingConfig:    &api.TracingConfigResponse{Mode: &v.Tracing},
		RevisionId:       &v.RevisionID,
		PackageType:      new(api.PackageTypeZip),
		Architectures:    []string{v.Architecture},
		EphemeralStorage: &api.EphemeralStorage{Size: new(int32(v.Tmp))},
		SnapStart:        v.snapStartResponse(),
		LoggingConfig:    v.loggingConfig(),
		DurableConfig:    v.Durable.shown(),
	}
	if v.HasEnvironment {
		variables := v.Environment
		if variables == nil {
			variables = map[string]string{}
		}
		c.Environment = &api.EnvironmentResponse{Variables: variables}
	}
	if v.DeadLetter != "" {
		c.DeadLetterConfig = &api.DeadLetterConfig{TargetArn: &v.DeadLetter}
	}
	for _, l := range v.Layers {
		c.Layers = append(c.Layers, api.Layer{Arn: new(l.ARN), CodeSize: new(l.Code.Size)})
	}
	return c
}

// shown is the whole configuration, under the ARN by which it was asked for.
func (v *version) shown(arn string) *api.FunctionConfiguration {
	c := v.listed(arn)
	c.State = &v.State
	c.StateReason, c.StateReasonCode = text(v.StateReason), text(v.StateCode)
	c.LastUpdateStatus = text(v.Update)
	c.LastUpdateStatusReason, c.LastUpdateStatusReasonCode = text(v.UpdateReason), text(v.UpdateCode)
	c.RuntimeVersionConfig = &api.RuntimeVersionConfig{RuntimeVersionArn: text(v.RuntimeVersion)}
	return &c
}

func (v *version) snapStartResponse() *api.SnapStartResponse {
	status := api.SnapStartOptimizationStatusOff
	if v.snapStarts() {
		status = api.SnapStartOptimizationStatusOn
	}
	return &api.SnapStartResponse{ApplyOn: &v.SnapStart, OptimizationStatus: &status}
}

func (v *version) loggingConfig() *api.LoggingConfig {
	c := &api.LoggingConfig{LogFormat: &v.Logging.Format, LogGroup: new(v.LogGroup())}
	if v.Logging.Format == api.LogFormatJson {
		c.ApplicationLogLevel = new(v.applicationLevel())
		c.SystemLogLevel = new(v.systemLevel())
	}
	return c
}

// applicationLevel and systemLevel are the levels of logs in JSON, with their defaults.
func (v *version) applicationLevel() string {
	if v.Logging.Application == "" {
		return api.ApplicationLogLevelInfo
	}
	return v.Logging.Application
}

func (v *version) systemLevel() string {
	if v.Logging.System == "" {
		return api.SystemLogLevelInfo
	}
	return v.Logging.System
}

// text is a string as an optional member: nil for none.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
