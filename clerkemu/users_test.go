package clerkemu

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/clerk/clerk-sdk-go/v2"
	sdkuser "github.com/clerk/clerk-sdk-go/v2/user"
	"github.com/google/go-cmp/cmp"
)

func TestCreateUserRefusals(t *testing.T) {
	f := start(t)
	f.seed("taken@example.com")
	f.seed("held@example.com", func(s *UserSeed) { s.Reserved = true })
	with := func(extra map[string]any) map[string]any {
		body := map[string]any{"email_address": []string{"new@example.com"}, "password": goodPassword}
		for k, v := range extra {
			body[k] = v
		}
		return body
	}
	emails := func(list ...string) map[string]any { return with(map[string]any{"email_address": list}) }
	password := func(p any) map[string]any { return with(map[string]any{"password": p}) }
	tests := []struct {
		name  string
		body  any
		codes []string
	}{
		{"nothing", "null", []string{"form_data_missing"}},
		{"null password", password(nil), []string{"form_data_missing"}},
		{"blank password", password("   "), []string{"form_param_nil"}},
		{"password of another type", password(12345678), []string{"form_param_type_invalid"}},
		{"short password", password("a1B$xyz"), []string{"form_password_length_too_short"}},
		{"long password", password(strings.Repeat("xY3!", 19)), []string{"form_password_length_too_long"}},
		{"many bytes", password(strings.Repeat("é", 40)), []string{"form_password_size_in_bytes_exceeded"}},
		{
			"many bytes unchecked",
			with(map[string]any{"password": strings.Repeat("x", 73), "skip_password_checks": true}),
			[]string{"form_password_size_in_bytes_exceeded"},
		},
		{"leaked", password("Password123"), []string{"form_password_pwned"}},
		{"its own address", password("NEW@example.com"), []string{"form_password_matches_identifier"}},
		{
			"two at once",
			with(map[string]any{"email_address": []string{"a@b.co"}, "password": "a@b.co"}),
			[]string{"form_password_length_too_short", "form_password_matches_identifier"},
		},
		{"taken", emails("taken@example.com"), []string{"form_identifier_exists"}},
		{"taken, other case", emails("TAKEN@Example.COM"), []string{"form_identifier_exists"}},
		{"reserved", emails("held@example.com"), []string{"form_identifier_exists"}},
		{"no address", emails("not-an-address"), []string{"form_param_format_invalid"}},
		{"twice", emails("x@example.com", "X@example.com"), []string{"form_param_duplicate"}},
		{
			"unknown",
			with(map[string]any{"emailAddress": 1, "phone_number": []string{"+1"}}),
			[]string{"form_param_unknown", "form_param_unknown"},
		},
		{
			"too few states",
			with(map[string]any{
				"email_address":                       []string{"x@example.com", "y@example.com"},
				"email_address_identification_status": []string{"reserved"},
			}),
			[]string{"form_param_array_length_mismatch"},
		},
		{
			"bad state",
			with(map[string]any{"email_address_identification_status": []string{"unverified"}}),
			[]string{"form_param_value_invalid"},
		},
		{"long name", with(map[string]any{"first_name": strings.Repeat("n", 257)}), []string{"form_param_max_length_exceeded"}},
		{
			"big metadata",
			with(map[string]any{"private_metadata": map[string]any{"x": strings.Repeat("n", 9000)}}),
			[]string{"form_param_exceeds_allowed_size"},
		},
		{"bad secret", with(map[string]any{"totp_secret": "not base32!"}), []string{"invalid_totp_secret_code"}},
		{
			"costly digest",
			with(map[string]any{"backup_codes": []string{"$2a$31$" + strings.Repeat("a", 53)}}),
			[]string{"form_param_value_invalid"},
		},
		{"bad time", with(map[string]any{"created_at": "yesterday"}), []string{"form_param_invalid_time"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := f.do("POST", "/users", tt.body)
			if diff := cmp.Diff(tt.codes, r.codes()); diff != "" || r.status != http.StatusUnprocessableEntity {
				t.Errorf("%d (-want +got):\n%s%v", r.status, diff, r.body)
			}
		})
	}
}

func TestEmailFormat(t *testing.T) {
	for text, want := range map[string]bool{
		"a@example.com": true, "Ada.Lovelace+x@mail.example.org": true, "o'hara@example.co": true,
		"": false, "a": false, "a@": false, "@example.com": false, "a@localhost": false, "a@example..com": false,
		"a@-example.com": false, "a@example.123": false, "a@[127.0.0.1]": false, "Ada <a@example.com>": false,
		"a@example.com ": false, "a\n@example.com": false, "\"a b\"@example.com": false, "ä@example.com": false,
		"a@exämple.com": false, strings.Repeat("l", 65) + "@example.com": false, "a..b@example.com": false,
		"a@" + strings.Repeat("d.", 130) + "com": false,
	} {
		got, ok := normalizeEmail(text)
		if ok != want || ok && got != strings.ToLower(text) {
			t.Errorf("normalizeEmail(%q) = %q, %v", text, got, ok)
		}
	}
}

func TestReservedAndVerifiedUsers(t *testing.T) {
	f := start(t)
	ctx := context.Background()
	users := sdkuser.NewClient(&f.sdk)
	verified, err := users.Create(ctx, &sdkuser.CreateParams{
		EmailAddresses: &[]string{"Verified@Example.com"}, Password: clerk.String(goodPassword), FirstName: clerk.String("Vera"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if v := verified.EmailAddresses[0].Verification; v == nil || v.Status != "verified" || v.Strategy != "admin" {
		t.Errorf("verification %+v", v)
	}
	if age := time.Since(time.UnixMilli(verified.CreatedAt)); age < 0 || age > time.Minute {
		t.Errorf("created_at is not in milliseconds: %d", verified.CreatedAt)
	}
	params := struct {
		sdkuser.CreateParams
		Status []string `json:"email_address_identification_status"`
	}{
		sdkuser.CreateParams{EmailAddresses: &[]string{"reserved@example.com"}, Password: clerk.String(goodPassword)},
		[]string{"reserved"},
	}
	req := clerk.NewAPIRequest(http.MethodPost, "/users")
	req.SetParams(&params)
	var reserved clerk.User
	if err := clerk.NewBackend(&f.sdk.BackendConfig).Call(ctx, req, &reserved); err != nil {
		t.Fatal(err)
	}
	if e := reserved.EmailAddresses[0]; !e.Reserved || e.Verification != nil {
		t.Errorf("reserved address %+v", e)
	}
	u, ok := f.UserByEmail("RESERVED@example.com")
	if !ok || u.ID != reserved.ID || u.Verified || !u.Reserved || u.EmailAddressID != *reserved.PrimaryEmailAddressID {
		t.Errorf("snapshot %+v", u)
	}
	if _, err := users.Get(ctx, "user_nobody"); err == nil {
		t.Error("an unknown user was found")
	} else {
		wantSDKError(t, err, http.StatusNotFound, "resource_not_found")
	}
}

func TestListUsers(t *testing.T) {
	f := start(t)
	ctx := context.Background()
	users := sdkuser.NewClient(&f.sdk)
	day := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for i, name := range []string{"b", "c", "a"} { // seeded out of order of age
		f.seed(name+"@example.com", func(s *UserSeed) { s.CreatedAt = day.AddDate(0, 0, []int{1, 2, 0}[i]) })
	}
	tests := []struct {
		name   string
		params sdkuser.ListParams
		want   string
		total  int64
	}{
		{"newest first", sdkuser.ListParams{}, "cba", 3},
		{"oldest first", sdkuser.ListParams{OrderBy: clerk.String("+created_at")}, "abc", 3},
		{"a page", sdkuser.ListParams{ListParams: clerk.ListParams{Limit: clerk.Int64(1), Offset: clerk.Int64(1)}}, "b", 3},
		{"beyond the end", sdkuser.ListParams{ListParams: clerk.ListParams{Offset: clerk.Int64(7)}}, "", 3},
		{
			"by address, any case",
			sdkuser.ListParams{EmailAddresses: []string{"A@EXAMPLE.com", "c@example.com", "no@example.com"}},
			"ca", 2,
		},
		{"nobody", sdkuser.ListParams{EmailAddresses: []string{"no@example.com"}}, "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			list, err := users.List(ctx, &tt.params)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, u := range list.Users {
				got += u.EmailAddresses[0].EmailAddress[:1]
			}
			if got != tt.want || list.TotalCount != tt.total {
				t.Errorf("got %q of %d, want %q of %d", got, list.TotalCount, tt.want, tt.total)
			}
		})
	}
	b, _ := f.UserByEmail("b@example.com")
	if r := f.do("GET", "/users?user_id="+b.ID+"&email_address=a@example.com", nil); len(r.body.([]any)) != 0 {
		t.Errorf("filters are not combined: %v", r.body)
	}
	for query, code := range map[string]string{
		"limit=0": "form_param_value_invalid", "limit=501": "form_param_value_invalid", "offset=-1": "form_param_value_invalid",
		"order_by=first_name": "form_param_value_invalid", "query=a": "form_param_unknown",
		strings.Repeat("email_address=a@b.co&", 101): "form_param_array_size_exceeded",
	} {
		f.do("GET", "/users?"+query, nil).want(t, http.StatusUnprocessableEntity, code)
	}
}

func TestUpdateUser(t *testing.T) {
	f := start(t)
	ctx := context.Background()
	users := sdkuser.NewClient(&f.sdk)
	u := f.seed("up@example.com", func(s *UserSeed) { s.PrivateMetadata = map[string]any{"old": true} })
	f.seed("other@example.com", func(s *UserSeed) { s.ExternalID = "theirs" })
	f.ok("POST", "/sessions", map[string]any{"user_id": u.ID})
	f.FastForward(time.Hour)

	raw := json.RawMessage(`{"new":1}`)
	got, err := users.Update(ctx, u.ID, &sdkuser.UpdateParams{
		FirstName: clerk.String("Uma"), Password: clerk.String("another-Otter-48"), SignOutOfOtherSessions: clerk.Bool(true),
		PrivateMetadata: &raw, ExternalID: clerk.String("mine"),
	})
	if err != nil {
		t.Fatal(err)
	}
	after, _ := f.UserByEmail("up@example.com")
	if *got.FirstName != "Uma" || after.PasswordUpdatedAt.Sub(u.PasswordUpdatedAt) < time.Hour || after.ExternalID != "mine" {
		t.Errorf("not updated: %+v", after)
	}
	if diff := cmp.Diff(map[string]any{"new": 1.0}, after.PrivateMetadata); diff != "" {
		t.Error(diff)
	}
	if status := f.Sessions(u.ID)[0].Status; status != "revoked" {
		t.Errorf("session is %s", status)
	}
	for name, tt := range map[string]struct {
		body   map[string]any
		header string
		status int
		code   string
	}{
		"bad password":     {map[string]any{"password": "12345678"}, "2025-04-10", 422, "form_password_pwned"},
		"own address":      {map[string]any{"password": "up@example.com"}, "2025-04-10", 422, "form_password_matches_identifier"},
		"external id":      {map[string]any{"external_id": "theirs"}, "2025-04-10", 422, "form_identifier_exists"},
		"unknown":          {map[string]any{"nope": 1}, "2025-04-10", 422, "form_param_unknown"},
		"foreign address":  {map[string]any{"primary_email_address_id": "idn_x"}, "2025-04-10", 404, "resource_not_found"},
		"metadata of 2026": {map[string]any{"public_metadata": map[string]any{}}, "2026-05-12", 422, "form_param_unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			f.do("PATCH", "/users/"+u.ID, tt.body, "Clerk-Api-Version", tt.header).want(t, tt.status, tt.code)
		})
	}
	for _, body := range []string{
		`{"sign_out_of_other_sessions":true}`, `{"sign_out_of_other_sessions":false,"first_name":"X"}`,
		`{"sign_out_of_other_sessions":true,"password":null}`,
	} {
		f.do("PATCH", "/users/"+u.ID, body).want(t, http.StatusUnprocessableEntity, "form_conditional_param_missing")
	}
	unchanged, _ := f.UserByEmail("up@example.com")
	if diff := cmp.Diff(after, unchanged); diff != "" {
		t.Errorf("a refused update changed the user:\n%s", diff)
	}
}

func TestUpdateMetadataMerges(t *testing.T) {
	f := start(t, func(o *Options) { o.RateLimit = 0 })
	u := f.seed("meta@example.com", func(s *UserSeed) {
		s.PrivateMetadata = map[string]any{"keep": 1.0, "drop": 2.0, "deep": map[string]any{"a": 1.0, "b": 2.0}}
	})
	raw := json.RawMessage(`{"drop":null,"deep":{"b":null,"c":3}}`)
	patch := sdkuser.UpdateMetadataParams{PrivateMetadata: &raw}
	if _, err := sdkuser.NewClient(&f.sdk).UpdateMetadata(context.Background(), u.ID, &patch); err != nil {
		t.Fatal(err)
	}
	after, _ := f.UserByID(u.ID)
	want := map[string]any{"keep": 1.0, "deep": map[string]any{"a": 1.0, "c": 3.0}}
	if diff := cmp.Diff(want, after.PrivateMetadata); diff != "" {
		t.Error(diff)
	}
	for range metadataRateLimit - 1 {
		f.ok("PATCH", "/users/"+u.ID+"/metadata", map[string]any{})
	}
	f.do("PATCH", "/users/"+u.ID+"/metadata", map[string]any{}).want(t, http.StatusTooManyRequests, "too_many_requests")
}
