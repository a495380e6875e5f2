package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"

	"clerkql/bench/flows"
)

// table is a table in Markdown.
type table struct{ strings.Builder }

func newTable(title, note string, columns ...string) *table {
	t := &table{}
	fmt.Fprintf(t, "### %s\n\n", title)
	if note != "" {
		fmt.Fprintf(t, "%s\n\n", note)
	}
	t.row(columns...)
	t.row(strings.Split(strings.Repeat("---,", len(columns)-1)+"---", ",")...)
	return t
}

func (t *table) row(cells ...string) { fmt.Fprintf(t, "| %s |\n", strings.Join(cells, " | ")) }

// markdown tells the figures.
func (f *figures) markdown() string {
	parts := []string{f.circumstances(), f.targetTable(), f.cpuTable()}
	for _, latency := range f.latencies {
		if latency > 0 {
			parts = append(parts, f.latencyTable(latency))
		}
	}
	parts = append(parts, f.throughputTable(), f.memoryTable(), f.allocationTable(),
		growthTable("Users at Clerk", "users of the embedded Clerk", f.byUsers),
		growthTable("Clients that the rate limits have counted", "clients, of which 100 000 are kept", f.byClients))
	return strings.Join(parts, "\n")
}

func (f *figures) circumstances() string {
	node, _ := exec.Command("node", "--version").Output()
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	info, _ := os.ReadFile("/proc/cpuinfo")
	model := "a processor"
	if found := regexp.MustCompile(`(?m)^model name\s*: (.+)$`).FindSubmatch(info); found != nil {
		model = string(found[1])
	}
	return fmt.Sprintf("Measured on %s on %d cores of %s, Linux %s, with %s and Node %s: %d rounds of %v for each program, flow and latency, %d connections.\n",
		f.at.UTC().Format("2 January 2006"), runtime.NumCPU(), model, strings.TrimSpace(string(kernel)), runtime.Version(), strings.TrimSpace(string(node)),
		f.rounds, f.window, f.workers)
}

func (f *figures) targetTable() string {
	targets := f.targets()
	t := newTable("Targets", fmt.Sprintf("%d of %d are reached.", len(targets)-missed(targets), len(targets)), "target", "measured", "")
	for _, target := range targets {
		verdict := "reached"
		if !target.reached {
			verdict = "**missed**"
		}
		t.row(target.what, target.measured, verdict)
	}
	return t.String()
}

func (f *figures) cpuTable() string {
	columns := []string{"flow", "calls", "Clerk away", sdk, clerkQL, "÷ " + sdk}
	for _, name := range f.servers()[1:] {
		columns = append(columns, name, "÷ "+clerkQL)
	}
	t := newTable("CPU", "Seconds of a processor per 1000 flows, of the program alone.", columns...)
	for _, latency := range f.latencies {
		for _, flow := range flows.All() {
			alone, own := f.of(sdk, flow, latency).cpu, f.of(clerkQL, flow, latency).cpu
			if len(own) == 0 {
				continue
			}
			cells := []string{
				"`" + flow + "`", strconv.Itoa(flows.Calls(flow)), latency.String(),
				fmt.Sprintf("%.3f", alone.median()), fmt.Sprintf("%.3f", own.median()), own.over(alone).ratio(),
			}
			for _, name := range f.servers()[1:] {
				other := f.of(name, flow, latency).cpu
				cells = append(cells, fmt.Sprintf("%.3f", other.median()), other.over(own).ratio())
			}
			t.row(cells...)
		}
	}
	return t.String()
}

func (f *figures) latencyTable(latency time.Duration) string {
	columns := []string{"flow", sdk + " p50", "p99"}
	for _, name := range f.servers() {
		columns = append(columns, name+" adds to p50", "to p99")
	}
	t := newTable("Latency", fmt.Sprintf("Milliseconds of a flow, with %d at a time and Clerk %v away, and what the servers add to that in the same round.", f.workers, latency), columns...)
	for _, flow := range flows.All() {
		alone := f.of(sdk, flow, latency)
		if len(alone.p50) == 0 {
			continue
		}
		cells := []string{"`" + flow + "`", fmt.Sprintf("%.1f", alone.p50.median()), fmt.Sprintf("%.1f", alone.p99.median())}
		for _, name := range f.servers() {
			own := f.of(name, flow, latency)
			cells = append(cells, own.p50.beyond(alone.p50).spread(1), own.p99.beyond(alone.p99).spread(1))
		}
		t.row(cells...)
	}
	return t.String()
}

func (f *figures) throughputTable() string {
	names := append([]string{sdk}, f.servers()...)
	t := newTable("Throughput", "Flows per second. Who asks, the stub and the program share the cores, so this is no capacity; CPU tells that.",
		append([]string{"flow", "Clerk away"}, names...)...)
	for _, latency := range f.latencies {
		for _, flow := range flows.All() {
			cells := []string{"`" + flow + "`", latency.String()}
			for _, name := range names {
				cells = append(cells, f.of(name, flow, latency).perSecond.spread(0))
			}
			if len(f.of(clerkQL, flow, latency).cpu) > 0 {
				t.row(cells...)
			}
		}
	}
	return t.String()
}

func (f *figures) memoryTable() string {
	const kilobyte, megabyte = 1 << 10, 1 << 20
	columns := []string{"program", "start to first answer, ms", "idle, MB"}
	for _, n := range f.inFlight {
		columns = append(columns, fmt.Sprintf("%d in flight, MB", n))
		if n > 1 { // the memory of one alone is less than that of all else comes and goes
			columns = append(columns, "KB each")
		}
	}
	t := newTable("Start and memory", "Resident memory, after a start and one sign-in; with so many sign-ins that wait for Clerk's first answer; and after the rounds.", append(columns, "after the rounds, MB")...)
	for _, name := range f.servers() {
		cells := []string{name, f.firstReplies[name].spread(0), fmt.Sprintf("%.1f", float64(f.memory[name][0].idle)/megabyte)}
		for i, n := range f.inFlight {
			cells = append(cells, fmt.Sprintf("%.1f", float64(f.memory[name][i].inFlight)/megabyte))
			if n > 1 {
				cells = append(cells, fmt.Sprintf("%.0f", f.perInFlight(name, i)/kilobyte))
			}
		}
		t.row(append(cells, fmt.Sprintf("%.1f", float64(f.rss[name])/megabyte))...)
	}
	return t.String()
}

func (f *figures) allocationTable() string {
	t := newTable("Allocations and connections", "Per flow, and connections to Clerk that were made per 1000 flows, in the rounds.",
		"flow", sdk+", objects", "KB", clerkQL+", objects", "KB", "÷ "+sdk, "connections")
	for _, flow := range flows.All() {
		alone, own := f.of(sdk, flow, 0), f.allocated[flow]
		t.row("`"+flow+"`", fmt.Sprintf("%.0f", alone.mallocs.median()), fmt.Sprintf("%.1f", alone.malloc.median()/(1<<10)),
			fmt.Sprintf("%.0f", own.objects), fmt.Sprintf("%.1f", own.bytes/(1<<10)), fmt.Sprintf("%.2f", own.objects/alone.mallocs.median()),
			fmt.Sprintf("%.2f", f.of(clerkQL, flow, 0).connections.mean()))
	}
	return t.String()
}

func growthTable(title, what string, steps []growth) string {
	t := newTable(title, "Seconds of a processor per 1000 `signIn`, by turns.", what, clerkQL, "to the first", "embedded Clerk", "to the first", clerkQL+", MB")
	for _, step := range steps {
		cells := []string{strconv.Itoa(step.of), step.cpu.spread(3), step.cpu.over(steps[0].cpu).ratio(), step.clerk.spread(3), "–"}
		if len(step.clerk) > 0 {
			cells[len(cells)-1] = step.clerk.over(steps[0].clerk).ratio()
		}
		t.row(append(cells, fmt.Sprintf("%.1f", float64(step.rss)/(1<<20)))...)
	}
	return t.String()
}

const beginMark, endMark = "<!-- measured by make bench -->", "<!-- end -->"

// publish puts text between the marks in a file.
func publish(file, text string) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, begins := strings.Cut(string(old), beginMark)
	_, after, ends := strings.Cut(rest, endMark)
	if !begins || !ends {
		return errors.New(file + " has no marks to put the figures between")
	}
	return os.WriteFile(file, []byte(before+beginMark+"\n"+text+endMark+after), 0o644)
}
