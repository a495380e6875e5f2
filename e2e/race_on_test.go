//go:build race

package e2e

// raceFlags makes the program under test look for data races whenever the tests do.
var raceFlags = []string{"-race"}

// slowness is how many times as long a program may take that looks for data races.
const slowness = 4
