package graph

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"regexp"
	"strings"

	"clerkql/internal/persisted"
)

// persistedDocuments are documents that clients name by their hash, after they have sent them once: Apollo's automatic persisted queries. gqlgen's own extension
// keeps documents before it knows that they are any, so that junk could push them out.
type persistedDocuments struct {
	store persisted.Store
	log   *slog.Logger
}

// sha256Hash is what a hash looks like.
var sha256Hash = regexp.MustCompile(`^[0-9a-f]{64}$`)

// resolve puts the document into a request that names it, and reports whether to keep that of a request that has both the hash and the text.
func (p persistedDocuments) resolve(ctx context.Context, body *requestBody) (keep bool, fault *requestFault) {
	sent := body.Extensions["persistedQuery"]
	if sent == nil {
		return false, nil
	}
	named, _ := sent.(map[string]any)
	if version, _ := named["version"].(json.Number); version != "1" {
		return false, &requestFault{http.StatusOK, "PersistedQueryNotSupported", codePersistedNotSupported}
	}
	hash, _ := named["sha256Hash"].(string)
	if !sha256Hash.MatchString(hash) {
		return false, badRequest("The hash of a persisted query must be a SHA-256 in 64 hexadecimal digits, in lower case.")
	}
	if body.Query != nil && *body.Query != "" {
		if persisted.Hash(*body.Query) != hash {
			return false, badRequest("The hash of the persisted query is not that of the document.")
		}
		return true, nil
	}
	document, err := p.store.Get(ctx, hash)
	if err != nil {
		p.log.WarnContext(ctx, "persisted documents can't be asked for", slog.String("error", err.Error()))
	}
	if document == "" {
		return false, &requestFault{http.StatusOK, "PersistedQueryNotFound", codePersistedNotFound}
	}
	body.Query = &document
	return false, nil
}

// keep keeps a document that fits the schema and is within all limits, unless it has a quotation mark, without which there is no string in it: that may be a
// password, which belongs into a variable.
func (p persistedDocuments) keep(ctx context.Context, document string) {
	if strings.Contains(document, `"`) {
		return
	}
	if err := p.store.Put(ctx, document); err != nil {
		p.log.WarnContext(ctx, "a document is not kept", slog.String("error", err.Error()))
	}
}
