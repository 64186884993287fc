package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"cirro/internal/platform"
)

// serve runs the platform.
type serve struct {
	Listen   string        `help:"Address to listen on." default:"127.0.0.1:4566" env:"CIRRO_LISTEN"`
	Data     string        `help:"Directory that holds everything. Default: ~/.local/share/cirro." type:"path" env:"CIRRO_DATA"`
	Store    string        `help:"Database that keeps everything but bodies, for one node or many: postgres://user@host/database. Default: an embedded store in the data directory." env:"CIRRO_STORE"`
	Blobs    string        `help:"Where bodies are kept: a directory, or s3://bucket/prefix with ?endpoint=… for another store than Amazon's. Default: a directory in the data directory." env:"CIRRO_BLOBS"`
	Auth     bool          `help:"Verify signatures. Needed to listen anywhere but on loopback." env:"CIRRO_AUTH"`
	RootKey  string        `help:"Access key id of the root user, with --auth." env:"CIRRO_ROOT_ACCESS_KEY_ID"`
	RootPass string        `help:"Its secret, better given in the environment." name:"root-secret" env:"CIRRO_ROOT_SECRET_ACCESS_KEY"`
	Runtimes string        `help:"Directory with what managed runtimes carry (boto3). Default: runtimes beside the program." type:"path" env:"CIRRO_RUNTIMES"`
	Idle     time.Duration `help:"How long an idle execution environment is kept." default:"10m" env:"CIRRO_IDLE"`
	Pool     *int          `help:"MB that may be spent on environments made ahead of functions; 0 for none. Default: a sixteenth of the memory." name:"pool-memory" env:"CIRRO_POOL_MEMORY"`
	Isolate  string        `help:"How functions are walled in: auto, root, rootless or none." enum:"auto,root,rootless,none" default:"auto" env:"CIRRO_ISOLATION"`
	Egress   string        `help:"Where functions may connect to beside the platform: outside (not this machine itself, nor metadata services), all or none." enum:"outside,all,none" default:"outside" env:"CIRRO_EGRESS"`
	Retry    float64       `help:"Scale of the delays between attempts of asynchronous invocations and deliveries, and of the waits, retries and timeouts of Step Functions; 0.01 for tests." default:"1" env:"CIRRO_RETRY_SCALE"`
	Mocks    string        `help:"What tasks of Step Functions answer in tests: a file in the format of Step Functions Local's mock configuration." name:"states-mocks" type:"path" env:"CIRRO_STATES_MOCKS,SFN_MOCK_CONFIG"`
	Expiry   time.Duration `help:"Time between two looks for items of DynamoDB whose time to live has ended." name:"ttl-interval" default:"5s" env:"CIRRO_TTL_INTERVAL"`
	Throttle bool          `help:"Enforce the throughput of DynamoDB's tables and of Kinesis's shards, as AWS does." env:"CIRRO_THROTTLE"`
	Streams  time.Duration `help:"How long the records of DynamoDB's streams can be read; less for tests." name:"stream-retention" default:"24h" env:"CIRRO_STREAM_RETENTION"`
	Scaling  time.Duration `help:"Time between two points of the metrics that Application Auto Scaling follows; less for tests." name:"scaling-period" default:"1m" env:"CIRRO_SCALING_PERIOD"`
	LogLevel slog.Level    `help:"Least level of the platform's own log, on standard error." default:"warn" env:"CIRRO_LOG_LEVEL"`
}

// Run serves until SIGTERM or SIGINT.
func (c *serve) Run(t *terminal) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	defer collectLess()()
	data, err := c.dataDir()
	if err != nil {
		return err
	}
	p, err := platform.Start(ctx, platform.Options{
		Listen: c.Listen, Data: data, Store: c.Store, Blobs: c.Blobs, Auth: c.Auth, RootKeyID: c.RootKey, RootSecret: c.RootPass,
		Runtimes: c.Runtimes, IdleFor: c.Idle, PoolMemory: c.poolMemory(), Isolation: c.Isolate, Egress: c.Egress, RetryScale: c.Retry, StatesMocks: c.Mocks, ScalingPeriod: c.Scaling,
		ExpiryInterval: c.Expiry, StreamRetention: c.Streams, Throttle: c.Throttle,
		Log: slog.New(slog.NewTextHandler(t.err, &slog.HandlerOptions{Level: c.LogLevel})),
	})
	if err != nil {
		return err
	}
	for _, w := range p.Warnings() {
		fmt.Fprintf(t.err, "cirro: warning: %s\n", w)
	}
	fmt.Fprintf(t.out, "cirro: ready at %s (data in %s, isolation %s)\n", p.URL(), data, p.Isolation())
	select {
	case <-ctx.Done():
	case err = <-p.Failed():
	}
	stop() // a second signal ends the program at once
	if closeErr := p.Close(); err == nil {
		err = closeErr
	}
	return err
}

// poolMemory is the flag in bytes, as the platform has it.
func (c *serve) poolMemory() int64 {
	switch {
	case c.Pool == nil:
		return 0
	case *c.Pool <= 0:
		return -1
	default:
		return int64(*c.Pool) << 20
	}
}

func (c *serve) dataDir() (string, error) {
	if c.Data != "" {
		return c.Data, nil
	}
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "cirro"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no --data given, and %w", err)
	}
	return filepath.Join(home, ".local", "share", "cirro"), nil
}
