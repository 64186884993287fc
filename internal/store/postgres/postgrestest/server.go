// Package postgrestest starts a PostgreSQL server for tests, in a temporary directory and on loopback
// alone. It never touches a server that runs already.
package postgrestest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// programs is where Debian's package has the programs.
const programs = "/usr/lib/postgresql/15/bin"

// Server is a server that runs, or that was stopped.
type Server struct {
	dir       string
	port      int
	owner     *syscall.Credential // nil for who runs the test
	process   *exec.Cmd
	databases atomic.Int64
	settings  []string
}

// ErrUnable says why a server cannot be started here, which is no fault of what is tested.
var ErrUnable = errors.New("PostgreSQL cannot be tested here")

// Start starts a server, with settings of the form name=value. Unless they say otherwise its data are lost if the
// machine stops, as that is not what is tested.
func Start(settings ...string) (_ *Server, err error) {
	if _, err := os.Stat(filepath.Join(programs, "initdb")); err != nil {
		return nil, fmt.Errorf("%w: Debian's package postgresql-15 is not installed: %w", ErrUnable, err)
	}
	dir, err := os.MkdirTemp("", "cirro-postgres-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, settings: settings}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	if err := s.disown(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnable, err)
	}
	out, err := s.command("initdb", "--pgdata", s.data(), "--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	if s.port, err = freePort(); err != nil {
		return nil, err
	}
	return s, s.Run()
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// disown gives the directory to another user where root runs the tests: PostgreSQL refuses root.
func (s *Server) disown() error {
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return err
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	s.owner = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(s.dir, int(uid), int(gid))
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(programs, name), args...)
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner}
	endWithParent(cmd.SysProcAttr)
	return cmd
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// Run starts a server again that was stopped, and returns when it answers.
func (s *Server) Run() error {
	var log bytes.Buffer
	started := make(chan error, 1)
	args := []string{"-D", s.data(), "-h", "127.0.0.1", "-p", strconv.Itoa(s.port), "-k", ""}
	for _, setting := range append([]string{"fsync=off", "full_page_writes=off", "max_connections=400", "log_min_messages=fatal"}, s.settings...) {
		args = append(args, "-c", setting)
	}
	cmd := s.command("postgres", args...)
	cmd.Stderr = &log
	go func() { started <- cmd.Start() }()
	if err := <-started; err != nil {
		return err
	}
	s.process = cmd
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.URL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		if ctx.Err() != nil {
			return errors.Join(fmt.Errorf("PostgreSQL does not answer: %w: %s", err, log.String()), s.Stop())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// URL is where a database is.
func (s *Server) URL(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s", s.port, database)
}

// Database makes a new database and returns its URL.
func (s *Server) Database(ctx context.Context) (string, error) {
	name := fmt.Sprint("test", s.databases.Add(1))
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return "", err
	}
	_, err = conn.Exec(ctx, "create database "+name)
	return s.URL(name), errors.Join(err, conn.Close(ctx))
}

// Stop stops the server at once: its connections break.
func (s *Server) Stop() error {
	if s.process == nil {
		return nil
	}
	err := s.process.Process.Signal(syscall.SIGINT)
	_ = s.process.Wait() // it was told to go
	s.process = nil
	return err
}

// Close stops the server and removes all it had.
func (s *Server) Close() error {
	return errors.Join(s.Stop(), os.RemoveAll(s.dir))
}
