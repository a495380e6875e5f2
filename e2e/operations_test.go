package e2e

import (
	"strings"
	"testing"
)

// TestFlowsHopBetweenReplicas has every step of a journey served by another replica than the one before it, to which the proxy is transparent.
func TestFlowsHopBetweenReplicas(t *testing.T) {
	c := startCluster(t, handleKey)
	const ip = "127.0.1.1"
	v := &traveller{api: c.visitor(t, ip), clerk: c.clerk}
	if err := v.journey(t.Context(), email); err != nil {
		t.Fatal(err)
	}
	if v.unanswered.Load() > 0 {
		t.Errorf("%d of %d requests were not answered", v.unanswered.Load(), v.asked.Load())
	}
	requests := c.proxy.requests(t, int(v.asked.Load()))
	for i, request := range requests {
		if request.client != ip || request.status != "200" || request.ended != "--" {
			t.Errorf("the proxy logged %+v", request)
		}
		if i > 0 && request.replica == requests[i-1].replica {
			t.Errorf("replica %s served step %d and the one before it", request.replica, i)
		}
		// The replica knows the request by the proxy's id, and the client by its own address.
		found := false
		for _, e := range c.replicas[request.replica[0]-'1'].log.audited() {
			found = found || e.RequestID == request.id && e.ClientIP == ip
		}
		if !found {
			t.Errorf("the replica has no event for %+v", request)
		}
	}
	if len(redisKeys(t, c.redis.Address)) == 0 {
		t.Error("the replicas share nothing")
	}
	c.audit(t)
}

// TestReplicasAreReplaced has every replica ended by SIGTERM and replaced, one after another and under load. Nothing fails.
func TestReplicasAreReplaced(t *testing.T) {
	t.Parallel()
	c := startCluster(t, handleKey)
	traffic := c.startTraffic(t)
	traffic.turnOver(t)
	c.roll(t, handleKey)
	traffic.turnOver(t)
	c.nothingFailed(t, traffic)
}

// TestReplicasAreKilled has every replica killed and replaced, one after another and under load. Nothing fails but the requests that the replica
// was serving, and who made them gets where they wanted by trying again.
func TestReplicasAreKilled(t *testing.T) {
	t.Parallel()
	c := startCluster(t, handleKey)
	traffic := c.startTraffic(t)
	traffic.turnOver(t)
	for i := range c.replicas {
		c.replace(t, i, (*api).kill, handleKey)
	}
	traffic.turnOver(t)
	asked, unanswered := traffic.end()
	lost := map[string]int{}
	redirected := 0
	for _, request := range c.proxy.requests(t, asked) {
		switch {
		case request.ended == "SH" && request.status == "502": // its connection to the replica ended before the answer began
			lost[request.replica]++
		case request.status != "200" || request.ended != "--":
			t.Errorf("the proxy logged %+v", request)
		case request.retries != "0":
			redirected++
		}
	}
	t.Logf("%d requests, %d failed, which were being served: %v; %d found another replica", asked, unanswered, lost, redirected)
	total := 0
	for replica, requests := range lost {
		total += requests
		if requests > travellers {
			t.Errorf("replica %s lost %d requests, and can't have had more than %d", replica, requests, travellers)
		}
	}
	if total == 0 || unanswered != total {
		t.Errorf("%d requests failed, and %d were under way at a replica that was killed", unanswered, total)
	}
	c.audit(t)
}

// TestHandleKeysAreRotated changes the key that handles are sealed with, as docs/operations.md describes it, under load. Nothing fails: not what
// began with the old key, nor what one replica seals and another opens while they have different settings.
func TestHandleKeysAreRotated(t *testing.T) {
	t.Parallel()
	oldKey, newKey := strings.Repeat("01", 32), strings.Repeat("02", 32)
	c := startCluster(t, oldKey)
	visitor := c.visitor(t, "127.0.2.1")
	verify := visitor.signUp(t, c.clerk, "before@example.com", password)
	late := visitor.signUp(t, c.clerk, "late@example.com", password)
	seed(t, c.clerk, ada())
	reset := visitor.reset(t, c.clerk, email, newPassword)
	user := withTOTP()
	user.EmailAddress = "totp@example.com"
	seed(t, c.clerk, user)
	half := visitor.signInHalf(t, user.EmailAddress, password)
	traffic := c.startTraffic(t)

	c.roll(t, oldKey+","+newKey)
	visitor.want(t, "SessionCreated", "resetPassword", reset)
	c.roll(t, newKey+","+oldKey)
	session := visitor.want(t, "SessionCreated", "verifyEmail", verify)
	visitor.want(t, "SessionCreated", "attemptSecondFactor", attempt(half, "TOTP", totpCode(t, c.clerk, user.EmailAddress)))
	traffic.turnOver(t) // no handle of theirs is sealed with the old key any more
	c.roll(t, newKey)
	visitor.want(t, "SessionRefreshed", "refreshSession", map[string]any{"refreshToken": session["refreshToken"]})
	visitor.want(t, "InvalidInput", "verifyEmail", late) // it came too late: the old key is gone
	c.nothingFailed(t, traffic)
}
