#!/bin/sh
# Walks through every flow of a running `clerkql dev`, the way a client would, with nothing but curl and sed:
# sign-up, code from the mailbox, verification, sign-in, password reset. It ends with status 0 if all of it went as it should.
#
#   e2e/walkthrough.sh [API-URL [MAILBOX-URL]]
set -eu

api=${1:-http://127.0.0.1:8080}
mailbox=${2:-http://127.0.0.1:8090}
email="walker-$$@example.com"
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

code() {
	curl --silent --show-error --fail --max-time 10 "$mailbox/mailbox.json?to=$email" |
		sed 's/},{.*//' | field code
}

started='... on VerificationRequired { emailAddressId verificationId } ... on UserError { code }'
session='... on SessionCreated { sessionId sessionToken } ... on UserError { code }'

echo "signUp"
answer=$(graphql "mutation { signUp(input: {email: \"$email\", password: \"$password\"}) { __typename $started } }")
expect VerificationRequired "$answer"
address=$(echo "$answer" | field emailAddressId)
verification=$(echo "$answer" | field verificationId)

echo "verifyEmail, with a wrong code"
right=$(code)
wrong=$(echo "$right" | sed 'y/0123456789/5678901234/')
answer=$(graphql "mutation { verifyEmail(input: {emailAddressId: \"$address\", verificationId: \"$verification\", code: \"$wrong\"}) { __typename } }")
expect InvalidCode "$answer"

echo "verifyEmail"
answer=$(graphql "mutation { verifyEmail(input: {emailAddressId: \"$address\", verificationId: \"$verification\", code: \"$right\"}) { __typename $session } }")
expect SessionCreated "$answer"
token=$(echo "$answer" | field sessionToken)
first_session=$(echo "$answer" | field sessionId)

echo "viewer"
answer=$(graphql '{ viewer { __typename sessionId } }' "$token")
expect Viewer "$answer"
[ "$(echo "$answer" | field sessionId)" = "$first_session" ] || fail "the viewer has another session: $answer"

echo "signIn"
answer=$(graphql "mutation { signIn(input: {email: \"$email\", password: \"$password\"}) { __typename $session } }")
expect SessionCreated "$answer"
second_session=$(echo "$answer" | field sessionId)

echo "requestPasswordReset"
answer=$(graphql "mutation { requestPasswordReset(input: {email: \"$email\"}) { __typename ... on PasswordResetSent { signInId } } }")
expect PasswordResetSent "$answer"
reset=$(echo "$answer" | field signInId)

echo "resetPassword"
answer=$(graphql "mutation { resetPassword(input: {signInId: \"$reset\", code: \"$(code)\", newPassword: \"$new_password\"}) { __typename $session } }")
expect SessionCreated "$answer"

echo "signIn, with the new password"
answer=$(graphql "mutation { signIn(input: {email: \"$email\", password: \"$new_password\"}) { __typename $session } }")
expect SessionCreated "$answer"

echo "signIn, with the old password"
answer=$(graphql "mutation { signIn(input: {email: \"$email\", password: \"$password\"}) { __typename } }")
expect InvalidCredentials "$answer"

echo "the sessions from before the reset"
for id in "$first_session" "$second_session"; do
	ended=$(curl --silent --max-time 10 --header "Authorization: Bearer sk_test_embedded_clerk_default_key" \
		"$mailbox/v1/sessions/$id" | sed -n "s/.*\"status\":\"revoked\".*/yes/p")
	[ "$ended" = yes ] || fail "session $id is still active"
	echo "  ended"
done

echo "All flows work."
