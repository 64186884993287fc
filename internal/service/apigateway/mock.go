package apigateway

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/apigateway"
	"cirro/internal/service/apigateway/proxy"
)

// mock answers from what is written down: the request template says with which status, and the
// integration response for that status says what.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-mock-integration.html
func (x *execution) mock(i *api.Integration) (*result, *failure) {
	template, f := x.requestTemplate(i)
	if f != nil {
		return nil, f
	}
	var said struct {
		StatusCode *int `json:"statusCode"`
	}
	if err := json.Unmarshal([]byte(template), &said); err != nil || said.StatusCode == nil {
		return nil, misconfigured.because("Execution failed due to configuration error: Unable to parse statusCode. It should be an integer that is defined in the request template.")
	}
	response, ok := selectResponse(i, *said.StatusCode)
	if !ok {
		return nil, misconfigured.because("Execution failed due to configuration error: No match for output mapping and no default output mapping configured. Endpoint Response Status Code: %d", *said.StatusCode)
	}
	if _, ok := x.method.MethodResponses[*response.StatusCode]; !ok {
		return nil, misconfigured.because("Execution failed due to configuration error: Output mapping refers to an invalid method response: %s", *response.StatusCode)
	}
	contentType, body := choose(response.ResponseTemplates, x.request.Header("Accept"))
	r := &result{status: statusCode(response.StatusCode), body: []byte(body),
		headers: []proxy.Pair{{Name: "Content-Type", Value: contentType}}}
	s := x.scope(nil)
	for _, name := range slices.Sorted(maps.Keys(response.ResponseParameters)) {
		value, _ := s.value(response.ResponseParameters[name])
		if name = proxy.ResponseName(strings.TrimPrefix(name, "method.response.header.")); name != "" {
			r.set(name, value)
		}
	}
	return r, nil
}

// requestTemplate is the template for the request's Content-Type, or, as passthroughBehavior has it, the
// request's body.
func (x *execution) requestTemplate(i *api.Integration) (string, *failure) {
	contentType := x.request.Header("Content-Type")
	if contentType == "" {
		contentType = "application/json"
	}
	contentType, _, _ = strings.Cut(contentType, ";")
	if t, ok := i.RequestTemplates[strings.TrimSpace(contentType)]; ok {
		return t, nil
	}
	if t, ok := i.RequestTemplates["$default"]; ok {
		return t, nil
	}
	switch behavior := awsapi.Val(i.PassthroughBehavior); {
	case behavior == "NEVER", behavior == "WHEN_NO_TEMPLATES" && len(i.RequestTemplates) > 0:
		return "", unsupportedType.because("Execution failed: the content type %s has no request template", contentType)
	}
	return string(x.request.Body), nil
}

// selectResponse selects the integration response whose pattern the status matches: else the one
// without a pattern.
func selectResponse(i *api.Integration, status int) (api.IntegrationResponse, bool) {
	var fallback *api.IntegrationResponse
	for _, code := range slices.Sorted(maps.Keys(i.IntegrationResponses)) {
		r := i.IntegrationResponses[code]
		pattern := awsapi.Val(r.SelectionPattern)
		if pattern == "" {
			if fallback == nil {
				fallback = &r
			}
			continue
		}
		if re, err := regexp.Compile("^(?:" + pattern + ")$"); err == nil && re.MatchString(strconv.Itoa(status)) {
			return r, true
		}
	}
	if fallback == nil {
		return api.IntegrationResponse{}, false
	}
	return *fallback, true
}
