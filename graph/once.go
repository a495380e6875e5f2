package graph

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"clerkql/internal/cookies"
	"clerkql/internal/idempotency"
)

// The headers, in their canonical form.
const (
	idempotencyKeyHeader      = "Idempotency-Key"
	idempotencyReplayedHeader = "Idempotency-Replayed"
)

// once runs mutations that have an Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): the first request with a key is run, and others with that key get
// its answer.
type once struct{ keeper *idempotency.Keeper }

// run answers a mutation that has a key.
func (o once) run(a answerer, params *graphql.RawParams, operation *graphql.OperationContext) {
	key, ok := readKey(a.r.Header[idempotencyKeyHeader])
	if !ok {
		a.fault(*badRequest("Idempotency-Key must be one string of 16 to 128 printable ASCII characters, in quotes."))
		return
	}
	// Of several, some may have ended and some not, and there is but one key to send all of them again with.
	if countRootFields(operation) > 1 {
		a.fault(*badRequest("A request with an Idempotency-Key can run one mutation."))
		return
	}
	request, err := identity(a.r, params)
	if err != nil {
		o.refuse(a, operation, err)
		return
	}
	// The client may go away, and come back for the answer.
	ctx := context.WithoutCancel(a.r.Context())
	claim, first, err := o.keeper.Claim(ctx, key, request...)
	switch {
	case err != nil:
		o.refuse(a, operation, err)
	case first != nil:
		a.replay(*first)
	default:
		defer claim.Release(ctx)
		a.first(claim.Context(ctx), claim, operation)
	}
}

// first runs a mutation, and keeps its answer. A fault is no answer.
func (a answerer) first(ctx context.Context, claim *idempotency.Claim, operation *graphql.OperationContext) {
	responses, ctx := a.exec.DispatchOperation(ctx, operation)
	response := responses(ctx)
	body := marshal(response)
	if len(response.Errors) > 0 {
		claim.Release(ctx)
	} else {
		claim.Finish(ctx, idempotency.Answer{Body: body, Cookies: a.w.Header()["Set-Cookie"]})
	}
	a.write(http.StatusOK, body)
}

// replay gives the first answer again.
func (a answerer) replay(first idempotency.Answer) {
	a.w.Header().Set(idempotencyReplayedHeader, "true")
	for _, cookie := range first.Cookies {
		a.w.Header().Add("Set-Cookie", cookie)
	}
	a.write(http.StatusOK, first.Body)
}

// refuse answers a request that is not run because of its key.
func (o once) refuse(a answerer, operation *graphql.OperationContext, err error) {
	var often *idempotency.TooOftenError
	switch {
	case errors.Is(err, idempotency.ErrInProgress):
		a.retryAfter(time.Second)
		a.fault(requestFault{http.StatusConflict, "The first request with this Idempotency-Key has not been answered yet. Try again in a moment.", codeKeyInProgress})
	case errors.Is(err, idempotency.ErrOtherRequest):
		a.fault(requestFault{http.StatusUnprocessableEntity, "This Idempotency-Key was used for another request.", codeKeyReused})
	case errors.As(err, &often):
		a.retryAfter(often.RetryAfter)
		a.fault(requestFault{http.StatusTooManyRequests, "This Idempotency-Key was sent too often. Wait before trying again.", codeRateLimited})
	default: // a fault of the server's. What the key was sent with may have been run, so it is not run now.
		ctx := graphql.WithOperationContext(a.r.Context(), operation)
		a.refuse(http.StatusInternalServerError, a.exec.DispatchError(ctx, gqlerror.List{gqlerror.WrapIfUnwrapped(err)}))
	}
}

func (a answerer) retryAfter(wait time.Duration) {
	a.w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
}

// identity returns what has to be the same for two requests to be the same: what they ask for, and who they say they are.
func identity(r *http.Request, params *graphql.RawParams) ([]string, error) {
	variables, err := json.Marshal(params.Variables) // with sorted names
	return []string{
		params.Query, params.OperationName, string(variables), r.Header.Get("Authorization"),
		cookies.Get(r.Context(), cookies.Session), cookies.Get(r.Context(), cookies.Refresh), cookies.Get(r.Context(), cookies.Device),
	}, err
}

var (
	// quotedKey is a string of RFC 8941, as the draft has it.
	quotedKey = regexp.MustCompile(`^"((?:[ !#-\[\]-~]|\\["\\])*)"$`)
	// bareKey is what most clients send: the same without quotes.
	bareKey = regexp.MustCompile(`^[!#-+\--:<-\[\]-~]*$`)
)

// readKey returns the key that headers have, and whether they have one that can be. Quoted or not, it is the same.
func readKey(headers []string) (string, bool) {
	if len(headers) != 1 {
		return "", false
	}
	key := headers[0]
	if quoted := quotedKey.FindStringSubmatch(key); quoted != nil {
		key = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(quoted[1])
	} else if !bareKey.MatchString(key) {
		return "", false
	}
	return key, len(key) >= 16 && len(key) <= 128
}
