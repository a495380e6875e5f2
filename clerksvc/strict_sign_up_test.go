package clerksvc_test

import (
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"clerkql/clerkemu"
	"clerkql/clerksvc"
	"clerkql/internal/secret"
)

// TestFrequentSignUpsTeachNothingOfRareOnes: the time that it takes to replace a sign-up is not forgotten over many that go on, which
// anybody can send.
func TestFrequentSignUpsTeachNothingOfRareOnes(t *testing.T) {
	const slow = 600 * time.Millisecond
	clerk := clerkemu.RunT(t)
	service := newService(t, clerk, func(cfg *clerksvc.Config) { cfg.StrictSignUp = true })
	seed(t, clerk, clerkemu.UserSeed{EmailAddress: "taken@example.com", Password: password})
	signUp := func(address, password string) time.Duration {
		began := time.Now()
		_, err := service.SignUp(t.Context(), clerksvc.SignUpInput{Email: address, Password: secret.New(password)})
		if err != nil {
			t.Error(err)
		}
		return time.Since(began)
	}
	signUp(email, password)
	if err := clerk.InjectFault(clerkemu.Fault{Operation: "DeleteUser", Kind: clerkemu.FaultLatency, Latency: slow, Times: 1}); err != nil {
		t.Fatal(err)
	}
	signUp(email, newPassword)
	var all errgroup.Group
	all.SetLimit(16) // or they would take long themselves
	for range 110 {  // so many that one of them is beyond the quantile
		all.Go(func() error {
			signUp(email, newPassword)
			return nil
		})
	}
	_ = all.Wait()
	if took := signUp("taken@example.com", newPassword); took < slow {
		t.Errorf("an address that is taken is answered within %v, and one that is not can take %v", took, slow)
	}
}
