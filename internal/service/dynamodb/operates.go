package dynamodb

import api "cirro/internal/awsapi/dynamodb"

// Operates says whether a request is an operation on tables, by its method, target and X-Amz-Target.
func Operates(method, target, operation string) bool {
	return api.Service.Called(method, target, operation) != ""
}
