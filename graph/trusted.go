package graph

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

// trustedDocuments are the only documents that run, by the SHA-256 of their text. Nil: every document does.
type trustedDocuments map[string]string

// check returns an error unless each of the documents fits the schema: better at the start than when the first client sends it.
func (d trustedDocuments) check(schema *ast.Schema) error {
	for hash, document := range d {
		if _, errs := gqlparser.LoadQueryWithRules(schema, document, nil); len(errs) > 0 {
			return fmt.Errorf("trusted document %s: %w", hash, errs[0])
		}
	}
	return nil
}

// resolve puts the trusted document into a request that names it, by its hash (in the shape of Apollo's persisted queries) or by its
// text. Where both are there, they must be the same.
func (d trustedDocuments) resolve(body *requestBody) *requestFault {
	hash, named := "", false
	if persisted, ok := body.Extensions["persistedQuery"].(map[string]any); ok {
		hash, named = persisted["sha256Hash"].(string)
	}
	if !named && body.Query != nil {
		sum := sha256.Sum256([]byte(*body.Query))
		hash = hex.EncodeToString(sum[:])
	}
	document, trusted := d[hash]
	if !trusted || body.Query != nil && *body.Query != document {
		return badRequest("This server runs trusted documents only, and this is none of them.")
	}
	body.Query = &document
	return nil
}
