package resolvers

import (
	"context"
	"errors"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"clerkql/clerksvc"
	"clerkql/graph/model"
	"clerkql/internal/secret"
)

// Viewer resolves Query.viewer.
func (q query) Viewer(ctx context.Context) (*model.Viewer, error) {
	header := graphql.GetOperationContext(ctx).Headers.Get("Authorization")
	if header == "" {
		return nil, nil
	}
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil, viewerError(clerksvc.ErrSessionTokenInvalid)
	}
	viewer, err := q.service.Viewer(ctx, secret.New(strings.TrimSpace(token)))
	if err != nil {
		return nil, viewerError(err)
	}
	return &model.Viewer{UserID: viewer.UserID, SessionID: viewer.SessionID, ExpiresAt: viewer.ExpiresAt}, nil
}

// viewerError returns the GraphQL error for a viewer who can't be told.
func viewerError(err error) error {
	public := &gqlerror.Error{Err: err, Message: "Clerk can't be asked for its signing keys right now."}
	errcode.Set(public, string(model.ErrorCodeServiceUnavailable))
	if errors.Is(err, clerksvc.ErrSessionTokenInvalid) {
		public.Message = "The session token in the Authorization header is not valid, or no longer valid."
		errcode.Set(public, "SESSION_TOKEN_INVALID")
	}
	return public
}
