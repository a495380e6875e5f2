package graph

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// transport is GraphQL over HTTP (the specification of that name): POST with a JSON body for everything, GET for queries.
// gqlgen's own transports repeat a body that they can't read, password and all, in their error.
type transport struct {
	// origins finds out whether a page of another origin had a browser send the request. It may be nil.
	origins *http.CrossOriginProtection
	// trusted is nil if every document runs. Then persisted has those that clients have sent before.
	trusted   trustedDocuments
	persisted persistedDocuments
	once      once
}

func newTransport(opts Options) (transport, error) {
	made := transport{trusted: opts.TrustedDocuments, persisted: persistedDocuments{opts.Persisted, opts.Logger}, once: once{opts.Idempotency}}
	if !opts.SameOrigin {
		return made, nil
	}
	made.origins = http.NewCrossOriginProtection()
	for _, origin := range opts.TrustedOrigins {
		if err := made.origins.AddTrustedOrigin(origin); err != nil {
			return transport{}, err
		}
	}
	return made, nil
}

var _ graphql.Transport = transport{}

// The two media types that an answer can have. Clients that do not say get the older one.
const (
	mediaJSON            = "application/json"
	mediaGraphQLResponse = "application/graphql-response+json"
)

// Supports implements [graphql.Transport]. Every request is ours to answer, the wrong ones included.
func (transport) Supports(*http.Request) bool { return true }

// Do implements [graphql.Transport].
func (t transport) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	answer := answerer{w: w, r: r, exec: exec, media: negotiate(r.Header.Get("Accept"))}
	if t.origins != nil && t.origins.Check(r) != nil {
		answer.fault(requestFault{status: http.StatusForbidden, message: "Pages of other origins can't send this."})
		return
	}
	params, keep, fault := t.readParams(r)
	if fault != nil {
		answer.fault(*fault)
		return
	}
	params.Headers = r.Header
	params.ReadTime.Start = graphql.GetStartTime(r.Context())
	params.ReadTime.End = graphql.Now()

	operation, errs := exec.CreateOperationContext(r.Context(), params)
	if errs != nil {
		answer.errors(operation, errs)
		return
	}
	if r.Method == http.MethodGet && operation.Operation.Operation != ast.Query {
		answer.fault(requestFault{status: http.StatusMethodNotAllowed, message: "GET runs queries only. Send mutations with POST."})
		return
	}
	if keep {
		t.persisted.keep(r.Context(), params.Query)
	}
	if operation.Operation.Operation == ast.Mutation && len(r.Header[idempotencyKeyHeader]) > 0 {
		t.once.run(answer, params, operation)
		return
	}
	responses, ctx := exec.DispatchOperation(r.Context(), operation)
	answer.write(http.StatusOK, marshal(responses(ctx)))
}

// requestFault is what is wrong with a request that is not run. The message holds nothing of the request.
type requestFault struct {
	status  int // http.StatusOK: that of a document that was not run
	message string
	code    string // empty: codeBadRequest
}

func badRequest(message string) *requestFault {
	return &requestFault{status: http.StatusBadRequest, message: message}
}

// readParams reads a request, and whether its document is to be kept once it is known to be one.
func (t transport) readParams(r *http.Request) (params *graphql.RawParams, keep bool, fault *requestFault) {
	var body requestBody
	switch r.Method {
	case http.MethodPost:
		fault = body.readBody(r)
	case http.MethodGet:
		fault = body.readQuery(r)
	default:
		fault = &requestFault{status: http.StatusMethodNotAllowed, message: "Use POST, or GET for queries."}
	}
	switch {
	case fault != nil:
	case t.trusted != nil:
		fault = t.trusted.resolve(&body)
	default:
		keep, fault = t.persisted.resolve(r.Context(), &body)
	}
	if fault != nil {
		return nil, false, fault
	}
	params, fault = body.params()
	return params, keep, fault
}

// requestBody is a GraphQL request. A pointer tells a field that is missing from one that is empty.
type requestBody struct {
	Query         *string        `json:"query"`
	OperationName string         `json:"operationName"`
	Variables     map[string]any `json:"variables"`
	Extensions    map[string]any `json:"extensions"`
}

func (b requestBody) params() (*graphql.RawParams, *requestFault) {
	if b.Query == nil || strings.TrimSpace(*b.Query) == "" {
		return nil, badRequest("The request has no query.")
	}
	return &graphql.RawParams{
		Query:         *b.Query,
		OperationName: b.OperationName,
		Variables:     b.Variables,
		Extensions:    b.Extensions,
	}, nil
}

func (b *requestBody) readBody(r *http.Request) *requestFault {
	media, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != mediaJSON || parameters["charset"] != "" && !strings.EqualFold(parameters["charset"], "utf-8") {
		return &requestFault{status: http.StatusUnsupportedMediaType, message: "Content-Type must be application/json."}
	}
	if err := decodeJSON(r.Body, b); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return &requestFault{status: http.StatusRequestEntityTooLarge, message: "The request body is too large."}
		}
		var mismatch *json.UnmarshalTypeError
		if errors.As(err, &mismatch) && mismatch.Value == "array" && mismatch.Field == "" {
			return badRequest("Batches are not taken. Send one operation per request.")
		}
		return badRequest("The request body is not a JSON object with the fields of a GraphQL request.")
	}
	return nil
}

func (b *requestBody) readQuery(r *http.Request) *requestFault {
	query := r.URL.Query()
	if query.Has("query") {
		text := query.Get("query")
		b.Query = &text
	}
	b.OperationName = query.Get("operationName")
	for name, into := range map[string]*map[string]any{"variables": &b.Variables, "extensions": &b.Extensions} {
		if text := query.Get(name); text != "" {
			if err := decodeJSON(strings.NewReader(text), into); err != nil {
				return badRequest("The query parameters variables and extensions must be JSON objects.")
			}
		}
	}
	return nil
}

// decodeJSON reads one JSON value and nothing after it. Numbers stay as they were written.
func decodeJSON(r io.Reader, into any) error {
	decoder := json.NewDecoder(r)
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.Join(errors.New("something follows the JSON value"), err)
	}
	return nil
}

// negotiate returns the media type to answer with: the first one in the Accept header that is ours.
func negotiate(accept string) string {
	for part := range strings.SplitSeq(accept, ",") {
		media, _, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err == nil && (media == mediaJSON || media == mediaGraphQLResponse) {
			return media
		}
	}
	return mediaJSON
}

// answerer writes the one answer to a request.
type answerer struct {
	w     http.ResponseWriter
	r     *http.Request
	exec  graphql.GraphExecutor
	media string
}

// fault answers a request that is not run.
func (a answerer) fault(fault requestFault) {
	err := &gqlerror.Error{Message: fault.message}
	errcode.Set(err, cmp.Or(fault.code, codeBadRequest))
	if fault.status == http.StatusMethodNotAllowed {
		a.w.Header().Set("Allow", "GET, POST")
	}
	if fault.status == http.StatusOK {
		fault.status = a.refusal()
	}
	a.refuse(fault.status, a.exec.DispatchError(a.r.Context(), gqlerror.List{err}))
}

// errors answers a document that was not run.
func (a answerer) errors(operation *graphql.OperationContext, errs gqlerror.List) {
	a.refuse(a.refusal(), a.exec.DispatchError(graphql.WithOperationContext(a.r.Context(), operation), errs))
}

// refusal is the status of an answer to a document that was not run. Clients of the older media type expect 200 with it.
func (a answerer) refusal() int {
	if a.media == mediaGraphQLResponse {
		return http.StatusBadRequest
	}
	return http.StatusOK
}

// refuse answers with errors alone: where nothing was run, the specification wants no data, not even null.
func (a answerer) refuse(status int, response *graphql.Response) {
	body, _ := json.Marshal(struct { // of texts
		Errors gqlerror.List `json:"errors"`
	}{response.Errors})
	a.write(status, append(body, '\n'))
}

func (a answerer) write(status int, body []byte) {
	a.w.Header().Set("Content-Type", a.media+"; charset=utf-8")
	a.w.WriteHeader(status)
	// The client may be gone. What it asked for has happened all the same, and there is nobody left to tell.
	_, _ = a.w.Write(body)
}

// marshal returns a response as JSON. Most have nothing but data, which is JSON already: encoding/json would read all of it once more.
func marshal(response *graphql.Response) []byte {
	if len(response.Errors) == 0 && len(response.Extensions) == 0 && len(response.Data) > 0 {
		return slices.Concat([]byte(`{"data":`), response.Data, []byte("}\n"))
	}
	body, _ := json.Marshal(response) // which fails of nothing that gqlgen made
	return append(body, '\n')
}
