#!/bin/sh
# Puts a Meridian program under systemd, from a clone in which `npm ci && npm run build` has run:
#
#   sudo packages/supervision/systemd/install.sh directory [--option value]...
#   sudo packages/supervision/systemd/install.sh region <id> --lat <degrees> --lon <degrees> [--option value]...
#   sudo packages/supervision/systemd/install.sh region <id> --cluster-file <file> [--option value]...
#
# The programs go to /opt/meridian, the command `meridian` to /usr/local/bin, the unit to /etc/systemd/system, the options
# to an environment file under /etc/meridian. Run again without options to upgrade: the programs and the unit are
# replaced, the options and the data stay, and the version before stays in /opt/meridian.old, to go back to by
# `mv`. With DESTDIR set, everything goes under that folder, and systemd is not told.
set -eu
umask 022
export LC_ALL=C

fail() {
  printf 'install.sh: %s\n' "$1" >&2
  exit 2
}

usage='Expected `directory [--option value]...` or `region <id> [--option value]...`'
clone=$(CDPATH='' cd -- "$(dirname -- "$0")/../../.." && pwd)
root=${DESTDIR:-}
prefix=$root/opt/meridian
units=$root/etc/systemd/system
etc=$root/etc/meridian
bin=$root/usr/local/bin

# --- What is to be installed ---------------------------------------------------------------------------------

[ $# -ge 1 ] || fail "$usage, got nothing"
app=$1
if [ "$app" = --help ] || [ "$app" = -h ]; then
  sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
  exit 0
fi
shift
case $app in
directory)
  unit=meridian-directory.service
  service=meridian-directory
  env_file=$etc/directory.env
  ;;
region)
  [ $# -ge 1 ] || fail "$usage, got no id"
  id=$1
  shift
  case $id in
  '' | -* | *- | *[!a-z0-9-]*) odd=yes ;;
  *) if [ ${#id} -gt 63 ]; then odd=yes; else odd=no; fi ;;
  esac
  [ $odd = no ] ||
    fail "Expected an id of 1 to 63 lower-case letters, digits and inner hyphens, got \`$id\`"
  unit=meridian-region@.service
  service=meridian-region@$id
  env_file=$etc/region-$id.env
  ;;
*) fail "$usage, got \`$app\`" ;;
esac

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

# --- The options, as lines of an environment file ------------------------------------------------------------

# What the unit itself says.
case $app in
directory) fixed='--data' ;;
region) fixed='--id|--data' ;;
esac
known=$("$node" "$clone/apps/$app/dist/main.js" --help | grep -Eo -- '^ +--[a-z-]+ <' | tr -d ' <' | grep -Evx -- "$fixed")
lines=
given=' '
while [ $# -gt 0 ]; do
  case $1 in
  --*=*)
    flag=${1%%=*}
    value=${1#*=}
    shift
    ;;
  --*)
    [ $# -ge 2 ] || fail "Expected a value after \`$1\`, got nothing"
    flag=$1
    value=$2
    shift 2
    ;;
  *) fail "Expected \`--option value\`, got \`$1\`" ;;
  esac
  if printf '%s\n' "$flag" | grep -Eqx -- "$fixed"; then
    fail "Expected no \`$flag\`: the unit sets it"
  fi
  printf '%s\n' "$known" | grep -Fqx -- "$flag" ||
    fail "Unknown option \`$flag\` of the $app. There are: $(printf '%s' "$known" | tr '\n' ' ')"
  case $given in
  *" $flag "*) fail "Expected \`$flag\` once, got it again" ;;
  esac
  given="$given$flag "
  [ "$(printf '%s' "$value" | tr -d '[:cntrl:]')" = "$value" ] || fail "Expected one line after \`$flag\`"
  name=MERIDIAN_$(printf '%s' "${flag#--}" | tr 'a-z-' 'A-Z_')
  quoted=$(printf '%s' "$value" | sed 's/[\\"$`]/\\&/g')
  lines="$lines$name=\"$quoted\"
"
done
if [ -e "$env_file" ]; then
  [ -z "$lines" ] || fail "Expected no options, because $env_file exists. Edit that, then: systemctl restart $service"
elif [ "$app" = region ]; then
  case $given in
  *' --cluster-file '*) needed= ;;
  *) needed='--lat --lon' ;;
  esac
  for flag in $needed; do
    case $given in
    *" $flag "*) ;;
    *) fail "Expected \`$flag <degrees>\` or \`--cluster-file <file>\` for a new region, got nothing" ;;
    esac
  done
fi

# --- Everything is right: write ------------------------------------------------------------------------------

mkdir -p "$root/opt" "$units" "$etc" "$bin"
rm -rf "$prefix.new"
mkdir -p "$prefix.new/bin"
"$node" "$clone/packages/supervision/systemd/stage.mjs" "$clone" "$prefix.new" apps/directory apps/region apps/cli
case $node in
# A service sees no home and no temporary folder of anyone else's.
/home/* | /root/* | /run/* | /tmp/* | /var/tmp/*) cp -- "$node" "$prefix.new/bin/node" ;;
*) ln -s -- "$node" "$prefix.new/bin/node" ;;
esac
chmod -R a+rX,go-w "$prefix.new"
# What does not fit together is to fail here rather than in the service.
"$prefix.new/bin/node" "$prefix.new/apps/$app/dist/main.js" --version >/dev/null
(cd "$prefix.new" && bin/node -e 'new (require("better-sqlite3"))(":memory:").close()') ||
  fail "Expected modules built for $("$node" --version), the Node.js at $node. Run npm ci with that one"
if [ -e "$prefix" ] && diff -rq --no-dereference "$prefix" "$prefix.new" >/dev/null; then
  # Several services of one version are installed one by one: the version before is another one.
  rm -rf "$prefix.new"
else
  if [ -e "$prefix" ]; then
    rm -rf "$prefix.old"
    mv -- "$prefix" "$prefix.old"
  fi
  mv -- "$prefix.new" "$prefix"
fi
{
  printf '#!/bin/sh\n'
  printf 'exec /opt/meridian/bin/node /opt/meridian/apps/cli/dist/main.js "$@"\n'
} >"$bin/meridian.new"
chmod 755 "$bin/meridian.new"
mv -- "$bin/meridian.new" "$bin/meridian"

cp -- "$clone/apps/$app/systemd/$unit" "$units/$unit"
chmod 644 "$units/$unit"
if [ ! -e "$env_file" ]; then
  {
    printf '# Options of %s. Those there are: %s\n' "$service" \
      "/opt/meridian/bin/node /opt/meridian/apps/$app/dist/main.js --help"
    printf '%s' "$lines"
  } >"$env_file.new"
  chmod 640 "$env_file.new"
  mv -- "$env_file.new" "$env_file"
fi
if [ -z "$root" ] && [ -d /run/systemd/system ]; then systemctl daemon-reload; fi

printf 'Installed %s with its options in %s.\n' "$service" "${env_file#"$root"}"
if [ -e "$prefix.old" ]; then
  printf 'The version before is kept in /opt/meridian.old.\n'
fi
printf 'Start it now and at every boot: systemctl enable --now %s\n' "$service"
printf 'Or, if it runs already:         systemctl restart %s\n' "$service"
