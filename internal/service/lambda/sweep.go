package lambda

import "context"

func (s *Service) sweepAll(ctx context.Context) {}
