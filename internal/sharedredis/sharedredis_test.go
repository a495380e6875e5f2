package sharedredis_test

import (
	"strings"
	"testing"
	"time"

	"clerkql/internal/sharedredis"
)

func TestErrorsOfURLsShowNoPassword(t *testing.T) {
	for _, url := range []string{"", "hunter2", "http://u:hunter2@host", "redis://u:hunter2 @host", "redis://u:hunter2@host/hunter2", "redis://u:hunter2@host:hunter2", "redis://u:hunter2@host?hunter2=hunter2"} {
		if _, err := sharedredis.Connect(url, time.Second); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", url, err)
		}
	}
}
