#!/bin/sh
# Puts a Meridian program under systemd, from a clone in which `npm ci && npm run build` has run:
#
#   sudo packages/supervision/systemd/install.sh directory [--option value]...
#   sudo packages/supervision/systemd/install.sh region <id> --lat <degrees> --lon <degrees> [--option value]...
#   sudo packages/supervision/systemd/install.sh region <id> --cluster-file <file> [--option value]...
#
# The programs go to a folder of their version under /opt/meridian, to which /opt/meridian/current leads; the command
# `meridian` to /usr/local/bin; the rest is done by `meridian service install`, whose options these are. Run again without
# options to upgrade: the programs and the unit are replaced, the options and the data stay, and the version before stays
# beside the new one, to go back to by its link. With DESTDIR set, everything goes under that folder, and systemd is not told.
set -eu
umask 022
export LC_ALL=C

fail() {
  printf 'install.sh: %s\n' "$1" >&2
  exit 2
}

clone=$(CDPATH='' cd -- "$(dirname -- "$0")/../../.." && pwd)
root=${DESTDIR:-}
home=$root/opt/meridian
bin=$root/usr/local/bin

case ${1:-} in
--help | -h)
  sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
  exit 0
  ;;
esac

[ $# -ge 1 ] || fail 'Expected `directory [--option value]...` or `region <id> [--option value]...`, got nothing'
program=$1
shift

# --- What it is installed from -------------------------------------------------------------------------------

node=$(command -v node) ||
  fail 'Expected node on the PATH, found none. If sudo hides yours: sudo env "PATH=$PATH" ...'
node=$(readlink -f -- "$node")
"$node" -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
  fail "Expected Node.js 20.19 or newer, got $("$node" --version) at $node"
for needed in directory region cli; do
  [ -f "$clone/apps/$needed/dist/main.js" ] ||
    fail "Expected a built clone, found no apps/$needed/dist/main.js. Run: npm ci && npm run build"
done
[ -n "$root" ] || [ "$(id -u)" -eq 0 ] || fail 'Expected to run as root, to write to /opt and /etc. Use sudo'
# What is wrong with the options is to be said before anything is written.
"$node" "$clone/apps/cli/dist/main.js" service install "$program" --root "$root" --dry-run "$@" || exit 2

# --- Everything is right: write ------------------------------------------------------------------------------

version=$("$node" "$clone/apps/cli/dist/main.js" version)
name=meridian-$version
mkdir -p "$home" "$bin"
rm -rf "$home/new"
mkdir -p "$home/new/bin"
"$node" "$clone/packages/supervision/systemd/stage.mjs" "$clone" "$home/new" apps/directory apps/region apps/cli
case $node in
# A service sees no home and no temporary folder of anyone else's.
/home/* | /root/* | /run/* | /tmp/* | /var/tmp/*) cp -- "$node" "$home/new/bin/node" ;;
*) ln -s -- "$node" "$home/new/bin/node" ;;
esac
chmod -R a+rX,go-w "$home/new"
# What does not fit together is to fail here rather than in the service.
for app in directory region cli; do "$home/new/bin/node" "$home/new/apps/$app/dist/main.js" --version >/dev/null; done
(cd "$home/new" && bin/node -e 'new (require("better-sqlite3"))(":memory:").close()') ||
  fail "Expected modules built for $("$node" --version), the Node.js at $node. Run npm ci with that one"
if [ -e "$home/$name" ] && diff -rq --no-dereference "$home/$name" "$home/new" >/dev/null; then
  # Several services of one version are installed one by one.
  rm -rf "$home/new"
else
  if [ -e "$home/$name" ]; then
    rm -rf "$home/$name.old"
    mv -- "$home/$name" "$home/$name.old"
  fi
  mv -- "$home/new" "$home/$name"
fi
ln -sfn "$name" "$home/current.new"
mv -T -- "$home/current.new" "$home/current"
{
  printf '#!/bin/sh\n'
  printf 'exec /opt/meridian/current/bin/node /opt/meridian/current/apps/cli/dist/main.js "$@"\n'
} >"$bin/meridian.new"
chmod 755 "$bin/meridian.new"
mv -- "$bin/meridian.new" "$bin/meridian"

"$home/current/bin/node" "$home/current/apps/cli/dist/main.js" service install "$program" --root "$root" "$@"
for before in "$home"/meridian-*; do
  [ "$before" = "$home/$name" ] ||
    printf 'To go back: ln -sfn %s /opt/meridian/current, and restart the services.\n' "${before##*/}"
done
