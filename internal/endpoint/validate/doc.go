// Package validate checks an operation's input against its model's constraints, and words what fails
// as AWS words it.
package validate
