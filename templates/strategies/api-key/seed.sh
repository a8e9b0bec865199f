#!/bin/sh
# Stores the first value of the secret: the document that Terraform knows, the key's id, and the key that is typed
# here or comes on standard input, each on a line. The key stands in no file, no argument list and no history, and is never shown.
set -eu
export LC_ALL=C

fail() {
	echo "seed: $1" >&2
	exit 1
}

cd "$(dirname "$0")/terraform"
output() { ${TERRAFORM:-terraform} output -raw "$1"; }
arn=$(output secret_arn)
case $arn in
arn:*) ;;
*) fail "nothing is deployed yet: run \"make deploy\"" ;;
esac
region=$(output region)
document=$(output seed_document)

# A value that rotation has taken over may be the only copy of a working key. Before that it can be corrected; what
# was there stays as AWSPREVIOUS.
state=$(aws --region "$region" secretsmanager describe-secret --secret-id "$arn" \
	--query '[to_string(RotationEnabled), join(`","`, values(VersionIdsToStages || `{}`)[])]' --output text)
case $state in
[Tt]rue*AWSCURRENT*) fail "the secret has a value and rotation is on: RUNBOOK.md says how to repair a secret" ;;
*AWSCURRENT*)
	[ -t 0 ] || fail "the secret has a value already: run this on a terminal to replace it"
	printf 'The secret has a value already. Replace it? (yes/no) '
	IFS= read -r answer
	[ "$answer" = yes ] || fail "nothing is changed"
	;;
esac

echo "$document"
if [ -t 0 ]; then
	trap 'stty echo' EXIT
	trap 'exit 130' INT TERM
	printf 'id of the key: ' && IFS= read -r id
	stty -echo
	printf 'key: ' && IFS= read -r key && echo
	printf 'the same again: ' && IFS= read -r again && echo
	[ "$key" = "$again" ] || fail "the two differ"
else
	IFS= read -r id && IFS= read -r key || true # the last line need not end
fi
[ -n "$key" ] || fail "the key is empty"
case $id$key in
*[[:cntrl:]]*) fail "the key or its id holds a control character" ;;
esac

# printf is a built-in command of the shell: nothing of this is another program's argument.
quote() { printf '%s\n' "$1" | sed 's/[\\"]/\\&/g'; }
rest=${document#\{}
[ "$rest" = "}" ] || rest=",$rest"
printf '{"key_id":"%s","api_key":"%s"%s' "$(quote "$id")" "$(quote "$key")" "$rest" |
	aws --region "$region" secretsmanager put-secret-value --secret-id "$arn" --secret-string file:///dev/stdin \
		--query VersionId --output text
echo 'stored; now set seeded = true in terraform/terraform.tfvars and run "make deploy"'
