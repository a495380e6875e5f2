package clerkemu

import (
	"net/mail"
	"strings"
)

// normalizeEmail lower-cases an address and tells whether it is one: a plain
// ASCII addr-spec with a domain of at least two labels. That Clerk stores
// addresses in lower case, and what exactly it accepts, is inferred [I].
func normalizeEmail(text string) (string, bool) {
	const longest, longestLocal = 254, 64
	if len(text) > longest || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", false
	}
	parsed, err := mail.ParseAddress(text)
	if err != nil || parsed.Address != text {
		return "", false // also "Name <address>" and comments
	}
	at := strings.LastIndexByte(text, '@')
	if at > longestLocal || text[0] == '"' || !isDomain(text[at+1:]) {
		return "", false
	}
	return strings.ToLower(text), true
}

// isDomain tells whether a name is made of at least two labels of letters,
// digits and inner hyphens, of which the last is not a number.
func isDomain(name string) bool {
	labels := strings.Split(name, ".")
	if len(labels) < 2 {
		return false
	}
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.ContainsFunc(label, func(r rune) bool { return r != '-' && !isAlphanumeric(r) }) {
			return false
		}
	}
	return strings.ContainsFunc(labels[len(labels)-1], func(r rune) bool { return r < '0' || r > '9' })
}

func isAlphanumeric(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// isTestAddress recognizes the subaddress that gets no mail in test mode.
func isTestAddress(address string) bool {
	local, _, _ := strings.Cut(address, "@")
	return strings.Contains(local, "+clerk_test")
}
