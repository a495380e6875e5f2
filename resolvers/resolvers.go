// Package resolvers answers GraphQL fields: it hands the input to clerksvc and maps what comes back onto a member of the
// field's union. It takes no decision.
package resolvers

import (
	"clerkql/clerksvc"
	"clerkql/graph/generated"
)

// Root resolves the root types. It holds nothing but the service.
type Root struct{ service *clerksvc.Service }

var _ generated.ResolverRoot = (*Root)(nil)

// New returns the resolvers over a service.
func New(service *clerksvc.Service) *Root { return &Root{service} }

// Mutation implements [generated.ResolverRoot].
func (r *Root) Mutation() generated.MutationResolver { return mutation{r.service} }

// Query implements [generated.ResolverRoot].
func (r *Root) Query() generated.QueryResolver { return query{r.service} }

type mutation struct{ service *clerksvc.Service }

type query struct{ service *clerksvc.Service }
