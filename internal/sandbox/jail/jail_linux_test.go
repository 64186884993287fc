package jail

import (
	"context"
	"os"
	"testing"
)

// systemBinds are the host's directories that programs need.
func systemBinds() []Bind {
	var binds []Bind
	for _, p := range []string{"/usr", "/bin", "/lib", "/lib64"} {
		if _, err := os.Stat(p); err == nil {
			binds = append(binds, Bind{Source: p, Target: p})
		}
	}
	return binds
}

var usual = Limits{Memory: 128 << 20, Pids: 64, Tmp: 512 << 20, Files: 1024}

// made makes and assigns a jail for a test.
func made(t testing.TB, h Host, l Limits, binds ...Bind) Jail {
	t.Helper()
	j, err := h.New(context.Background(), Config{
		Binds: systemBinds(), Listeners: []string{"127.0.0.1:9001"}, Hostname: "cell",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := j.Assign(context.Background(), l, binds); err != nil {
		t.Fatal(err)
	}
	return j
}

// shell runs a script in the jail.
func shell(t testing.TB, j Jail, script string) (string, Exit) {
	t.Helper()
	return output(t, j, Command{Path: "/bin/sh", Args: []string{"-c", script}, Env: []string{"PATH=/usr/bin:/bin"}})
}

func TestWalledFirst(t *testing.T) {
	h := openFor(t, AsRoot)
	t.Log(h.Warnings())
	j := made(t, h, usual)
	out, exit := shell(t, j, `id; cat /proc/self/status /proc/mounts /proc/self/cgroup; ls -la / /dev /etc /tmp; ps ax; df -h /tmp; ls -la /proc/1/; touch /x`)
	t.Log(out, exit)
}
