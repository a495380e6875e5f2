//go:build race

package main

// raceFlags makes the program that is measured look for data races whenever the tests do.
var raceFlags = []string{"-race"}
