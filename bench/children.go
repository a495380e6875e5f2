package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/crypto/bcrypt"

	"clerkql/bench/floor"
	"clerkql/bench/flows"
	"clerkql/bench/stub"
	"clerkql/clerkemu"
)

// These run in the processes that the bench starts, each until it is told to end.

// runStub serves the stub, and prints where.
func runStub(ctx context.Context, out io.Writer) error {
	clerk, err := stub.New()
	if err != nil {
		return err
	}
	return clerk.ListenAndServe(ctx, out)
}

// runFloor makes flows as the lines of its input order: floor CLERK_URL SECRET_KEY WORKERS
func runFloor(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	const wanted = 3
	if len(args) != wanted {
		return errors.New("floor CLERK_URL SECRET_KEY WORKERS")
	}
	workers, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	caller, err := floor.New(ctx, args[0]+"/v1", args[1], workers)
	if err != nil {
		return err
	}
	return floor.Serve(ctx, caller, in, out)
}

// routeConnections is how many connections to Clerk the routes keep open.
const routeConnections = 8192

// runRoute serves the flows as plain routes: route ADDR CLERK_URL SECRET_KEY
func runRoute(ctx context.Context, args []string) error {
	const wanted = 3
	if len(args) != wanted {
		return errors.New("route ADDR CLERK_URL SECRET_KEY")
	}
	caller, err := floor.New(ctx, args[1]+"/v1", args[2], routeConnections)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", args[0])
	if err != nil {
		return err
	}
	server := &http.Server{Handler: floor.Routes(caller), ReadHeaderTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// signingIn is how many users of an embedded Clerk sign in: not all of a million can be given a password in reasonable time.
const signingIn = 100

// emulated is what the process of an embedded Clerk prints once it has its users.
type emulated struct{ URL, SecretKey string }

// runEmulator runs an embedded Clerk with users of whom some sign in, the oldest, the newest and some in between: emulator USERS
func runEmulator(ctx context.Context, args []string, out io.Writer) error {
	if len(args) != 1 {
		return errors.New("emulator USERS")
	}
	users, err := strconv.Atoi(args[0])
	if err != nil || users < signingIn {
		return fmt.Errorf("%s users are too few", args[0])
	}
	clerk, err := clerkemu.New(clerkemu.Options{Addr: "127.0.0.1:0", BcryptCost: bcrypt.MinCost, RateLimit: -1, SignInRateLimit: -1, ResendInterval: -1})
	if err != nil {
		return err
	}
	for i := range users {
		user := clerkemu.UserSeed{EmailAddress: fmt.Sprintf("nobody.%d@example.com", i), FirstName: "Augusta Ada", LastName: "King"}
		if every := users / signingIn; i%every == 0 && i/every < signingIn {
			user.EmailAddress, user.Password = flows.Address(i/every), flows.Password
		}
		if _, err := clerk.SeedUser(user); err != nil {
			return err
		}
	}
	if err := clerk.Start(); err != nil {
		return err
	}
	if err := json.NewEncoder(out).Encode(emulated{clerk.URL(), clerk.SecretKey()}); err != nil {
		return err
	}
	<-ctx.Done()
	return clerk.Close()
}
