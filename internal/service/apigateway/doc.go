// Package apigateway is Amazon API Gateway's REST APIs: the operations that describe an API, and the
// HTTP handler that answers the requests to its stages.
//
// It owns what it keeps in the store under "apigateway": APIs with their resources, the snapshots that
// deployments take of them, and stages. It calls functions as any client does, through awsapi.Caller.
// What it does not have (HTTP and AWS integrations, authorizers, models, usage plans, imports) it
// refuses by name; it never records what it would not do.
package apigateway
