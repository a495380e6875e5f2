package doctor

import (
	"fmt"
	"strings"
	"unicode"
)

// verdict is what a check came to.
type verdict string

const (
	good    verdict = "ok"
	failed  verdict = "FAIL"
	skipped verdict = "skip"
)

// finding is the result of a check.
type finding struct {
	verdict verdict
	// text says what was found, or why nothing was looked for.
	text string
	// fix says how to mend it; for what failed.
	fix string
}

func ok(format string, args ...any) finding {
	return finding{verdict: good, text: fmt.Sprintf(format, args...)}
}

func fail(text, fix string) finding { return finding{verdict: failed, text: text, fix: fix} }

func skip(reason string) finding { return finding{verdict: skipped, text: reason} }

// tell prints one line. Control characters, which can only come from Clerk, do not get to the terminal.
func (e *examination) tell(name string, f finding) {
	e.told++
	if f.verdict == failed {
		e.failures++
	}
	text := f.text
	if f.fix != "" {
		text += ". Fix: " + f.fix
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, text)
	fmt.Fprintf(e.Out, "%-4s  %-15s  %s\n", f.verdict, name, text)
}
