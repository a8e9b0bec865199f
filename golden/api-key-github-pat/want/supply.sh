#!/bin/sh
# Takes a new key, which is typed here or comes on standard input, a line, and its name on a second one; stores it as a
# version of the secret that moves nothing; lets the function try it; and starts the rotation that puts it into force.
# The key stands in no file, no argument list, no environment and no history, and is never shown.
set -eu
export LC_ALL=C

fail() {
	echo "supply: $1" >&2
	exit 1
}

label=ROTATOR_SUPPLIED
cd "$(dirname "$0")/terraform"
output() { ${TERRAFORM:-terraform} output -json "$1" </dev/null; }
arns=$(output secret_arns) && [ "$(printf %s "$arns" | jq 'length > 0')" = true ] ||
	fail "nothing is deployed yet: run \"make deploy\""
region=$(output region | jq -r .)
function=$(output function_name | jq -r .)
store() { aws --region "$region" secretsmanager "$@"; }

arn=$(printf %s "$arns" | jq -er --arg key "${1-}" 'if $key == "" and length == 1 then .[] else .[$key] end') ||
	fail "say which secret: ./supply.sh $(printf %s "$arns" | jq -r 'keys | join(" or ")')"
[ "$(store describe-secret --secret-id "$arn" --query RotationEnabled --output json </dev/null)" = true ] ||
	fail "rotation is off: run \"make deploy\" first"

secret=
name=
if [ -t 0 ]; then
	trap 'stty echo' EXIT
	trap 'exit 130' INT TERM
	stty -echo
	printf 'new key: ' && IFS= read -r secret && echo
	stty echo
	printf 'its name at the provider, by which it is found again (may be empty): ' && IFS= read -r name
else
	IFS= read -r secret && IFS= read -r name || true # the last line need not end
fi
[ -n "$secret" ] || fail "the key is empty"
case $secret$name in
*[[:cntrl:]]*) fail "the key or its name holds a control character" ;;
esac

# printf is a built-in command of the shell: the key is no program's argument. Of what is stored here only the key and
# its name count.
version=$(printf '%s\n' "$secret" "$name" | jq -cRn '{supplied: "true", api_key: input, key_id: input}' |
	store put-secret-value --secret-id "$arn" --secret-string file:///dev/stdin --version-stages $label \
		--query VersionId --output text)

echo "the function tries the key, which may take a minute"
mkdir -p ../dist
printf '{"Preflight": true, "SecretId": "%s"}' "$arn" |
	aws --region "$region" --cli-read-timeout 900 lambda invoke --function-name "$function" \
		--cli-binary-format raw-in-base64-out --payload file:///dev/stdin ../dist/preflight.json >/dev/null
# An AWSCURRENT whose key is dead is a reason to supply one.
if [ "$(jq '[.checks[]? | select(.name | startswith("the supplied key")).ok] == [true]' ../dist/preflight.json)" != true ]; then
	store update-secret-version-stage --secret-id "$arn" --version-stage $label --remove-from-version-id "$version" >/dev/null
	jq -r '.errorMessage // (.checks[] | select(.ok | not) | "\(.name): no: \(.code): \(.detail)")' ../dist/preflight.json >&2
	fail "the key is not taken, and nothing has changed"
fi
store rotate-secret --secret-id "$arn" >/dev/null </dev/null
echo "the key is being put into force: \"make status\" shows when it is"
