// Package proxy is the contract between a REST API and the function behind it: the event of payload
// version 1.0 that a request becomes, and the reply that becomes a response. It is pure: it neither
// calls functions nor writes to connections.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
package proxy
