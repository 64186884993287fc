// Package sns is Amazon SNS: topics, and what is published to them on its way to subscribers.
//
// What is published is durable when Publish returns: one transaction puts it into a queue of the store, from
// where couriers carry it on. It reaches each subscription at least once, and those of a FIFO topic in order.
// The package owns topics, subscriptions, filters, retries and signatures. It never looks into a queue or a
// function: it calls them as a user would.
//
// https://docs.aws.amazon.com/sns/latest/api/welcome.html
package sns
