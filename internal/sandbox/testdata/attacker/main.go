// Command attacker is a function's bootstrap that tries, by raw system calls, to get out of its environment
// and to harm its neighbours. The Go test beside names an attempt and knows what it must come to.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
)

// facts are what the attacker may know.
type facts struct {
	Abstract string // a socket of the host's
	Port     int    // of the host's
}

// attempts say what each comes to: names of the kernel's errors, "ok" for none, or what was found.
var attempts = map[string]func(facts) string{}

func main() {
	if len(os.Args) > 1 {
		again(os.Args[1:])
		return
	}
	api := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for {
		if err := serve(api); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
}

func serve(api string) error {
	next, err := http.Get(api + "next")
	if err != nil {
		return err
	}
	defer next.Body.Close()
	var event struct {
		Code  string
		Facts facts
	}
	body, err := io.ReadAll(next.Body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, &event); err != nil {
		return err
	}
	result := "no such attempt"
	if try := attempts[event.Code]; try != nil {
		result = try(event.Facts)
	}
	reply, err := json.Marshal(result)
	if err != nil {
		return err
	}
	r, err := http.Post(api+next.Header.Get("Lambda-Runtime-Aws-Request-Id")+"/response", "application/json", bytes.NewReader(reply))
	if err != nil {
		return err
	}
	return r.Body.Close()
}
