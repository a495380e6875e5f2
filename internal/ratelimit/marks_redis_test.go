package ratelimit_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"clerkql/internal/ratelimit"
	"clerkql/internal/redistest"
)

// TestMarksAndBucketsAreApart has names that are the same, and ones that are so once the budget is added.
func TestMarksAndBucketsAreApart(t *testing.T) {
	r := connect(t, redistest.Start(t), 10*time.Second)
	m, c := r.Marks(life), charge(per(2, time.Hour), "k")
	take(t, r, c)
	bucket := ratelimit.RedisKey(c)
	for _, key := range []string{"k", "k:2/1h0m0s", bucket} {
		if marked(t, m, key) {
			t.Errorf("the bucket is the mark of %q", key)
		}
		mark(t, m, key)
	}
	take(t, r, charge(per(2, time.Hour), "mark:k"))
	if n := given(t, r, c); n != 1 {
		t.Errorf("the bucket has %d left of 1", n)
	}
	for _, key := range r.Client().Keys(t.Context(), "*").Val() {
		if !strings.HasPrefix(key, "clerkql:{ratelimit}:") && !strings.HasPrefix(key, "clerkql:mark:{ratelimit}:k") && key != "clerkql:mark:{ratelimit}:"+bucket {
			t.Errorf("%q is there", key)
		}
	}
}

func TestReplicasShareMarks(t *testing.T) {
	server := redistest.Start(t)
	one, other := connect(t, server, 10*time.Second).Marks(life), connect(t, server, 10*time.Second).Marks(life)
	mark(t, one, "k")
	if !marked(t, other, "k") {
		t.Error("the other replica does not know")
	}
}

func TestOneMarkIsOneCommand(t *testing.T) {
	r := connect(t, redistest.Start(t), 10*time.Second)
	m := r.Marks(life)
	mark(t, m, "k") // connects
	before := commands(t, r)
	mark(t, m, "k")
	marked(t, m, "k")
	if n := commands(t, r) - before; n != 1+2 { // the first INFO counts
		t.Errorf("%d commands", n)
	}
}

// TestGarbageInRedisIsAMark: somebody else writes where a mark is.
func TestGarbageInRedisIsAMark(t *testing.T) {
	r := connect(t, redistest.Start(t), 10*time.Second)
	m := r.Marks(life)
	if err := r.Client().RPush(t.Context(), "clerkql:mark:{ratelimit}:k", 1, 2).Err(); err != nil {
		t.Fatal(err)
	}
	if !marked(t, m, "k") {
		t.Error("not marked")
	}
	mark(t, m, "k")
	pass(t, r, life) // fails if it does not expire
	if marked(t, m, "k") {
		t.Error("remembered after its life")
	}
}

// TestGarbageFromRedisIsNoAnswerToMarks: what answers is not Redis, or not well.
func TestGarbageFromRedisIsNoAnswerToMarks(t *testing.T) {
	for _, answer := range []string{
		"", hangUp, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "-ERR no\r\n", "+QUEUED\r\n", ":2\r\n", ":-1\r\n", ":9223372036854775808\r\n",
		"$-1\r\n", "_\r\n", "*-1\r\n", "*0\r\n", "*1\r\n:1\r\n", "\x00\xff\x17garbage\r\n", "$5\r\nshort",
	} {
		address, _ := fakeServer(t, answer)
		m := connectTo(t, address, 200*time.Millisecond).Marks(life)
		if err := m.Mark(t.Context(), "k"); err == nil {
			t.Errorf("%q: marked", answer)
		}
		if is, err := m.Marked(t.Context(), "k"); err == nil || is {
			t.Errorf("%q: %v, %v", answer, is, err)
		}
	}
}

func TestSlowRedisHasNoMarks(t *testing.T) {
	server := redistest.Start(t)
	m := connect(t, server, 100*time.Millisecond).Marks(life)
	mark(t, m, "k")
	server.Hang()
	for name, call := range map[string]func() error{
		"Mark":   func() error { return m.Mark(t.Context(), "k") },
		"Marked": func() error { _, err := m.Marked(t.Context(), "k"); return err },
	} {
		begin := time.Now()
		if err := call(); err == nil {
			t.Errorf("%s did not fail", name)
		}
		if took := time.Since(begin); took < 90*time.Millisecond || took > time.Second {
			t.Errorf("%s took %v of 100ms", name, took)
		}
	}
}

func TestAClientThatGoesAwayIsMarked(t *testing.T) {
	m := connect(t, redistest.Start(t), 10*time.Second).Marks(life)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Mark(ctx, "k"); err != nil {
		t.Error(err)
	}
	if is, err := m.Marked(ctx, "k"); err != nil || !is {
		t.Errorf("%v, %v", is, err)
	}
}

// flakyMarks are shared marks that fail while the shared store does.
