#!/bin/sh
# Takes a new key, which is typed here or comes on standard input after its id, a line each, stores it as a version of the
# secret that moves nothing, lets the function try it, and starts the rotation that puts it into force. The key stands in
# no file, no argument list and no history, and is never shown.
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

if [ -t 0 ]; then
	trap 'stty echo' EXIT
	trap 'exit 130' INT TERM
	printf 'id of the new key, empty if it has none: ' && IFS= read -r id
	printf 'its end, such as 2026-12-31T00:00:00Z, empty if it has none: ' && IFS= read -r end
	stty -echo
	printf 'new key: ' && IFS= read -r secret && echo
	stty echo
else
	IFS= read -r id && IFS= read -r end && IFS= read -r secret || true # the last line need not end
fi
[ -n "$secret" ] || fail "the key is empty"
case $id$end$secret in
*[[:cntrl:]]*) fail "the key, its id or its end holds a control character" ;;
esac

# printf is a built-in command of the shell: the key is no program's argument. Only the key counts of what is stored here.
version=$(printf '%s\n' "$id" "$end" "$secret" |
	jq -cRn '{key_id: input, expires_at: input, api_key: input} | with_entries(select(.value != ""))' |
	store put-secret-value --secret-id "$arn" --secret-string file:///dev/stdin --version-stages $label \
		--query VersionId --output text)

mkdir -p ../dist
printf '{"Preflight": true, "SecretId": "%s"}' "$arn" |
	aws --region "$region" --cli-read-timeout 900 lambda invoke --function-name "$function" \
		--cli-binary-format raw-in-base64-out --payload file:///dev/stdin ../dist/preflight.json >/dev/null
if [ "$(jq .ok ../dist/preflight.json)" != true ]; then
	store update-secret-version-stage --secret-id "$arn" --version-stage $label --remove-from-version-id "$version" >/dev/null
	jq -r '.checks[] | select(.ok | not) | "supply: \(.name): no: \(.code): \(.detail)"' ../dist/preflight.json >&2
	fail "the key is not taken, and nothing has changed"
fi
store rotate-secret --secret-id "$arn" >/dev/null </dev/null
echo "the key works and is being put into force: make status shows when it is"
