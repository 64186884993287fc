// Package asl is Amazon States Language: it reads a state machine's definition, checks it, and says what a
// state does with its input. It is pure: no clock, no store, no network; whoever runs a machine asks it.
//
// Parse makes a Machine of States, whose expressions are compiled. A state is run in steps that its runner
// chooses: Begin makes the input that goes to the work, Finish makes an outcome of the work's result, Choose
// and Until are for the states that do no work, Retry and Catch for work that failed.
//
// The languages within the language are subpackages: jsonpath and intrinsic of JSONPath states, jsonata of
// JSONata states; document is the JSON that passes through.
//
// https://states-language.net/spec.html and https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html
package asl
