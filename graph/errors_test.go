package graph

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

func presenter() (errorPresenter, *bytes.Buffer) {
	log := &bytes.Buffer{}
	return newErrorPresenter(&ast.Schema{}, slog.New(slog.NewTextHandler(log, nil))), log
}

// TestFaultsAreMasked has errors that are not meant for clients: what they say is for the log.
func TestFaultsAreMasked(t *testing.T) {
	for name, err := range map[string]error{
		"an error":                    errors.New("cause"),
		"a wrapped error":             fmt.Errorf("while doing this: %w", errors.New("cause")),
		"an error of gqlgen's":        gqlerror.Errorf("cause"),
		"with a code of somebody's":   &gqlerror.Error{Message: "cause", Extensions: map[string]any{"code": "SOMEBODYS"}},
		"with a code that is no text": &gqlerror.Error{Message: "cause", Extensions: map[string]any{"code": 7}},
	} {
		p, log := presenter()
		shown := p.present(t.Context(), err)
		if shown.Extensions["code"] != codeInternal || strings.Contains(shown.Error(), "cause") {
			t.Errorf("%s is shown as %v %v", name, shown, shown.Extensions)
		}
		if !strings.Contains(log.String(), "cause") {
			t.Errorf("%s is logged as %s", name, log)
		}
	}
}

func TestPanicsAreMaskedAndTheirValuesNotLogged(t *testing.T) {
	p, log := presenter()
	shown := p.present(t.Context(), p.recovered(t.Context(), "hunter2"))
	if shown.Extensions["code"] != codeInternal || strings.Contains(shown.Error(), "hunter2") {
		t.Errorf("shown as %v", shown)
	}
	if strings.Contains(log.String(), "hunter2") || !strings.Contains(log.String(), "errors_test.go") {
		t.Errorf("logged as %s", log)
	}
}
