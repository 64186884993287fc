package lambda

import (
	"regexp"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
)

// settings are the parts of a configuration that CreateFunction and UpdateFunctionConfiguration share.
// What is nil is left as it is.
type settings struct {
	Description, Runtime, Role, Handler, KMSKeyArn *string
	Timeout, MemorySize                            *int32
	Environment                                    *api.Environment
	VpcConfig                                      *api.VpcConfig
	DeadLetter                                     *api.DeadLetterConfig
	Tracing                                        *api.TracingConfig
	FileSystems                                    []api.FileSystemConfig
	Image                                          *api.ImageConfig
	Storage                                        *api.EphemeralStorage
	SnapStart                                      *api.SnapStart
	Logging                                        *api.LoggingConfig
	Tenancy                                        *api.TenancyConfig
	Capacity                                       *api.CapacityProviderConfig
	Durable                                        *api.DurableConfig
}

const rolePattern = `arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+`

var roleARN = regexp.MustCompile("^" + rolePattern + "$")

// apply checks the settings and writes them to a version.
func (c *settings) apply(v *version) error {
	if err := c.refused(); err != nil {
		return err
	}
	for _, step := range []func(*version) error{c.applyRuntime, c.applyRole, c.applySizes, c.applyEnvironment,
		c.applyDeadLetter, c.applySnapStart, c.applyLogging, c.applyDurable} {
		if err := step(v); err != nil {
			return err
		}
	}
	if err := v.checkSnapStart(); err != nil {
		return err
	}
	set(&v.Description, c.Description)
	set(&v.Handler, c.Handler)
	if c.Tracing != nil && c.Tracing.Mode != nil {
		v.Tracing = *c.Tracing.Mode
	}
	return nil
}

// refused answers for what the platform cannot do, rather than record it and do nothing.
func (c *settings) refused() error {
	switch {
	case c.VpcConfig != nil && len(c.VpcConfig.SubnetIds)+len(c.VpcConfig.SecurityGroupIds) > 0:
		return awsapi.NotImplemented.New("Cirro has no VPCs: leave VpcConfig out or empty")
	case len(c.FileSystems) > 0:
		return awsapi.NotImplemented.New("Cirro has no EFS: leave FileSystemConfigs out or empty")
	case awsapi.Val(c.KMSKeyArn) != "":
		return awsapi.NotImplemented.New("Cirro has no KMS keys: leave KMSKeyArn out or empty")
	case c.Image != nil && (len(c.Image.Command)+len(c.Image.EntryPoint) > 0 || awsapi.Val(c.Image.WorkingDirectory) != ""):
		return awsapi.NotImplemented.New("Cirro does not run functions from container images: leave ImageConfig out or empty")
	case c.Tenancy != nil:
		return awsapi.NotImplemented.New("Cirro does not isolate the tenants of a function: leave TenancyConfig out")
	case c.Capacity != nil:
		return awsapi.NotImplemented.New("Cirro has no capacity providers: leave CapacityProviderConfig out")
	}
	return nil
}

func (c *settings) applyRuntime(v *version) error {
	if c.Runtime == nil {
		return nil
	}
	if err := checkRuntime(*c.Runtime); err != nil {
		return err
	}
	if v.Runtime != *c.Runtime {
		v.RuntimeVersion = runtimeVersion(v.Region, *c.Runtime)
	}
	v.Runtime = *c.Runtime
	return nil
}

// applyRole takes any role: that Lambda may assume it is for IAM to say once policies are enforced.
func (c *settings) applyRole(v *version) error {
	if c.Role == nil {
		return nil
	}
	if !roleARN.MatchString(*c.Role) {
		return awsapi.ValidationException.New("1 validation error detected: Value '%s' at 'role' failed to satisfy "+
			"constraint: Member must satisfy regular expression pattern: %s", *c.Role, rolePattern)
	}
	v.Role = *c.Role
	return nil
}

// The bounds of a function. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const (
	minMemory, maxMemory = 128, 10240 // MB
	maxTimeout           = 900        // seconds
	minTmp, maxTmp       = 512, 10240 // MB
)

func (c *settings) applySizes(v *version) error {
	for _, n := range []struct {
		field    string
		value    *int32
		min, max int
		to       *int
	}{
		{"timeout", c.Timeout, 1, maxTimeout, &v.Timeout},
		{"memorySize", c.MemorySize, minMemory, maxMemory, &v.Memory},
		{"ephemeralStorage.size", size(c.Storage), minTmp, maxTmp, &v.Tmp},
	} {
		if n.value == nil {
			continue
		}
		if int(*n.value) < n.min {
			return outOfRange(n.field, *n.value, "greater", n.min)
		}
		if int(*n.value) > n.max {
			return outOfRange(n.field, *n.value, "less", n.max)
		}
		*n.to = int(*n.value)
	}
	return nil
}

func size(s *api.EphemeralStorage) *int32 {
	if s == nil {
		return nil
	}
	return s.Size
}

func outOfRange(field string, value int32, side string, bound int) error {
	return awsapi.ValidationException.New("1 validation error detected: Value '%d' at '%s' failed to satisfy constraint: "+
		"Member must have value %s than or equal to %d", value, field, side, bound)
}

func (c *settings) applyEnvironment(v *version) error {
	if c.Environment == nil {
		return nil
	}
	if err := checkEnvironment(c.Environment.Variables); err != nil {
		return err
	}
	v.Environment, v.HasEnvironment = c.Environment.Variables, true
	return nil
}

// A dead letter target is an SQS queue or an SNS topic.
// https://docs.aws.amazon.com/lambda/latest/api/API_DeadLetterConfig.html
var deadLetterARN = regexp.MustCompile(`^arn:aws[a-zA-Z-]*:(sqs|sns):[a-z0-9-]+:\d{12}:[^:]+$`)

func (c *settings) applyDeadLetter(v *version) error {
	if c.DeadLetter == nil {
		return nil
	}
	target := awsapi.Val(c.DeadLetter.TargetArn)
	if target != "" && !deadLetterARN.MatchString(target) {
		return invalid("The provided dead letter target ARN %s is invalid: it must be the ARN of an SQS queue or an SNS topic.", target)
	}
	if strings.HasSuffix(target, ".fifo") && strings.Contains(target, ":sns:") {
		return invalid("The provided dead letter target ARN %s is invalid: FIFO topics are not supported.", target)
	}
	v.DeadLetter = target
	return nil
}

func (c *settings) applySnapStart(v *version) error {
	if c.SnapStart != nil {
		set(&v.SnapStart, c.SnapStart.ApplyOn)
	}
	return nil
}

func (c *settings) applyLogging(v *version) error {
	l := c.Logging
	if l == nil {
		return nil
	}
	set(&v.Logging.Group, l.LogGroup)
	if l.LogFormat != nil && *l.LogFormat != v.Logging.Format {
		v.Logging = logging{Format: *l.LogFormat, Group: v.Logging.Group}
	}
	if v.Logging.Format != api.LogFormatJson && (l.ApplicationLogLevel != nil || l.SystemLogLevel != nil) {
		return invalid("To use ApplicationLogLevel or SystemLogLevel, set LogFormat to JSON.")
	}
	set(&v.Logging.Application, l.ApplicationLogLevel)
	set(&v.Logging.System, l.SystemLogLevel)
	return nil
}

// set writes a value where there is one.
func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// architecture reads the list of architectures, which holds one.
func architecture(list []string) (string, error) {
	value := "[" + strings.Join(list, ", ") + "]"
	switch {
	case len(list) != 1:
		return "", awsapi.ValidationException.New("1 validation error detected: Value '%s' at 'architectures' failed to "+
			"satisfy constraint: Member must have length less than or equal to 1", value)
	case list[0] != api.ArchitectureX8664 && list[0] != api.ArchitectureArm64:
		return "", awsapi.ValidationException.New("1 validation error detected: Value '%s' at 'architectures' failed to "+
			"satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], "+
			"Member must not be null]", value)
	}
	return list[0], nil
}
