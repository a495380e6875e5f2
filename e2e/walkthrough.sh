#!/bin/sh
# Walks through every flow of a running `clerkql dev`, the way a client would, with nothing but curl and sed: sign-up, code from the
# mailbox, verification, sign-in, password reset, second factor, refresh, sign-out. It works in every session mode: a ticket it
# redeems as a native app would. It ends with status 0 if all of it went as it should.
#
#   e2e/walkthrough.sh [API-URL [MAILBOX-URL]]
#
# Half-way it waits, for PAUSE seconds: Clerk lets an IP redeem five tickets in ten seconds, be it ours or, in exchange mode, that of
# the API. In session mode there is nothing to wait for.
set -eu

api=${1:-http://127.0.0.1:8080}
mailbox=${2:-http://127.0.0.1:8090}
email="walker-$$@example.com"
totp_email="walker-totp-$$@example.com"
password="difference engine"
new_password="analytical engine"

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

# graphql DOCUMENT [TOKEN] runs a document, whose double quotes need no escaping here.
graphql() {
	query=$(printf '%s' "$1" | sed 's/"/\\"/g')
	curl --silent --show-error --fail-with-body --max-time 30 "$api/graphql" \
		--header 'Content-Type: application/json' --header "Authorization: ${2:+Bearer $2}" \
		--data "{\"query\":\"$query\"}"
}

# field NAME reads the first text field of that name from a JSON answer.
field() {
	sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"
}

# expect TYPENAME ANSWER
expect() {
	case $2 in
	*"\"__typename\":\"$1\""*) echo "  $1" ;;
	*) fail "want $1, got $2" ;;
	esac
}

# signed_in ANSWER takes the session out of an answer, or redeems the ticket. It sets session, token and refresh.
signed_in() {
	refresh=$(echo "$1" | field refreshToken)
	case $1 in
	*'"__typename":"SignInTicketIssued"'*)
		echo "  SignInTicketIssued"
		redeemed=$(curl --silent --show-error --fail-with-body --max-time 10 "$mailbox/v1/client/sign_ins?_is_native=1" \
			--data strategy=ticket --data-urlencode "ticket=$(echo "$1" | field ticket)") || fail "the ticket is refused: $redeemed"
		session=$(echo "$redeemed" | field created_session_id)
		token=$(echo "$redeemed" | field jwt)
		;;
	*)
		expect SessionCreated "$1"
		session=$(echo "$1" | field sessionId)
		token=$(echo "$1" | field sessionToken)
		;;
	esac
}

# ended SESSION looks at a session at Clerk.
ended() {
	status=$(curl --silent --max-time 10 --header "Authorization: Bearer sk_test_embedded_clerk_default_key" "$mailbox/v1/sessions/$1" | field status)
	[ "$status" = revoked ] || fail "session $1 is $status"
	echo "  ended"
}

# code ADDRESS reads the newest code from the mailbox.
code() {
	curl --silent --show-error --fail --max-time 10 "$mailbox/mailbox.json?to=$1" |
		sed 's/},{.*//' | field code
}

# totp reads what the authenticator app of the account with TOTP shows.
totp() {
	curl --silent --show-error --fail --max-time 10 "$mailbox/control/totp?email=$totp_email" | field code
}

wrong() {
	echo "$1" | sed 'y/0123456789/5678901234/'
}

started='... on VerificationRequired { emailAddressId verificationId } ... on UserError { code }'
success='... on SessionCreated { sessionId sessionToken refreshToken } ... on SignInTicketIssued { ticket } ... on UserError { code }'
unfinished='... on SecondFactorRequired { signInId nextSteps }'

echo "signUp"
answer=$(graphql "mutation { signUp(input: {email: \"$email\", password: \"$password\"}) { __typename $started } }")
expect VerificationRequired "$answer"
address=$(echo "$answer" | field emailAddressId)
verification=$(echo "$answer" | field verificationId)
right=$(code "$email")

echo "verifyEmail, with a wrong code"
answer=$(graphql "mutation { verifyEmail(input: {emailAddressId: \"$address\", verificationId: \"$verification\", code: \"$(wrong "$right")\"}) { __typename } }")
expect InvalidCode "$answer"

echo "verifyEmail"
signed_in "$(graphql "mutation { verifyEmail(input: {emailAddressId: \"$address\", verificationId: \"$verification\", code: \"$right\"}) { __typename $success } }")"
first_session=$session

echo "viewer"
answer=$(graphql '{ viewer { __typename sessionId } }' "$token")
expect Viewer "$answer"
[ "$(echo "$answer" | field sessionId)" = "$first_session" ] || fail "the viewer has another session: $answer"

echo "signIn"
signed_in "$(graphql "mutation { signIn(input: {email: \"$email\", password: \"$password\"}) { __typename $success } }")"
second_session=$session

echo "requestPasswordReset"
answer=$(graphql "mutation { requestPasswordReset(input: {email: \"$email\"}) { __typename ... on PasswordResetSent { signInId } } }")
expect PasswordResetSent "$answer"
reset=$(echo "$answer" | field signInId)

echo "resetPassword"
signed_in "$(graphql "mutation { resetPassword(input: {signInId: \"$reset\", code: \"$(code "$email")\", newPassword: \"$new_password\"}) { __typename $success } }")"

echo "the sessions from before the reset"
ended "$first_session"
ended "$second_session"

echo "signIn, with the old password"
answer=$(graphql "mutation { signIn(input: {email: \"$email\", password: \"$password\"}) { __typename } }")
expect InvalidCredentials "$answer"

sleep "${PAUSE:-10}"

echo "signIn, with the new password"
signed_in "$(graphql "mutation { signIn(input: {email: \"$email\", password: \"$new_password\"}) { __typename $success } }")"

if [ "$refresh" ]; then
	echo "refreshSession"
	answer=$(graphql "mutation { refreshSession(input: {refreshToken: \"$refresh\"}) { __typename ... on SessionRefreshed { sessionToken } } }")
	expect SessionRefreshed "$answer"
	token=$(echo "$answer" | field sessionToken)
fi

echo "sessions"
answer=$(graphql '{ viewer { sessions { sessionId current } } }' "$token")
case $answer in
*"{\"sessionId\":\"$session\",\"current\":true}"*) echo "  listed" ;;
*) fail "the session is not among the viewer's: $answer" ;;
esac

echo "signOut"
expect SignedOut "$(graphql 'mutation { signOut { __typename } }' "$token")"
ended "$session"

if [ "$refresh" ]; then
	echo "refreshSession, after signing out"
	expect SessionEnded "$(graphql "mutation { refreshSession(input: {refreshToken: \"$refresh\"}) { __typename } }")"
fi

# An account with TOTP. The API can't turn it on, so the embedded Clerk is told to.
curl --silent --show-error --fail --max-time 10 "$mailbox/control/users" --header 'Content-Type: application/json' --output /dev/null \
	--data "{\"emailAddress\":\"$totp_email\",\"password\":\"$password\",\"totpSecret\":\"JBSWY3DPEHPK3PXP\",\"backupCodes\":[\"backup01\"]}"

echo "signIn, of an account with TOTP"
answer=$(graphql "mutation { signIn(input: {email: \"$totp_email\", password: \"$password\"}) { __typename $unfinished } }")
expect SecondFactorRequired "$answer"
half=$(echo "$answer" | field signInId)

echo "attemptSecondFactor, with a wrong code"
answer=$(graphql "mutation { attemptSecondFactor(input: {signInId: \"$half\", strategy: TOTP, code: \"$(wrong "$(totp)")\"}) { __typename } }")
expect InvalidCode "$answer"

echo "attemptSecondFactor"
signed_in "$(graphql "mutation { attemptSecondFactor(input: {signInId: \"$half\", strategy: TOTP, code: \"$(totp)\"}) { __typename $success } }")"

echo "attemptSecondFactor, once more"
answer=$(graphql "mutation { attemptSecondFactor(input: {signInId: \"$half\", strategy: TOTP, code: \"$(totp)\"}) { __typename } }")
expect VerificationExpired "$answer"

echo "resetPassword, of an account with TOTP"
answer=$(graphql "mutation { requestPasswordReset(input: {email: \"$totp_email\"}) { __typename ... on PasswordResetSent { signInId } } }")
reset=$(echo "$answer" | field signInId)
answer=$(graphql "mutation { resetPassword(input: {signInId: \"$reset\", code: \"$(code "$totp_email")\", newPassword: \"$new_password\"}) { __typename $unfinished } }")
expect SecondFactorRequired "$answer"
half=$(echo "$answer" | field signInId)
ended "$session"

echo "attemptSecondFactor, with a backup code"
signed_in "$(graphql "mutation { attemptSecondFactor(input: {signInId: \"$half\", strategy: BACKUP_CODE, code: \"backup01\"}) { __typename $success } }")"

echo "signOutEverywhere"
expect SignedOutEverywhere "$(graphql 'mutation { signOutEverywhere { __typename } }' "$token")"
ended "$session"

echo "All flows work."
