package platform

import (
	"context"
	"fmt"
	"strings"
	"time"

	"cirro/internal/identity"
	"cirro/internal/sandbox"
	"cirro/internal/sandbox/jail"
)

// functionSession is how long a function's credentials are valid. Environments are replaced before.
const functionSession = 12 * time.Hour

// sessionCredentials gives each execution environment credentials of its function's role, as if it
// had assumed it. The session is named after the function, as on AWS.
func sessionCredentials(a *identity.Authority) func(ctx context.Context, account, roleARN, session string) sandbox.Credentials {
	return func(_ context.Context, account, roleARN, session string) sandbox.Credentials {
		role := roleARN[strings.LastIndexByte(roleARN, '/')+1:]
		c := a.Issue(identity.Session{
			Account: account,
			ARN:     fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/%s", account, role, session),
			UserID:  "AROA" + strings.ToUpper(role) + ":" + session,
			Expires: time.Now().Add(functionSession),
		})
		return sandbox.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey,
			SessionToken: c.SessionToken, Expires: c.Expires}
	}
}

// isolationMode is what the command line calls a mode of the jails; "auto" is the strongest there is.
func isolationMode(name string) jail.Mode {
	switch name {
	case "root":
		return jail.AsRoot
	case "rootless":
		return jail.Rootless
	case "none":
		return jail.Unwalled
	default:
		return ""
	}
}
