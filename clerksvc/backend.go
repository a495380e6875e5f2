package clerksvc

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/clerk/clerk-sdk-go/v2"
)

// backend calls the Backend API, in place of the one that the SDK has for its clients, and as that does, but for this: it knows the length of
// what it sends, reads no more than bounded answers, follows no redirect, and keeps of a failure nothing but codes.
type backend struct {
	url       string
	header    http.Header // of every request; only read
	exchanger *exchanger
}

var _ clerk.Backend = (*backend)(nil)

func newBackend(cfg APIConfig) *backend {
	return &backend{
		url: strings.TrimRight(cfg.URL, "/"),
		header: http.Header{
			"Authorization":     {"Bearer " + cfg.SecretKey.Reveal()},
			"Content-Type":      {"application/json"},
			"User-Agent":        {"clerkql"},
			"Clerk-Api-Version": {APIVersion},
		},
		exchanger: newExchanger(cfg.Timeout),
	}
}

// Call implements [clerk.Backend]. The error is a *[ClerkError] that does not know its operation.
func (b *backend) Call(ctx context.Context, call *clerk.APIRequest, out clerk.ResponseReader) error {
	url, body := b.url+call.Path, []byte(nil)
	if call.Method == http.MethodGet {
		if call.Params != nil {
			separator := "?"
			if strings.Contains(url, separator) {
				separator = "&"
			}
			url += separator + call.Params.ToQuery().Encode()
		}
	} else {
		var err error
		if body, err = json.Marshal(call.Params); err != nil { // "null" without parameters, as the SDK sends it
			return &ClerkError{cause: err}
		}
	}
	req, err := http.NewRequestWithContext(ctx, call.Method, url, bytes.NewReader(body))
	if err != nil {
		return &ClerkError{cause: errUnsendable} // its text has the URL
	}
	req.Header = b.header
	answer, err := b.exchanger.exchange(req)
	if err != nil {
		return err
	}
	if err := answer.decode(out); err != nil {
		return err
	}
	out.Read(&clerk.APIResponse{Header: answer.header, StatusCode: answer.status, TraceID: answer.traceID(), RawJSON: answer.body})
	return nil
}
