#!/bin/sh
# Stores the first value of the secret whose key is given, or of each that has none: the document that Terraform knows,
# and the password that is typed here or comes on standard input, a line each. The password stands in no file, no argument
# list, no history and no Terraform state, and is never shown.
set -eu
export LC_ALL=C

fail() {
	echo "seed: $1" >&2
	exit 1
}

cd "$(dirname "$0")/terraform"
output() { ${TERRAFORM:-terraform} output -json "$1" </dev/null; }
arns=$(output secret_arns) && [ "$(printf %s "$arns" | jq 'length > 0')" = true ] ||
	fail "nothing is deployed yet: run \"make deploy\""
documents=$(output first_values)
region=$(output region | jq -r .)
store() { aws --region "$region" secretsmanager "$@"; }

ask() {
	if [ -t 0 ]; then
		trap 'stty echo' EXIT
		trap 'exit 130' INT TERM
		stty -echo
		printf 'password: ' && IFS= read -r password && echo
		printf 'the same again: ' && IFS= read -r again && echo
		stty echo
		[ "$password" = "$again" ] || fail "the two differ"
	else
		IFS= read -r password || true # the last line need not end
	fi
	case $password in
	'') fail "the password is empty" ;;
	*[[:cntrl:]]*) fail "the password holds a control character" ;;
	esac
}

seed() {
	arn=$(printf %s "$arns" | jq -er --arg key "$1" '.[$key]') ||
		fail "there is no secret $1, only $(printf %s "$arns" | jq -r 'keys | join(", ")')"

	# A value that rotation has taken over may be the only copy of a working password. Before that it can be corrected; what
	# was there stays as AWSPREVIOUS.
	state=$(store describe-secret --secret-id "$arn" --output text </dev/null \
		--query '[to_string(RotationEnabled), join(`","`, values(VersionIdsToStages || `{}`)[])]')
	case $state in
	*AWSCURRENT*) [ -n "$chosen" ] || return 0 ;;
	esac
	case $state in
	[Tt]rue*AWSCURRENT*) fail "the secret $1 has a value and rotation is on: RUNBOOK.md says how to repair a secret" ;;
	*AWSCURRENT*)
		[ -t 0 ] || fail "the secret $1 has a value already: run this on a terminal to replace it"
		printf 'The secret %s has a value already. Replace it? (yes/no) ' "$1"
		IFS= read -r answer
		[ "$answer" = yes ] || fail "nothing is changed"
		;;
	esac

	document=$(printf %s "$documents" | jq -ec --arg key "$1" '.[$key]') ||
		fail "the secret $1 has no value, and terraform/secrets.auto.tfvars says too little for one"
	printf '%s: %s\n' "$1" "$document"
	ask

	# printf is a built-in command of the shell: the password is no program's argument.
	printf %s "$password" | jq -cRs --argjson document "$document" '$document + {password: .}' |
		store put-secret-value --secret-id "$arn" --secret-string file:///dev/stdin --query VersionId --output text
}

chosen=${1-}
for key in ${chosen:-$(printf %s "$arns" | jq -r 'keys[]')}; do
	seed "$key"
done
