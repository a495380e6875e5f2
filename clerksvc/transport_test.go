package clerksvc_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/clerk/clerk-sdk-go/v2"
	"github.com/clerk/clerk-sdk-go/v2/emailaddress"

	"clerkql/clerksvc"
	"clerkql/internal/secret"
)

// TestBodiesHaveALength: none is sent in chunks, and all of each arrives.
func TestBodiesHaveALength(t *testing.T) {
	var got *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, `{"errors": []}`)
	}))
	defer server.Close()
	api := clerksvc.NewAPI(clerksvc.APIConfig{URL: server.URL, SecretKey: secret.New("sk_test_1"), Timeout: 5 * time.Second})
	frontend := clerksvc.NewFrontendAPI(clerksvc.FrontendAPIConfig{URL: server.URL, Timeout: 5 * time.Second})
	for name, call := range map[string]func(context.Context) error{
		"a call of the SDK's": func(ctx context.Context) error {
			_, err := api.UpdateEmailAddress(ctx, "idn_1", &emailaddress.UpdateParams{Verified: clerk.Bool(true)})
			return err
		},
		"a call of ours": func(ctx context.Context) error { return api.VerifyTOTP(ctx, "user_1", secret.New("123456")) },
		"the Frontend API": func(ctx context.Context) error {
			_, err := frontend.CreateSignIn(ctx, clerksvc.Client{}, secret.New("a ticket"))
			return err
		},
	} {
		if err := call(t.Context()); err == nil {
			t.Errorf("%s: no error", name)
		}
		if len(got.TransferEncoding) > 0 || got.ContentLength <= 0 || got.ContentLength != int64(len(body)) {
			t.Errorf("%s: length %d, %d bytes, sent as %q", name, got.ContentLength, len(body), got.TransferEncoding)
		}
	}
}
