package graph

import (
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"
)

// TestLongDocumentsAreNotCached, as what is cached stays, and anybody can send it.
func TestLongDocumentsAreNotCached(t *testing.T) {
	cache := smallDocuments{lru.New[*ast.QueryDocument](queryCacheSize)}
	for length, cached := range map[int]bool{maxCachedBytes: true, maxCachedBytes + 1: false} {
		text := strings.Repeat("#", length)
		cache.Add(t.Context(), text, &ast.QueryDocument{})
		if _, found := cache.Get(t.Context(), text); found != cached {
			t.Errorf("a document of %d bytes is cached: %t", length, found)
		}
	}
}
