package proxy

import (
	"encoding/base64"
	"time"
)

// Event is what a function behind a REST API is called with. Where it has nothing to say it says null.
type Event struct {
	Resource                        string              `json:"resource"`
	Path                            string              `json:"path"`
	HTTPMethod                      string              `json:"httpMethod"`
	Headers                         map[string]string   `json:"headers"`
	MultiValueHeaders               map[string][]string `json:"multiValueHeaders"`
	QueryStringParameters           map[string]string   `json:"queryStringParameters"`
	MultiValueQueryStringParameters map[string][]string `json:"multiValueQueryStringParameters"`
	PathParameters                  map[string]string   `json:"pathParameters"`
	StageVariables                  map[string]string   `json:"stageVariables"`
	RequestContext                  Context             `json:"requestContext"`
	Body                            *string             `json:"body"`
	IsBase64Encoded                 bool                `json:"isBase64Encoded"`
}

// Context is what API Gateway knows of a request: the $context variables.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
type Context struct {
	ResourceID        string   `json:"resourceId"`
	ResourcePath      string   `json:"resourcePath"`
	OperationName     string   `json:"operationName,omitempty"`
	HTTPMethod        string   `json:"httpMethod"`
	ExtendedRequestID string   `json:"extendedRequestId"`
	RequestTime       string   `json:"requestTime"`
	Path              string   `json:"path"` // with the stage
	AccountID         string   `json:"accountId"`
	Protocol          string   `json:"protocol"`
	Stage             string   `json:"stage"`
	DomainPrefix      string   `json:"domainPrefix"`
	RequestTimeEpoch  int64    `json:"requestTimeEpoch"` // in milliseconds
	RequestID         string   `json:"requestId"`
	Identity          Identity `json:"identity"`
	DomainName        string   `json:"domainName"`
	DeploymentID      string   `json:"deploymentId,omitempty"`
	APIID             string   `json:"apiId"`
}

// Identity is who made a request.
type Identity struct {
	CognitoIdentityPoolID         *string `json:"cognitoIdentityPoolId"`
	AccountID                     *string `json:"accountId"`
	CognitoIdentityID             *string `json:"cognitoIdentityId"`
	APIKey                        string  `json:"apiKey,omitempty"`
	Caller                        *string `json:"caller"`
	SourceIP                      string  `json:"sourceIp"`
	PrincipalOrgID                *string `json:"principalOrgId"`
	APIKeyID                      string  `json:"apiKeyId,omitempty"`
	AccessKey                     *string `json:"accessKey"`
	CognitoAuthenticationType     *string `json:"cognitoAuthenticationType"`
	CognitoAuthenticationProvider *string `json:"cognitoAuthenticationProvider"`
	UserARN                       *string `json:"userArn"`
	UserAgent                     *string `json:"userAgent"`
	User                          *string `json:"user"`
}

// SetTime sets the request's time in both its forms.
func (c *Context) SetTime(t time.Time) {
	c.RequestTime = t.UTC().Format("02/Jan/2006:15:04:05 -0700")
	c.RequestTimeEpoch = t.UnixMilli()
}

// NewEvent makes the event of a request. Its body is given as base64 where its Content-Type is one of
// the API's binary types; a body of another type that is no UTF-8 is damaged, as on AWS.
func NewEvent(r *Request, c Context, path, variables map[string]string, binary MediaTypes) *Event {
	headers := make([]Pair, 0, len(r.Headers))
	for _, h := range r.Headers {
		if !Dropped(h.Name) {
			headers = append(headers, Pair{RequestName(h.Name), h.Value})
		}
	}
	e := &Event{
		Resource:                        c.ResourcePath,
		Path:                            r.Path,
		HTTPMethod:                      r.Method,
		Headers:                         last(headers),
		MultiValueHeaders:               all(headers),
		QueryStringParameters:           last(r.Query),
		MultiValueQueryStringParameters: all(r.Query),
		PathParameters:                  orNull(path),
		StageVariables:                  orNull(variables),
		RequestContext:                  c,
	}
	switch {
	case len(r.Body) == 0:
	case binary.Match(contentType(r)):
		e.Body, e.IsBase64Encoded = new(base64.StdEncoding.EncodeToString(r.Body)), true
	default:
		e.Body = new(string(r.Body))
	}
	return e
}

// contentType is a request's media type: JSON where it does not say.
func contentType(r *Request) string {
	if t := r.Header("Content-Type"); t != "" {
		return t
	}
	return "application/json"
}

func orNull(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	return m
}
