package sandbox

// The reasons that an environment shuts down for, as extensions are told.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html#runtimes-lifecycle-shutdown
const (
	spindown = "spindown"
	timeout  = "timeout"
	failure  = "failure"
)

// shutDown ends an environment: extensions are told first and have their time.
func (e *environment) shutDown(reason string) {
	e.destroy()
	e.journal.close()
}
