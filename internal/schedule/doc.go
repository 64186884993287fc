// Package schedule reads AWS's schedule expressions, at(…), rate(…) and cron(…), and says when they are
// due. It owns the dialect: AWS's cron has six fields, counts the days of the week from 1 and wants a "?"
// in one of the two fields for days. When a field matches is the library's to say (cronexpr); running what
// is due is its caller's.
//
// https://docs.aws.amazon.com/autoscaling/application/userguide/scheduled-scaling-using-cron-expressions.html
package schedule
