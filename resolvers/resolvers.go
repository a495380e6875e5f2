// Package resolvers answers GraphQL fields: it hands the input to clerksvc and maps what comes back onto a member of the
// field's union. It takes no decision.
package resolvers

import (
	"log/slog"

	"clerkql/clerksvc"
	"clerkql/graph/generated"
)

// Root resolves the root types.
type Root struct {
	service *clerksvc.Service
	log     *slog.Logger
}

var _ generated.ResolverRoot = (*Root)(nil)

// New returns the resolvers over a service.
func New(service *clerksvc.Service, log *slog.Logger) *Root { return &Root{service, log} }

// Complexity returns what fields cost, where that is not 1: a field for which Clerk is called costs 100.
func Complexity() generated.ComplexityRoot {
	var costs generated.ComplexityRoot
	costs.Viewer.Sessions = func(children int) int { return 100 + children }
	return costs
}

// Mutation implements [generated.ResolverRoot].
func (r *Root) Mutation() generated.MutationResolver { return mutation{r} }

// Query implements [generated.ResolverRoot].
func (r *Root) Query() generated.QueryResolver { return query{r} }

// Viewer implements [generated.ResolverRoot].
func (r *Root) Viewer() generated.ViewerResolver { return viewer{r} }

type mutation struct{ *Root }

type query struct{ *Root }

type viewer struct{ *Root }
