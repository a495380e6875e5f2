package clerkemu

import (
	"strings"
	"testing"
)

func TestInstance(t *testing.T) {
	for production, want := range map[bool]string{false: "development", true: "production"} {
		f := start(t, func(o *Options) { o.Production = production })
		got := f.ok("GET", "/instance", nil)
		if id, _ := got["id"].(string); got["environment_type"] != want || !strings.HasPrefix(id, prefixInstance) {
			t.Errorf("instance %v", got)
		}
	}
}
