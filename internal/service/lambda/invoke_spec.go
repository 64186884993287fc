package lambda

import (
	"context"
	"time"

	"cirro/internal/sandbox"
)

// initialization is how an environment comes to be, as its AWS_LAMBDA_INITIALIZATION_TYPE says.
type initialization string

const (
	onDemand initialization = "on-demand"
	prepared initialization = "provisioned-concurrency"
	// snapStart is of versions alone that have it, and of all their environments.
	snapStart initialization = "snap-start"
)

// spec describes the environments of a version. Those kept ready are not interchangeable with those
// made on demand, as a function can tell them apart.
func (s *Service) spec(ctx context.Context, v *version, kind initialization) (*sandbox.Spec, error) {
	dir, err := s.codeDir(ctx, v.Code)
	if err != nil {
		return nil, err
	}
	layers, err := s.layerDirs(ctx, v)
	if err != nil {
		return nil, err
	}
	id := v.SpecID
	if kind == prepared {
		id += "/" + string(kind)
	}
	return &sandbox.Spec{
		ID:                  id,
		ARN:                 v.ARN(),
		Function:            v.Function,
		Version:             v.Number,
		Account:             v.Account,
		Region:              v.Region,
		Runtime:             v.Runtime,
		Handler:             v.Handler,
		Code:                dir,
		Layers:              layers,
		Environment:         v.Environment,
		Memory:              v.Memory,
		Tmp:                 v.Tmp,
		Timeout:             time.Duration(v.Timeout) * time.Second,
		LogFormat:           v.Logging.Format,
		ApplicationLogLevel: v.Logging.Application,
		SystemLogLevel:      v.Logging.System,
		LogGroup:            v.LogGroup(),
		Tracing:             v.Tracing,
		InitializationType:  string(kind),
		SnapStart:           kind == snapStart,
		Credentials:         s.credentialsOf(v),
	}, nil
}

// credentialsOf are those of a session of the version's role, named after the function as on AWS.
func (s *Service) credentialsOf(v *version) func() sandbox.Credentials {
	account, role, session := v.Account, v.Role, v.Function
	return func() sandbox.Credentials {
		if s.Credentials == nil {
			return sandbox.Credentials{AccessKeyID: account, SecretAccessKey: "none"}
		}
		return s.Credentials(context.Background(), account, role, session)
	}
}
