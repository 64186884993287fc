package lambda

import (
	"fmt"
	"time"

	api "cirro/internal/awsapi/lambda"
	"cirro/internal/store"
)

// latest is the qualifier of the version that can be changed.
const latest = "$LATEST"

// scope is the account and the region that a resource belongs to.
type scope struct{ Account, Region string }

// arn makes the ARN of one of Lambda's resources in the scope: s.arn("function", "f", "live").
func (s scope) arn(kind, name string, qualifier ...string) string {
	arn := "arn:aws:lambda:" + s.Region + ":" + s.Account + ":" + kind + ":" + name
	for _, q := range qualifier {
		if q != "" {
			arn += ":" + q
		}
	}
	return arn
}

// function is what is known of a function apart from its versions.
type function struct {
	scope
	Name        string
	Created     time.Time
	Tags        map[string]string
	LastVersion int    // number of the version published last; 0 for none. Numbers are never used again.
	Published   string // SpecID of $LATEST when it was published last: nothing changed since while equal
	Reserved    *int   // reserved concurrency; nil for none
	Recursive   string // "Allow" or "Terminate"
}

// ARN is the function's, with a qualifier where one is given.
func (f *function) ARN(qualifier string) string { return f.arn("function", f.Name, qualifier) }

// version is $LATEST or a published version of a function, with all of its configuration.
type version struct {
	scope
	Function string
	Number   string // "$LATEST" or a number

	// SpecID names the code and configuration together: it changes with any change that an execution
	// environment notices, and differs between versions.
	SpecID     string
	RevisionID string
	Modified   time.Time

	Description string
	Runtime     string
	Handler     string
	Role        string
	Timeout     int // seconds
	Memory      int // MB
	Tmp         int // MB
	Environment map[string]string
	// HasEnvironment tells an environment that was set and is empty from one that was never set.
	HasEnvironment bool
	Architecture   string
	Code           code
	Layers         []layerUse
	Tracing        string
	SnapStart      string
	Logging        logging
	DeadLetter     string // ARN, "" for none
	KMSKey         string
	RuntimeVersion string // ARN
	UpdateRuntime  string // when the runtime's own version changes: "Auto", "Manual" or "FunctionUpdate"
	VPC            *vpc
	Durable        *durability `json:",omitempty"` // nil for a function that is not durable

	State        string // "Pending", "Active", "Inactive" or "Failed"
	StateReason  string
	StateCode    string
	Update       string // LastUpdateStatus; "" before the first answer after creation
	UpdateReason string
	UpdateCode   string
}

// ARN is the version's, always with its number.
func (v *version) ARN() string { return v.arn("function", v.Function, v.Number) }

// LogGroup is where the version logs to.
func (v *version) LogGroup() string {
	if v.Logging.Group != "" {
		return v.Logging.Group
	}
	return "/aws/lambda/" + v.Function
}

// logging is a version's LoggingConfig; its fields are empty where the default holds.
type logging struct{ Format, Application, System, Group string }

// vpc is a version's VpcConfig, which is recorded and shown.
type vpc struct {
	Subnets, SecurityGroups []string
	IPv6                    bool
}

// code names a deployment package or the content of a layer.
type code struct {
	Package  string // id of the stored package
	SHA256   string // in hex
	Size     int64  // as uploaded
	Unpacked int64  // bytes of all its files
}

// layerUse is a layer as a version of a function uses it. The content outlives the layer's deletion.
type layerUse struct {
	ARN  string
	Code code
}

// alias points at one version of a function, or at two with weights.
type alias struct {
	scope
	Function    string
	Name        string
	Description string
	Version     string             // the main one
	Weights     map[string]float64 // share of the additional version; empty for none
	RevisionID  string
}

// ARN is the alias's.
func (a *alias) ARN() string { return a.arn("function", a.Function, a.Name) }

// eventInvoke is what happens to asynchronous invocations of a function, a version or an alias.
type eventInvoke struct {
	scope
	Function    string
	Qualifier   string // "$LATEST", a number or an alias
	Modified    time.Time
	MaxRetries  *int // nil for the default, 2
	MaxAge      *int // seconds; nil for the default, 6 hours
	OnSuccess   string
	OnFailure   string
	Destination bool // a DestinationConfig was given
}

// functionURL is the URL of a function or an alias.
type functionURL struct {
	scope
	ID         string // the first label of its host
	Function   string
	Qualifier  string // "" for the function itself
	AuthType   string // "NONE" or "AWS_IAM"
	InvokeMode string // "BUFFERED" or "RESPONSE_STREAM"
	Cors       *api.Cors
	Created    time.Time
	Modified   time.Time
}

// provisioned is how many environments of a version are kept ready.
type provisioned struct {
	scope
	Function  string
	Qualifier string // a number or an alias
	Requested int
	Available int
	Ready     map[string]int // Available by version
	Status    string
	Reason    string
	Modified  time.Time
	Revision  string // of this request, so that a late answer to an earlier one is not recorded
}

// Keys of the records. A version's number is an integer in its key, $LATEST being 0, so that versions
// sort as AWS lists them.
func functionKey(s scope, name string) []byte {
	return store.Key("lambda", "function", s.Account, s.Region, name)
}

func versionKey(s scope, name, number string) []byte {
	return store.Key("lambda", "version", s.Account, s.Region, name, versionNumber(number))
}

func aliasKey(s scope, name, alias string) []byte {
	return store.Key("lambda", "alias", s.Account, s.Region, name, alias)
}

func eventInvokeKey(s scope, name, qualifier string) []byte {
	return store.Key("lambda", "event-invoke", s.Account, s.Region, name, qualifier)
}

func urlKey(s scope, name, qualifier string) []byte {
	return store.Key("lambda", "url", s.Account, s.Region, name, qualifier)
}

// urlIDKey holds the key of the URL with the given id.
func urlIDKey(id string) []byte { return store.Key("lambda", "url-id", id) }

func provisionedKey(s scope, name, qualifier string) []byte {
	return store.Key("lambda", "provisioned", s.Account, s.Region, name, qualifier)
}

// versionNumber is a version's number: 0 for $LATEST, -1 for what is none.
func versionNumber(qualifier string) int {
	if qualifier == latest {
		return 0
	}
	var n int
	if _, err := fmt.Sscanf(qualifier, "%d", &n); err != nil || fmt.Sprint(n) != qualifier || n == 0 {
		return -1
	}
	return n
}
