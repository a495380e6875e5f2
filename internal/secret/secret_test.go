package secret_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"clerkql/internal/secret"
)

func TestNothingPrintsASecret(t *testing.T) {
	const text = "hunter2-hunter2"
	s := secret.New(text)
	holder := struct {
		Password secret.String
		Pointer  *secret.String
		hidden   secret.String
		inside   struct{ hidden secret.String }
	}{Password: s, Pointer: &s, hidden: s}
	holder.inside.hidden = s

	var printed bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
		fmt.Fprintf(&printed, verb+" "+verb+"\n", s, holder)
	}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&printed, nil), slog.NewJSONHandler(&printed, nil)} {
		log := slog.New(handler)
		log.Info("a secret", "secret", s, "pointer", &s, "holder", holder, slog.Group("group", "secret", s))
	}
	if err := json.NewEncoder(&printed).Encode(map[string]any{"secret": s, "holder": holder}); err != nil {
		t.Fatal(err)
	}
	printed.WriteString(errors.Join(fmt.Errorf("failed with %v", s)).Error())
	fmt.Fprint(&printed, s, &s, holder, []secret.String{s})

	if strings.Contains(printed.String(), "hunter2") || strings.Contains(printed.String(), fmt.Sprintf("%x", text)) {
		t.Errorf("printed:\n%s", printed.String())
	}
	if s.String() != "[redacted]" {
		t.Errorf("String gave %q", s.String())
	}
	var zero secret.String
	if zero.Reveal() != "" || fmt.Sprint(zero) != "[redacted]" {
		t.Errorf("the zero value reads %q and prints %v", zero.Reveal(), zero)
	}
	if s.Reveal() != text {
		t.Errorf("Reveal gave %q", s.Reveal())
	}
}
