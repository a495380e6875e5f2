package clerksvc

import (
	"context"
	"testing"
	"time"
)

func TestPaceIsLearned(t *testing.T) {
	p := newPace(500 * time.Millisecond)
	p.learn(10 * time.Millisecond)
	if got := p.current(); got != 500*time.Millisecond {
		t.Errorf("one short answer makes it %v", got)
	}
	p.learn(700 * time.Millisecond)
	if got := p.current(); got != 700*time.Millisecond {
		t.Errorf("a longer answer than was thought makes it %v", got)
	}
	// Of 256, the three longest are beyond the quantile.
	for i := range paceSamples {
		p.learn(time.Duration(1000+i) * time.Millisecond)
	}
	if got := p.current(); got != 1252*time.Millisecond {
		t.Errorf("256 answers of 1000 to 1255 ms make it %v", got)
	}
	for range paceSamples {
		p.learn(10 * time.Millisecond)
	}
	if got := p.current(); got != 500*time.Millisecond {
		t.Errorf("short answers make it %v", got)
	}
	for range 4 {
		p.learn(time.Second)
	}
	if got := p.current(); got != time.Second {
		t.Errorf("four long answers make it %v", got)
	}
	for range paceSamples {
		p.learn(time.Hour)
	}
	if got := p.current(); got != maxPace {
		t.Errorf("a Clerk that hangs makes it %v", got)
	}
	if len(p.samples) != paceSamples {
		t.Errorf("%d samples are kept", len(p.samples))
	}
	if got := newPace(time.Hour).current(); got != maxPace {
		t.Errorf("it begins with %v", got)
	}
}

func TestPaceHolds(t *testing.T) {
	p := newPace(50 * time.Millisecond)
	began := time.Now()
	p.hold(t.Context(), began)
	if took := time.Since(began); took < 50*time.Millisecond {
		t.Errorf("held for %v", took)
	}
	// What has taken long enough, and who has no time left, is not held.
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	slow := newPace(maxPace)
	began = time.Now()
	slow.hold(ctx, began)
	slow.hold(t.Context(), began.Add(-maxPace))
	if took := time.Since(began); took > maxPace/2 {
		t.Errorf("held for %v", took)
	}
}
