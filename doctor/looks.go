package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"clerkql/clerksvc"
)

// backendAPI makes the first call. Without an answer of Clerk's to it, nothing else makes sense.
func (e *examination) backendAPI(ctx context.Context) finding {
	e.instance, e.instanceErr = e.API.GetInstance(ctx)
	var clerkErr *clerksvc.ClerkError
	if errors.As(e.instanceErr, &clerkErr) && clerkErr.Status != http.StatusUnauthorized && clerkErr.Status != http.StatusForbidden {
		e.stopped = "Clerk's Backend API can't be used"
		return explain(e.instanceErr)
	}
	return ok("answers")
}

func (e *examination) secretKey(context.Context) finding {
	if e.instanceErr != nil {
		e.stopped = "the secret key gives no access"
		return explain(e.instanceErr)
	}
	return ok("accepted, as is version %s of the API", clerksvc.APIVersion)
}

// environment finds out what kind of instance this is, and tells if the secret key claims otherwise: session mode auto and the
// checks of settings believe the key.
func (e *examination) environment(context.Context) finding {
	kind := e.instance.EnvironmentType
	e.production = kind != "development"
	if e.production == e.ProductionKey {
		return ok("%s", kind)
	}
	return ok("%s, although the secret key looks like another's: set SESSION_MODE, because auto goes by the key", kind)
}

// frontendAPI compares the issuer of session tokens with the one that is configured.
func (e *examination) frontendAPI(ctx context.Context) finding {
	url, err := e.API.FrontendAPIURL(ctx)
	switch {
	case err != nil:
		return explain(err)
	case e.Issuer == "":
		return ok("%s, as Clerk says: nothing else is configured", url)
	case e.Issuer != strings.TrimRight(url, "/"):
		return fail("session tokens are issued by "+url+", and another issuer is configured",
			"Set CLERK_PROXY_URL to this URL if it is a proxy's, else CLERK_FRONTEND_API_URL, with CLERK_PROXY_URL unset")
	}
	return ok("%s, as configured", url)
}

func (e *examination) signingKeys(ctx context.Context) finding {
	keys, err := e.API.JWKS(ctx)
	if err != nil {
		return explain(err)
	}
	return ok("%d", len(keys.Keys))
}

// samples is how often Clerk is asked for its time and timed.
const samples = 5

// reading is one call that was timed.
type reading struct {
	took time.Duration
	// ahead is how far Clerk's clock is ahead of ours, if its answer told the time: Clerk's time, which is somewhere in the
	// second that it told, less ours half-way through the call.
	ahead *time.Duration
}

// doubt is how wrong a reading of Clerk's clock can be.
func (r reading) doubt() time.Duration { return (time.Second + r.took) / 2 }

// latency times a call that costs Clerk little, on a connection that is open.
func (e *examination) latency(ctx context.Context) finding {
	for range samples {
		sent := time.Now()
		instance, err := e.API.GetInstance(ctx)
		if err != nil {
			return explain(err)
		}
		r := reading{took: time.Since(sent)}
		if answered := instance.AnsweredAt(); !answered.IsZero() {
			ahead := answered.Add(time.Second / 2).Sub(sent.Add(r.took / 2))
			r.ahead = &ahead
		}
		e.readings = append(e.readings, r)
	}
	slices.SortFunc(e.readings, func(a, b reading) int { return int(a.took - b.took) })
	return ok("median %s, at most %s, in %d calls from this machine",
		round(e.readings[samples/2].took), round(e.readings[samples-1].took), samples)
}

// clock goes by the fastest call, which leaves the least doubt.
func (e *examination) clock(context.Context) finding {
	i := slices.IndexFunc(e.readings, func(r reading) bool { return r.ahead != nil })
	if i < 0 {
		return fail("Clerk's answers did not tell the time", "Run doctor again, and see to it that nothing on the way to Clerk takes the header Date away")
	}
	ahead, doubt := *e.readings[i].ahead, e.readings[i].doubt()
	if ahead.Abs() <= clerksvc.MaxClockSkew {
		return ok("Clerk's is within %s of ours", (ahead.Abs() + doubt).Round(100*time.Millisecond))
	}
	side := "ahead of"
	if ahead < 0 {
		side = "behind"
	}
	return fail(fmt.Sprintf("Clerk's is %s %s ours", ahead.Abs().Round(100*time.Millisecond), side),
		fmt.Sprintf("Set this machine's clock, by NTP for example: beyond %s session tokens are misjudged", clerksvc.MaxClockSkew))
}

// round leaves of a duration what a person wants to read.
func round(d time.Duration) time.Duration {
	if d < 10*time.Millisecond {
		return d.Round(100 * time.Microsecond)
	}
	return d.Round(time.Millisecond)
}
