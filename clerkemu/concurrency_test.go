package clerkemu

import (
	"net/http"
	"sync"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

func TestOneAddressUnderConcurrency(t *testing.T) {
	f := start(t)
	const callers = 50
	statuses := make(chan int, callers)
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			statuses <- f.do("POST", "/users", map[string]any{"email_address": []string{"race@example.com"}, "password": goodPassword}).status
		})
	}
	wg.Wait()
	close(statuses)
	count := map[int]int{}
	for status := range statuses {
		count[status]++
	}
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
	u := f.seed("codes@example.com", func(s *UserSeed) { s.TOTPSecret, s.BackupCodes = totpSecret, []string{string(digest), "another"} })
	const callers = 20
	accepted := make(chan bool, callers)
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			accepted <- f.do("POST", "/users/"+u.ID+"/verify_totp", map[string]any{"code": "only-one"}).status == http.StatusOK
		})
	}
	wg.Wait()
	close(accepted)
	times := 0
	for ok := range accepted {
		if ok {
			times++
		}
	}
	if times != 1 {
		t.Errorf("the code was accepted %d times", times)
	}
}
