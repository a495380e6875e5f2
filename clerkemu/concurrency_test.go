package clerkemu

import (
	"net/http"
	"sync"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// together sends one request from many callers at once, and counts the
// statuses of the answers.
func (f *fixture) together(callers int, method, path string, body any) map[int]int {
	f.t.Helper()
	type outcome struct {
		reply
		err error
	}
	outcomes := make(chan outcome, callers)
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			r, err := f.send(method, path, body)
			outcomes <- outcome{r, err}
		})
	}
	wg.Wait()
	close(outcomes)
	count := map[int]int{}
	for o := range outcomes {
		if o.err != nil {
			f.t.Error(o.err)
			continue
		}
		count[o.status]++
	}
	return count
}

func TestOneAddressUnderConcurrency(t *testing.T) {
	f := start(t)
	const callers = 50
	body := map[string]any{"email_address": []string{"race@example.com"}, "password": goodPassword}
	count := f.together(callers, "POST", "/users", body)
	if count[http.StatusOK] != 1 || count[http.StatusUnprocessableEntity] != callers-1 || len(f.Users()) != 1 {
		t.Errorf("statuses %v, %d users", count, len(f.Users()))
	}
}

func TestOneBackupCodeUnderConcurrency(t *testing.T) {
	// A digest that takes a while to compare, so that the callers overlap.
	digest, err := bcrypt.GenerateFromPassword([]byte("only-one"), bcrypt.MinCost+4)
	if err != nil {
		t.Fatal(err)
	}
	f := start(t)
	u := f.seed("codes@example.com", func(s *UserSeed) {
		s.TOTPSecret, s.BackupCodes = totpSecret, []string{string(digest), "another"}
	})
	const callers = 20
	count := f.together(callers, "POST", "/users/"+u.ID+"/verify_totp", map[string]any{"code": "only-one"})
	if count[http.StatusOK] != 1 || count[http.StatusUnprocessableEntity] != callers-1 {
		t.Errorf("statuses %v", count)
	}
}
