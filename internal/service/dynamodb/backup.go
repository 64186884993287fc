package dynamodb

import (
	"context"

	"cirro/internal/awsapi"
	"cirro/internal/service/dynamodb/table"
)

func (s *Service) restore(context.Context, *table.Record) error {
	return awsapi.Unimplemented("dynamodb", "restore")
}
