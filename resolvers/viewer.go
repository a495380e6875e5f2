package resolvers

import (
	"context"
	"errors"

	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"clerkql/clerksvc"
	"clerkql/graph/model"
)

// Viewer resolves Query.viewer.
func (q query) Viewer(ctx context.Context) (*model.Viewer, error) {
	token, sent := sessionToken(ctx)
	if !sent {
		return nil, nil
	}
	viewer, err := q.service.Viewer(ctx, client(ctx), token)
	if err != nil {
		return nil, viewerError(err)
	}
	return &model.Viewer{UserID: viewer.UserID, SessionID: viewer.SessionID, ExpiresAt: viewer.ExpiresAt}, nil
}

// Sessions resolves Viewer.sessions.
func (v viewer) Sessions(ctx context.Context, obj *model.Viewer) ([]model.Session, error) {
	token, _ := sessionToken(ctx)
	sessions, err := v.service.Sessions(ctx, client(ctx), token)
	if err != nil {
		return nil, viewerError(err)
	}
	list := []model.Session{}
	for _, session := range sessions {
		list = append(list, model.Session{
			SessionID:    session.ID,
			Current:      session.ID == obj.SessionID,
			Device:       sessionDevice(session.Device),
			CreatedAt:    session.CreatedAt,
			LastActiveAt: session.LastActiveAt,
			ExpiresAt:    session.ExpiresAt,
		})
	}
	return list, nil
}

func sessionDevice(device *clerksvc.SessionDevice) *model.SessionDevice {
	if device == nil {
		return nil
	}
	return &model.SessionDevice{
		Type:      optionalText(device.Type),
		Mobile:    device.Mobile,
		Browser:   optionalText(device.Browser),
		IPAddress: optionalText(device.IPAddress),
		City:      optionalText(device.City),
		Country:   optionalText(device.Country),
	}
}

// viewerError returns the GraphQL error for a viewer who can't be told.
func viewerError(err error) error {
	public := &gqlerror.Error{Err: err, Message: "Clerk can't be asked right now."}
	errcode.Set(public, string(model.ErrorCodeServiceUnavailable))
	switch {
	case errors.As(err, new(*clerksvc.RateLimitedError)):
		public.Message = "Too many requests. Wait a moment before trying again."
		errcode.Set(public, string(model.ErrorCodeRateLimited))
	case errors.Is(err, clerksvc.ErrSessionTokenInvalid):
		public.Message = "The session token that was sent is not valid, or no longer valid."
		errcode.Set(public, "SESSION_TOKEN_INVALID")
	}
	return public
}
