# shellcheck shell=bash
# Takes away all that neither we want nor what we want needs. What stays is then the same as in the
# image of Debian's packages, whatever a newer stage 2 may bring.
set -u
export DEBIAN_FRONTEND=noninteractive
cd /kassa-build || exit
say() { echo "kassa: $*" >&2; }
installed() { dpkg-query --show --showformat='${db:Status-Abbrev} ${Package}\n' | sed -n 's/^i. *//p' | sort -u; }
required() { dpkg-query --show --showformat='${Priority} ${Package}\n' | sed -n 's/^required //p'; }

# apt would keep these for the newest kernels, and the compiler with them.
mapfile -t headers < <(installed | grep -E '^linux-(headers|kbuild)-' || [ $? = 1 ])
[ ${#headers[@]} = 0 ] || apt-get purge --yes "${headers[@]}" </dev/null

mapfile -t all < <(installed)
mapfile -t kept < <(sort -u wanted <(required))
apt-mark auto "${all[@]}" </dev/null >/dev/null
apt-mark manual "${kept[@]}" </dev/null >/dev/null
apt-get autoremove --purge --yes -o APT::AutoRemove::RecommendsImportant=false \
    -o APT::AutoRemove::SuggestsImportant=false </dev/null
mapfile -t left_overs < <(dpkg-query --show --showformat='${db:Status-Abbrev} ${Package}\n' | sed -n 's/^rc *//p')
[ ${#left_overs[@]} = 0 ] || dpkg --purge "${left_overs[@]}" </dev/null
apt-get clean </dev/null

for name in $(comm -23 <(sort -u wanted) <(installed)); do
    say "$name is needed, and gone"
    exit 1
done
for name in $(comm -12 <(sed 's/[ #].*//' unwanted.txt | sort -u) <(installed)); do
    say "$name must not be here, and something still needs it"
    exit 1
done

# People: pi-gen's first user, and whoever else there may be. Nobody may become root without a key.
people=$(awk -F: '$3 >= 1000 && $3 < 60000 {print $1}' /etc/passwd)
for user in $people; do
    userdel --remove "$user" </dev/null
done
rm -rf /etc/sudoers.d

# Of things that are gone: units that were enabled by hand, the language, the proxy of this build.
find /etc/systemd/system -xtype l -delete
rm -f /etc/default/locale /etc/locale.conf /etc/apt/apt.conf.d/51cache
