package sns

import "cirro/internal/awsapi"

// unsupported refuses by name what the platform does not have. Operations it does not have are refused by
// api.Unimplemented: those on phone numbers, on mobile platforms and their endpoints, and on data protection.
func unsupported(what string) error {
	return awsapi.NotImplemented.New("Cirro does not implement %s of Amazon SNS", what)
}
