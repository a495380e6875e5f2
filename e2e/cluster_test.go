package e2e

import (
	"testing"

	"clerkql/clerkemu"
	"clerkql/internal/redistest"
)

// cluster is three replicas of the API behind a proxy, with one Redis and one Clerk.
type cluster struct {
	clerk     *clerkemu.Server
	redis     *redistest.Server
	proxy     *proxy
	addresses [3]string
	replicas  [3]*api
	// log has what the replicas wrote that have ended, and the events that those of all together must have.
	log logBuffer
}

// startCluster runs a cluster with these HANDLE_KEYS until the test ends.
func startCluster(t testing.TB, keys string) *cluster {
	t.Helper()
	c := &cluster{clerk: clerkemu.RunT(t), redis: redistest.Start(t)}
	for i := range c.replicas {
		c.addresses[i] = freeAddress(t)
		c.start(t, i, keys)
	}
	c.proxy = startProxy(t, c.addresses)
	return c
}

// start runs a replica that drains for longer than the proxy takes to notice.
func (c *cluster) start(t testing.TB, replica int, keys string) {
	t.Helper()
	c.replicas[replica] = startWithKeys(t, c.clerk, keys,
		"--addr="+c.addresses[replica], "--trusted-proxies=127.0.0.1/32", "--redis-url=redis://"+c.redis.Address, "--shutdown-delay=2s")
}

// replace ends a replica, in one way or another, and starts one with these HANDLE_KEYS in its place, once the proxy has noticed.
func (c *cluster) replace(t testing.TB, replica int, how func(*api, testing.TB), keys string) {
	t.Helper()
	c.end(t, replica, how)
	c.proxy.await(t, replica, "DOWN")
	c.start(t, replica, keys)
	c.proxy.await(t, replica, "UP")
}

// roll replaces the replicas by SIGTERM, one after another.
func (c *cluster) roll(t testing.TB, keys string) {
	t.Helper()
	for i := range c.replicas {
		c.replace(t, i, (*api).stop, keys)
	}
}

// end ends a replica, and keeps its log.
func (c *cluster) end(t testing.TB, replica int, how func(*api, testing.TB)) {
	t.Helper()
	how(c.replicas[replica], t)
	_, _ = c.log.Write([]byte(c.replicas[replica].log.String()))
}

// visitor returns the API as a client with this loopback address reaches it, through the proxy.
func (c *cluster) visitor(t testing.TB, ip string) *api {
	t.Helper()
	return &api{url: c.proxy.url + "/graphql", client: c.proxy.client(t, ip), log: &c.log}
}

// audit ends all replicas, and holds their logs together to the outcomes that visitors received.
func (c *cluster) audit(t testing.TB) {
	t.Helper()
	for i := range c.replicas {
		c.end(t, i, (*api).kill)
	}
	if missing := c.log.missing(); len(missing) > 0 {
		t.Errorf("not in the logs of the replicas: %v", missing)
	}
}

// nothingFailed ends the traffic and holds that every request was answered by the replica that it was sent to first.
func (c *cluster) nothingFailed(t testing.TB, traffic *traffic) {
	t.Helper()
	_, unanswered := traffic.end()
	asked := c.log.expected() + unanswered
	served := map[string]int{}
	for _, request := range c.proxy.requests(t, asked) {
		served[request.replica]++
		if request.status != "200" || request.ended != "--" || request.retries != "0" {
			t.Errorf("the proxy logged %+v", request)
		}
	}
	t.Logf("%d requests, %d failed; by replica %v", asked, unanswered, served)
	if unanswered > 0 {
		t.Errorf("%d of %d requests failed", unanswered, asked)
	}
	c.audit(t)
}
