package seal_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"clerkql/internal/seal"
)

type content struct {
	User string `json:"u"`
}

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func keyring(t testing.TB, now func() time.Time, keys ...[]byte) *seal.Keyring {
	t.Helper()
	k, err := seal.NewKeyring(now, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func fixed() time.Time { return epoch }

func mustSeal(t testing.TB, k *seal.Keyring, p seal.Purpose, user string) string {
	t.Helper()
	handle, err := k.Seal(p, content{User: user}, epoch.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	return handle
}

func TestOpenReturnsWhatSealPutIn(t *testing.T) {
	k := keyring(t, fixed, seal.RandomKey())
	var got content
	if err := k.Open("sign-in", mustSeal(t, k, "sign-in", "user_1"), &got); err != nil {
		t.Fatal(err)
	}
	if got.User != "user_1" {
		t.Errorf("opened %+v", got)
	}
}

func TestAHandleShowsNothing(t *testing.T) {
	k := keyring(t, fixed, seal.RandomKey())
	handle := mustSeal(t, k, "sign-in", "user_1")
	if strings.Contains(handle, "user_1") {
		t.Errorf("content readable in %s", handle)
	}
	if handle == mustSeal(t, k, "sign-in", "user_1") {
		t.Error("sealing the same twice gave the same handle")
	}
	long := mustSeal(t, k, "verification", strings.Repeat("x", 200))
	if len(long) != len(handle) {
		t.Errorf("lengths differ: short %d, long %d", len(handle), len(long))
	}
}

func TestExpiry(t *testing.T) {
	now := epoch
	k := keyring(t, func() time.Time { return now }, seal.RandomKey())
	handle := mustSeal(t, k, "sign-in", "user_1")
	for _, step := range []struct {
		after time.Duration
		want  error
	}{
		{59 * time.Second, nil},
		{60 * time.Second, seal.ErrExpired},
		{24 * time.Hour, seal.ErrExpired},
	} {
		now = epoch.Add(step.after)
		if err := k.Open("sign-in", handle, &content{}); !errors.Is(err, step.want) {
			t.Errorf("after %v: %v, want %v", step.after, err, step.want)
		}
	}
}

func TestKeyRotation(t *testing.T) {
	oldKey, newKey := seal.RandomKey(), seal.RandomKey()
	before := keyring(t, fixed, oldKey)
	during := keyring(t, fixed, newKey, oldKey)
	after := keyring(t, fixed, newKey)
	sealedBefore, sealedDuring := mustSeal(t, before, "sign-in", "a"), mustSeal(t, during, "sign-in", "b")

	for _, c := range []struct {
		name   string
		ring   *seal.Keyring
		handle string
		want   error
	}{
		{"the old key's handle while both keys are set", during, sealedBefore, nil},
		{"a new handle while both keys are set", during, sealedDuring, nil},
		{"a new handle once the old key is gone", after, sealedDuring, nil},
		{"the old key's handle once that key is gone", after, sealedBefore, seal.ErrInvalid},
		{"a new handle where only the old key is known", before, sealedDuring, seal.ErrInvalid},
	} {
		if err := c.ring.Open("sign-in", c.handle, &content{}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestEveryAlterationIsInvalid(t *testing.T) {
	k := keyring(t, fixed, seal.RandomKey())
	handle := mustSeal(t, k, "sign-in", "user_1")
	for i := range handle {
		for _, b := range []byte{'A', 'B', '_', '.', 0} {
			altered := []byte(handle)
			if altered[i] == b {
				continue
			}
			altered[i] = b
			if err := k.Open("sign-in", string(altered), &content{}); !errors.Is(err, seal.ErrInvalid) {
				t.Fatalf("byte %d set to %q: %v", i, b, err)
			}
		}
		if err := k.Open("sign-in", handle[:i], &content{}); !errors.Is(err, seal.ErrInvalid) {
			t.Fatalf("cut to %d bytes: %v", i, err)
		}
	}
	if err := k.Open("sign-in", handle+"A", &content{}); !errors.Is(err, seal.ErrInvalid) {
		t.Errorf("one byte more: %v", err)
	}
}

func TestKeysAreChecked(t *testing.T) {
	if _, err := seal.NewKeyring(fixed); err == nil {
		t.Error("no key was accepted")
	}
	if _, err := seal.NewKeyring(fixed, bytes.Repeat([]byte{1}, 31)); err == nil {
		t.Error("a key of 31 bytes was accepted")
	}
}

func TestContentTooLongIsAnError(t *testing.T) {
	k := keyring(t, fixed, seal.RandomKey())
	if _, err := k.Seal("sign-in", content{User: strings.Repeat("x", 384)}, epoch); err == nil {
		t.Error("content longer than a handle was sealed")
	}
}

// FuzzOpen holds that nothing but a sealed handle opens, and that a sealed handle opens for its own purpose
// alone.
func FuzzOpen(f *testing.F) {
	// The keys are random, as each fuzzing worker runs this line for itself: what opens must have been sealed here.
	k := keyring(f, fixed, seal.RandomKey(), seal.RandomKey())
	handle := mustSeal(f, k, "sign-in", "user_1")
	f.Add("", "sign-in")
	f.Add(handle, "sign-in")
	f.Add(handle, "sign-i")
	f.Add(handle[:len(handle)-1]+"A", "sign-in")
	f.Add("v4.local."+strings.Repeat("A", len(handle)-9), "sign-in")
	f.Fuzz(func(t *testing.T, input, purpose string) {
		if err := k.Open(seal.Purpose(purpose), input, &content{}); err == nil && (input != handle || purpose != "sign-in") {
			t.Errorf("Open(%q, %q) succeeded", purpose, input)
		}
		if purpose == "sign-in" {
			return
		}
		sealed := mustSeal(t, k, seal.Purpose(purpose), input[:min(len(input), 40)])
		if err := k.Open("sign-in", sealed, &content{}); !errors.Is(err, seal.ErrInvalid) {
			t.Errorf("a handle for %q opened as sign-in: %v", purpose, err)
		}
	})
}
