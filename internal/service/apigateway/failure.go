package apigateway

import (
	"encoding/json"
	"fmt"
	"net/http"

	api "cirro/internal/awsapi/apigateway"
)

// failure is why a request is answered by the gateway itself: by a gateway response.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
type failure struct {
	kind      string // the type of the gateway response
	status    int    // where the gateway response has none
	errorType string // x-amzn-ErrorType
	message   string
	reason    string // for the log of an execution alone: clients learn no more than the message
}

func (f *failure) Error() string { return f.message + ": " + f.reason }

// variable is a variable below $context.error.
func (f *failure) variable(name string) (string, bool) {
	if f == nil {
		return "", false
	}
	switch name {
	case "message":
		return f.message, true
	case "messageString":
		b, _ := json.Marshal(f.message)
		return string(b), true
	case "responseType":
		return f.kind, true
	}
	return "", false
}

// because says why, for the log.
func (f failure) because(format string, args ...any) *failure {
	f.reason = fmt.Sprintf(format, args...)
	return &f
}

var (
	noRoute = failure{kind: api.GatewayResponseTypeMissingAuthenticationToken, status: http.StatusForbidden,
		errorType: "MissingAuthenticationTokenException", message: "Missing Authentication Token"}
	forbidden = failure{kind: api.GatewayResponseTypeAccessDenied, status: http.StatusForbidden,
		errorType: "ForbiddenException", message: "Forbidden"}
	invalidKey = failure{kind: api.GatewayResponseTypeInvalidApiKey, status: http.StatusForbidden,
		errorType: "ForbiddenException", message: "Forbidden"}
	tooLarge = failure{kind: api.GatewayResponseTypeRequestTooLarge, status: http.StatusRequestEntityTooLarge,
		errorType: "RequestTooLargeException", message: "Request Too Long"}
	badBody = failure{kind: api.GatewayResponseTypeBadRequestBody, status: http.StatusBadRequest,
		errorType: "BadRequestException", message: "Invalid request body"}
	unsupportedType = failure{kind: api.GatewayResponseTypeUnsupportedMediaType, status: http.StatusUnsupportedMediaType,
		errorType: "UnsupportedMediaTypeException", message: "Unsupported Media Type"}
	timedOut = failure{kind: api.GatewayResponseTypeIntegrationTimeout, status: http.StatusGatewayTimeout,
		errorType: "InternalServerErrorException", message: "Endpoint request timed out"}
	// badGateway is for what a function answers, misconfigured for what keeps it from being called.
	// https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway.html#services-apigateway-errors
	badGateway = failure{kind: api.GatewayResponseTypeDefault5xx, status: http.StatusBadGateway,
		errorType: "InternalServerErrorException", message: "Internal server error"}
	misconfigured = failure{kind: api.GatewayResponseTypeApiConfigurationError, status: http.StatusInternalServerError,
		errorType: "InternalServerErrorException", message: "Internal server error"}
	invalidSignature = failure{kind: api.GatewayResponseTypeInvalidSignature, status: http.StatusForbidden,
		errorType: "InvalidSignatureException"}
)
