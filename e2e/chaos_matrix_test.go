package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
)

// chaosMatrix is what was tried, and what came of it.
type chaosMatrix struct {
	mu       sync.Mutex
	runs     int
	requests map[string]bool // what the flows are about
	rows     []*chaosRow
}

// chaosRow is a fault at a call of a flow.
type chaosRow struct {
	call, fault string
	answered    string // the member
	isRight     bool   // so was the answer
	endIsRight  bool
}

func (m *chaosMatrix) began() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.runs++
}

func (m *chaosMatrix) has(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.requests == nil {
		m.requests = map[string]bool{}
	}
	m.requests[name] = true
}

// row adds a row, whose end is right if the test does not fail.
func (m *chaosMatrix) row(t *testing.T, call chaosCall, fault string) *chaosRow {
	row := &chaosRow{call: t.Name()[:strings.LastIndex(t.Name(), "/")] + "/" + call.String(), fault: fault}
	t.Cleanup(func() { row.endIsRight = !t.Failed() })
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows = append(m.rows, row)
	return row
}

// String is the count: in all, and of each fault.
func (m *chaosMatrix) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	calls, byFault := map[string]bool{}, map[string][]*chaosRow{}
	for _, row := range m.rows {
		calls[row.call] = true
		byFault[row.fault] = append(byFault[row.fault], row)
	}
	var b strings.Builder
	summary := func(name string, rows []*chaosRow) {
		wrongAnswers, wrongEnds := 0, 0
		answers := map[string]int{}
		for _, row := range rows {
			switch {
			case !row.isRight:
				wrongAnswers++
			case !row.endIsRight:
				wrongEnds++
			}
			answered := row.answered
			if !slices.Contains([]string{"ServiceUnavailable", "RateLimited", "nothing"}, answered) {
				answered = "as if nothing failed"
			}
			answers[answered]++
		}
		fmt.Fprintf(&b, "%-50s %5d tried, wrong answers %d, wrong ends %d;", name, len(rows), wrongAnswers, wrongEnds)
		for _, answered := range slices.Sorted(maps.Keys(answers)) {
			fmt.Fprintf(&b, " %s %d", answered, answers[answered])
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "%d flows and modes, %d calls to Clerk, %d faults\n", m.runs, len(calls), len(byFault))
	for _, fault := range slices.Sorted(maps.Keys(byFault)) {
		summary(fault, byFault[fault])
	}
	summary("all", m.rows)
	return b.String()
}
