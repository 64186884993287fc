package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"cirro/internal/blob"
	"cirro/internal/blob/blobtest"
)

// gatewayVersion is of an S3 server in Go over a directory: https://github.com/versity/versitygw
const gatewayVersion = "v1.8.0"

// gatewayProgram builds the server, once for all tests of this machine.
func gatewayProgram(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "cirro", "versitygw-"+gatewayVersion)
	program := filepath.Join(dir, "versitygw")
	if _, err := os.Stat(program); err == nil {
		return program
	}
	cmd := exec.Command("go", "install", "github.com/versity/versitygw/cmd/versitygw@"+gatewayVersion)
	cmd.Dir = t.TempDir() // apart from this module
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		for _, unreachable := range []string{"dial tcp", "i/o timeout", "proxyconnect", "no such host"} {
			if strings.Contains(string(out), unreachable) {
				t.Skipf("versitygw cannot be fetched: %s", out)
			}
		}
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// gateway starts the server and returns where it answers.
func gateway(t *testing.T) (endpoint string) {
	t.Helper()
	program, data := gatewayProgram(t), t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	var complaint bytes.Buffer
	cmd := exec.Command(program, "--port", address, "--access", "key", "--secret", "secret", "--quiet", "posix", data)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stdout, cmd.Stderr = &complaint, &complaint
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	endpoint = "http://" + address
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		answer, err := http.Get(endpoint)
		if err == nil {
			_ = answer.Body.Close() // it was not read
			return endpoint
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("versitygw: %v: %s", err, complaint.String())
		default:
		}
		if time.Now().After(end) {
			t.Fatalf("versitygw does not answer: %v", err)
		}
	}
}

// openTest opens a store in a bucket of its own.
func openTest(t *testing.T, endpoint, bucket, prefix string) *Store {
	t.Helper()
	p := fmt.Sprintf("s3://%s/%s?endpoint=%s", bucket, prefix, endpoint)
	s, err := Open(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// makeBucket makes a bucket, which Open refuses to miss.
func makeBucket(t *testing.T, endpoint, bucket string) {
	t.Helper()
	_, err := Open(t.Context(), fmt.Sprintf("s3://%s?endpoint=%s", bucket, endpoint))
	if err == nil || !strings.Contains(err.Error(), bucket) {
		t.Fatalf("a bucket that is not there: %v", err)
	}
	client := clientOf(t, place{endpoint: endpoint})
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
}

func clientOf(t *testing.T, p place) *s3.Client {
	t.Helper()
	client, err := p.client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestStore(t *testing.T) {
	endpoint := gateway(t)
	makeBucket(t, endpoint, "bodies")
	t.Run("Bucket", func(t *testing.T) { blobtest.Run(t, openTest(t, endpoint, "bodies", "")) })
	t.Run("Prefix", func(t *testing.T) {
		makeBucket(t, endpoint, "shared")
		a, b := openTest(t, endpoint, "shared", "a/b"), openTest(t, endpoint, "shared", "c")
		if _, err := a.Put(t.Context(), "k", strings.NewReader("of a")); err != nil {
			t.Fatal(err)
		}
		if _, _, err := b.Get(t.Context(), "k"); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("the other prefix: %v", err)
		}
		again := openTest(t, endpoint, "shared", "a/b/")
		body, _, err := again.Get(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		if got, err := io.ReadAll(body); string(got) != "of a" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("ReplacedWhileRead", func(t *testing.T) {
		s := openTest(t, endpoint, "bodies", "")
		put := func(text string) {
			if _, err := s.Put(t.Context(), "replaced", strings.NewReader(text)); err != nil {
				t.Fatal(err)
			}
		}
		put("one")
		body, _, err := s.Get(t.Context(), "replaced")
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		if _, err := body.Seek(1, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		put("two")
		if got, err := io.ReadAll(body); err == nil {
			t.Errorf("a mixture: %q", got)
		}
	})
	t.Run("NobodyThere", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Open(ctx, "s3://bodies?endpoint="+endpoint); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestParse(t *testing.T) {
	for from, want := range map[string]place{
		"s3://b":                             {bucket: "b", virtualHosts: true},
		"s3://b/":                            {bucket: "b", virtualHosts: true},
		"s3://b.c/d/e/":                      {bucket: "b.c", prefix: "d/e/", virtualHosts: true},
		"s3://b?region=eu-west-1":            {bucket: "b", region: "eu-west-1", virtualHosts: true},
		"s3://b?endpoint=http://127.0.0.1:9": {bucket: "b", endpoint: "http://127.0.0.1:9"},
		"s3://b?endpoint=http://h&addressing=virtual": {bucket: "b", endpoint: "http://h", virtualHosts: true},
		"s3://b?addressing=path":                      {bucket: "b"},
	} {
		if got, err := parse(from); err != nil || got != want {
			t.Errorf("%s: %+v, %v", from, got, err)
		}
	}
	for _, from := range []string{"", "b", "s3:b", "s3://", "s3:///b", "http://b", "s3://b/../c", "s3://b/c d", "s3://b?x=1", "s3://b?addressing=x", "s3://b#c", "s3://%"} {
		if p, err := parse(from); err == nil {
			t.Errorf("%s: %+v", from, p)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"s3://b/c?endpoint=http://h:1&region=r&addressing=path", "s3://", "s3://b/..", "%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, from string) {
		p, err := parse(from)
		if err == nil && (p.bucket == "" || p.prefix != "" && blob.CheckKey(strings.TrimSuffix(p.prefix, "/")) != nil) {
			t.Errorf("%+v", p)
		}
	})
}
