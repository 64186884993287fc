package applicationautoscaling

import (
	"context"
	"fmt"
	"regexp"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/applicationautoscaling"
)

// scope is the account and the region that a resource belongs to.
type scope struct{ Account, Region string }

func scopeOf(ctx context.Context) scope {
	r := awsapi.RequestOf(ctx)
	return scope{r.Account(), r.Region}
}

// resource is what is scaled: one dimension of a resource of a service.
type resource struct {
	scope
	Namespace string
	ID        string
	Dimension string
}

// String names the resource as AWS's messages do.
func (r *resource) String() string {
	return fmt.Sprintf("service namespace: %s, resource ID: %s, scalable dimension: %s", r.Namespace, r.ID, r.Dimension)
}

var functionID = regexp.MustCompile(`^function:([a-zA-Z0-9_-]{1,64}):([a-zA-Z0-9_-]{1,128})$`)

// resourceOf reads what a request names. Of the namespaces that AWS scales there is Lambda's.
func resourceOf(ctx context.Context, namespace, id, dimension *string) (resource, error) {
	r := resource{scopeOf(ctx), *namespace, awsapi.Val(id), awsapi.Val(dimension)}
	if r.Namespace != api.ServiceNamespaceLambda {
		return r, awsapi.NotImplemented.New("Cirro does not implement scaling of %s: Application Auto Scaling is there for the "+
			"service namespace lambda alone", r.Namespace)
	}
	if r.Dimension != api.ScalableDimensionLambdaFunctionProvisionedConcurrency || !functionID.MatchString(r.ID) {
		return r, invalid("Unsupported service namespace, resource type or scalable dimension")
	}
	return r, nil
}

// function is the resource's function, and its version or alias.
func (r *resource) function() (name, qualifier string) {
	parts := functionID.FindStringSubmatch(r.ID)
	return parts[1], parts[2]
}

// arn makes the ARN of what belongs to a resource, in the form that these have.
func (r *resource) arn(kind, id, nameKind, name string) string {
	return fmt.Sprintf("arn:aws:autoscaling:%s:%s:%s:%s:resource/%s/%s:%s/%s",
		r.Region, r.Account, kind, id, r.Namespace, r.ID, nameKind, name)
}
