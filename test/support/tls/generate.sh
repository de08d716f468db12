#!/bin/sh
# Makes the certificates of this directory anew (needs openssl; nothing else in the project does). They are test
# material, valid from 2020 to 2120, and no real client trusts them. They are committed because Node cannot make
# certificates by itself.
#
#   ca.crt                the authority that the test server's certificate comes from
#   server.{crt,key}      the test server: DNS:localhost, IP:127.0.0.1, IP:::1
#   wrong-host.{crt,key}  signed by the same authority, for another host: fails verify-full, passes verify-ca
#   client.{crt,key}      signed by the same authority, common name cert_user: for authentication method "cert"
#   other-ca.crt          an authority that signed none of these: fails verify-ca
set -eu
cd "$(dirname "$0")"

# The keys of the two authorities are thrown away: nothing else can be signed by them.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/index"
cat >"$work/config" <<END
[ca]
default_ca = test
[test]
database = $work/index
new_certs_dir = $work
rand_serial = yes
unique_subject = no
default_md = sha256
default_startdate = 20200101000000Z
default_enddate = 21200101000000Z
policy = policy
[policy]
commonName = supplied
END

# certificate FILE KEY-FILE COMMON-NAME EXTENSIONS WHO-SIGNS...
certificate() {
  file=$1 key=$2
  printf '%b\n' "$4" >"$work/extensions"
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$3" -keyout "$key" \
    -out "$work/request" 2>/dev/null
  shift 4
  openssl ca -batch -notext -config "$work/config" -extfile "$work/extensions" -in "$work/request" -out "$file" "$@" \
    2>/dev/null
}

authority='basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign'
server='basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName='
client='basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth'

certificate other-ca.crt "$work/other.key" "effectpg unrelated test authority" "$authority" \
  -selfsign -keyfile "$work/other.key"
certificate ca.crt "$work/ca.key" "effectpg test authority" "$authority" -selfsign -keyfile "$work/ca.key"
certificate server.crt server.key localhost "${server}DNS:localhost,IP:127.0.0.1,IP:::1" \
  -cert ca.crt -keyfile "$work/ca.key"
certificate wrong-host.crt wrong-host.key elsewhere.invalid "${server}DNS:elsewhere.invalid" \
  -cert ca.crt -keyfile "$work/ca.key"
certificate client.crt client.key cert_user "$client" -cert ca.crt -keyfile "$work/ca.key"
chmod 644 -- *.crt *.key
