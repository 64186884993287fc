// Package telemetryapi is Lambda's Telemetry API, version 2022-07-01, and the Logs API that it
// replaced, version 2020-08-15: extensions subscribe to what the platform, the function and other
// extensions log, and receive it in batches over HTTP or TCP.
//
// It owns the events' form, subscriptions and delivery. It decides nothing about what is logged:
// package sandbox publishes.
//
// See https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api.html.
package telemetryapi
