package floor

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"
	"time"

	"clerkql/bench/flows"
	"clerkql/bench/load"
)

// Order is one line that the process of the floor is told: to run a flow for a while.
type Order struct {
	Flow    string
	Workers int
	During  time.Duration
}

// Report is its answer.
type Report struct {
	load.Result
	Mallocs, Bytes float64 // per flow
}

// Serve runs flows as it is ordered, one line after the other, until there are no more.
func Serve(ctx context.Context, caller *Caller, orders io.Reader, reports io.Writer) error {
	signedIn, err := caller.SignIn(ctx, flows.Address(0), flows.Password)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(orders)
	for lines.Scan() {
		var order Order
		if err := json.Unmarshal(lines.Bytes(), &order); err != nil {
			return err
		}
		report, err := run(ctx, caller, order, signedIn)
		if err != nil {
			return fmt.Errorf("%s: %w", order.Flow, err)
		}
		if err := json.NewEncoder(reports).Encode(report); err != nil {
			return err
		}
	}
	return lines.Err()
}

func run(ctx context.Context, caller *Caller, order Order, signedIn Answer) (Report, error) {
	var (
		before, after runtime.MemStats
		next          atomic.Int64
		end           = time.Now().Add(order.During)
	)
	runtime.ReadMemStats(&before)
	more := func() bool { return time.Now().Before(end) }
	result, err := load.Loop(order.Workers, more, func(int) error {
		_, err := caller.Run(ctx, order.Flow, flows.Address(int(next.Add(1))), flows.Password, signedIn)
		return err
	})
	if err != nil {
		return Report{}, err
	}
	runtime.ReadMemStats(&after)
	n := float64(result.Flows)
	return Report{result, float64(after.Mallocs-before.Mallocs) / n, float64(after.TotalAlloc-before.TotalAlloc) / n}, nil
}
