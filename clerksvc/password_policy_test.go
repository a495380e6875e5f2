package clerksvc

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPasswordPolicy(t *testing.T) {
	policy := PasswordPolicy{MinLength: 10, MaxLength: 40, MaxBytes: 72, MinStrength: 3, ForbiddenWords: []string{"Acme", "größe"}}
	user := signUp{email: "g.hopper@example.com", firstName: "Grace Brewster", lastName: "Ng Li"}
	for _, row := range []struct {
		name, password string
		want           []PasswordRule
	}{
		{"good", "nanosecond wire", nil},
		{"good, of the fewest characters", "nanos.wire", nil},
		{"good, of the most characters", strings.Repeat("nanosecond wire ", 3)[:40], nil},
		{"good, and long", "a bug in relay 70, panel F, of the", nil},
		{"too short", "nanos.wir", []PasswordRule{PasswordMinLength}},
		{"too many characters", strings.Repeat("nanosecond wire ", 3)[:41], []PasswordRule{PasswordMaxLength}},
		{"too many bytes", "纳秒导线计算机程序员编译器很多个字节真的太多了吧吗", []PasswordRule{PasswordMaxBytes}},
		{"easy to guess", "password12", []PasswordRule{PasswordStrength}},
		{"easy to guess at its beginning", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa", []PasswordRule{PasswordStrength}},
		{"a forbidden word", "wires of aCMe's", []PasswordRule{PasswordForbiddenWord}},
		{"a forbidden word outside ASCII", "wires of GRÖSSE or GRÖßE", []PasswordRule{PasswordForbiddenWord}},
		{"the address", "G.Hopper@Example.com", []PasswordRule{PasswordNotIdentifier}},
		{"the local part", "my g.HOPPER wire", []PasswordRule{PasswordNotIdentifier}},
		{"the first name", "wires for grace brewster", []PasswordRule{PasswordNotIdentifier}},
		{"a word of the first name", "wires for brewster", []PasswordRule{PasswordNotIdentifier}},
		{"a last name of short words", "wires for ng li", []PasswordRule{PasswordNotIdentifier}},
		{"a name that is too short to look for", "wiring nanoseconds", nil},
		{"all that can be at once", "acmegrace", []PasswordRule{PasswordMinLength, PasswordStrength, PasswordForbiddenWord, PasswordNotIdentifier}},
		{"all that can be at once, and too long", strings.Repeat("a", 64) + " acme brewster", []PasswordRule{
			PasswordMaxLength, PasswordMaxBytes, PasswordStrength, PasswordForbiddenWord, PasswordNotIdentifier,
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := policy.violations(row.password, user.identifiers()...); !slices.Equal(got, row.want) {
				t.Errorf("%q: %v, want %v", row.password, got, row.want)
			}
		})
	}
	if got := policy.violations("wires for brewster"); len(got) > 0 {
		t.Errorf("without a user: %v", got)
	}
}

// TestIdentifiers has a user without names, whose address and empty names are not in every password.
func TestIdentifiers(t *testing.T) {
	if got := (signUp{email: "ada@example.com"}).identifiers(); !slices.Equal(got, []string{"ada@example.com"}) {
		t.Errorf("got %q", got)
	}
	if got := (signUp{email: "ada@example.com", firstName: "Jo Ng"}).identifiers(); !slices.Equal(got, []string{"ada@example.com", "Jo Ng"}) {
		t.Errorf("with a first name of short words: %q", got)
	}
}

func TestPasswordRulesInForce(t *testing.T) {
	always := []PasswordRule{PasswordMinLength, PasswordMaxLength, PasswordMaxBytes, PasswordNotLeaked, PasswordNotIdentifier}
	if got := (PasswordPolicy{}).Rules(); !slices.Equal(got, always) {
		t.Errorf("without settings: %v", got)
	}
	got := PasswordPolicy{MinStrength: 1, ForbiddenWords: []string{"acme"}}.Rules()
	if want := append(always, PasswordStrength, PasswordForbiddenWord); !slices.Equal(got, want) {
		t.Errorf("with strength and words: %v", got)
	}
}

// worstPasswords take long to judge. In the first, every character can be read as a letter, some as one of two or three.
func worstPasswords() []string {
	return []string{
		strings.Repeat("4@8({[<369&#!1|0$5+7%2", 4)[:72],
		strings.Repeat("1|7!", 18),
		strings.Repeat("a", 72),
		strings.Repeat("aaaaaaaab", 8),
		strings.Repeat("19911991", 9),
	}
}

// TestStrengthTakesLittleTime has a bound far above what these take, and below what they would in full.
func TestStrengthTakesLittleTime(t *testing.T) {
	for _, password := range worstPasswords() {
		least := time.Hour
		for range 5 {
			began := time.Now()
			strength(password)
			least = min(least, time.Since(began))
		}
		if least > 100*time.Millisecond {
			t.Errorf("%s takes %v", password, least)
		}
	}
}

func BenchmarkStrength(b *testing.B) {
	for _, password := range worstPasswords() {
		b.Run(password[:judgedCharacters], func(b *testing.B) {
			for b.Loop() {
				strength(password)
			}
		})
	}
}

// FuzzStrength holds that no password, in no script, makes the judging fail.
func FuzzStrength(f *testing.F) {
	for _, password := range append(worstPasswords(), "", "ȺȺp4ssw0rd", "İİPASSWORD", "\u212a\u212aqwerty", "\xff\xfep4ssw0rd", "🐎🐎 1991-01-01") {
		f.Add(password)
	}
	f.Fuzz(func(t *testing.T, password string) {
		if score := strength(password); score < 0 || score > 4 {
			t.Errorf("%q has the score %d", password, score)
		}
	})
}
