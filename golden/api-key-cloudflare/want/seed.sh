#!/bin/sh
# Stores the first value of the secret whose key is given, or of each that has none: the document that Terraform knows,
# the key's id, and the key, which are typed here or come on standard input, a line each. The key stands in no file, no
# argument list, no history and no Terraform state, and is never shown.
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
	id= secret=
	if [ -t 0 ]; then
		trap 'stty echo' EXIT
		trap 'exit 130' INT TERM
		printf 'id of the key: ' && IFS= read -r id
		stty -echo
		printf 'key: ' && IFS= read -r secret && echo
		printf 'the same again: ' && IFS= read -r again && echo
		stty echo
		[ "$secret" = "$again" ] || fail "the two differ"
	else
		IFS= read -r id && IFS= read -r secret || true # the last line need not end
	fi
	[ -n "$secret" ] || fail "the key is empty"
	case $id$secret in
	*[[:cntrl:]]*) fail "the key or its id holds a control character" ;;
	esac
}

seed() {
	arn=$(printf %s "$arns" | jq -er --arg key "$1" '.[$key]') ||
		fail "there is no secret $1, only $(printf %s "$arns" | jq -r 'keys | join(", ")')"

	# A value that rotation has taken over may be the only copy of a working key. Before that it can be corrected; what
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

	# printf is a built-in command of the shell: the key is no program's argument.
	printf '%s\n' "$id" "$secret" | jq -cRn --argjson document "$document" '{key_id: input, api_key: input} + $document' |
		store put-secret-value --secret-id "$arn" --secret-string file:///dev/stdin --query VersionId --output text
}

chosen=${1-}
for key in ${chosen:-$(printf %s "$arns" | jq -r 'keys[]')}; do
	seed "$key"
done
