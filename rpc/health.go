package rpc

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
)

// health answers grpc.health.v1. All services have the same status.
type health struct{ status atomic.Uint32 }

func newHealth() *health {
	h := new(health)
	h.set(grpchealth.StatusNotServing)
	return h
}

func (h *health) set(s grpchealth.Status) { h.status.Store(uint32(s)) }

// Check answers for the services of this server, and for "", all of it.
func (h *health) Check(_ context.Context, req *grpchealth.CheckRequest) (*grpchealth.CheckResponse, error) {
	if req.Service != "" && !slices.Contains(serviceNames, req.Service) {
		return nil, connect.NewError(connect.CodeNotFound, fmt.Errorf("no service %q here", req.Service))
	}
	return &grpchealth.CheckResponse{Status: grpchealth.Status(h.status.Load())}, nil
}
