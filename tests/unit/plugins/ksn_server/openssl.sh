#!/usr/bin/env bash
# The server as curl and openssl see it: HTTP/1.1, HTTP/2, TLS versions, ALPN, a request by hand.
set -euo pipefail
tool=$1
folder=$(mktemp -d)
trap 'exec 3>&- || true; wait 2>/dev/null || true; rm -rf "$folder"' EXIT
mkfifo "$folder/in"
"$tool" "$folder/own" < "$folder/in" > "$folder/out" &
exec 3> "$folder/in"
for _ in $(seq 1200); do grep -qs . "$folder/out" && break; sleep 0.05; done
read -r port certificate < "$folder/out"
url=https://localhost:$port
fail() { echo "FAILED: $*"; exit 1; }
head -c 60000 /dev/urandom > "$folder/body"

for version in --http1.1 --http2; do
  curl -sS --max-time 20 $version --cacert "$certificate" --data-binary @"$folder/body" -o "$folder/answer" -w '%{http_version} %{http_code}' "$url/ksn/v1/ask" > "$folder/said"
  cmp "$folder/body" "$folder/answer" || fail "$version: another body came back"
  echo "$version: $(cat "$folder/said")"
done
grep -q '^2 200' "$folder/said" || fail "HTTP/2 was not spoken: $(cat "$folder/said")"
[ "$(curl -sS --max-time 20 --cacert "$certificate" "$url/status")" = "<p>well</p>" ] || fail "no page"
head -c 1100000 /dev/zero > "$folder/big"
[ "$(curl -sS --max-time 20 --http1.1 --cacert "$certificate" --data-binary @"$folder/big" -o /dev/null -w '%{http_code}' "$url/ksn/v1/ask" || true)" = 413 ] || fail "a body over the limit was taken"
[ "$(curl -sS --max-time 20 --cacert "$certificate" -X PUT -d x -o /dev/null -w '%{http_code}' "$url/ksn/v1/ask" || true)" != 200 ] || fail "PUT was taken"
# Nobody who does not know the certificate accepts it.
! curl -sS --max-time 20 -d x "$url/" > /dev/null 2>&1 || fail "curl trusted a certificate that it does not know"

# Into a file: a reader that stops early would end openssl by a signal.
s_client() { timeout 20 openssl s_client -connect "localhost:$port" -CAfile "$certificate" -verify_return_error "$@" > "$folder/told" 2>&1 || true; }
told() { grep -q "$1" "$folder/told" || { cat "$folder/told"; fail "$2"; }; }
s_client -alpn h2,http/1.1 < /dev/null
told 'ALPN protocol: h2' "h2 is not chosen"
s_client -alpn http/1.1 < /dev/null
told 'ALPN protocol: http/1.1' "http/1.1 is not chosen"
s_client -tls1_2 < /dev/null
told 'Protocol *: TLSv1.2' "TLS 1.2 is refused"
s_client -tls1_1 -cipher 'ALL:@SECLEVEL=0' < /dev/null
! grep -q 'Cipher is ECDHE' "$folder/told" || fail "TLS 1.1 is accepted"
printf 'POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello' > "$folder/request"
s_client -quiet < "$folder/request"
told hello "a request by hand was not answered"
echo "all well"
