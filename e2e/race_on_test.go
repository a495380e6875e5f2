//go:build race

package e2e

// raceFlags makes the program under test look for data races whenever the tests do.
var raceFlags = []string{"-race"}
