#!/bin/sh
# A base image for the runtimes where no registry can be reached: Debian and its Python, as root.
#
#   base_image.sh 3.11 bookworm    makes local/python:3.11; an image that exists stays as it is
#
# It looks as Docker's official Python image does to a Dockerfile: python3 and pip in /usr/local/bin, and no
# distribution that refuses pip. This machine's certificates and pip settings go in, because a build inside
# reaches the package registries the way this machine does.
set -eu

version=${1:?the Python version, such as 3.11}
suite=${2:?the Debian suite that has it: bookworm (3.11) or trixie (3.13)}
image=local/python:$version
# Where this machine has Debian's packages from; elsewhere (Ubuntu) mmdebstrap knows a mirror by itself.
mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 2>/dev/null | grep -m1 '/debian/*$' || true)}
bundle=/etc/ssl/certs/ca-certificates.crt

if docker image inspect "$image" >/dev/null 2>&1; then
  echo "$image is there already."
  exit 0
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Two settings files that pip reads on this machine become the one that it reads in the image.
python3 -m pip config list 2>/dev/null |
  python3 -c '
import ast, sys
print("[global]")
for line in sys.stdin:
    name, _, value = line.strip().partition("=")
    section, _, key = name.partition(".")
    text = ast.literal_eval(value).split()
    # What is a folder of this machine is none of the image.
    kept = [word for word in text if "/" not in word or "://" in word and not word.startswith("file:")]
    if section in ("global", ":env:") and key != "cert" and kept:
        print(key, "=", *kept)
' >"$folder/pip.conf"
echo "cert = $bundle" >>"$folder/pip.conf"

mmdebstrap --quiet --variant=minbase --include=python3,python3-pip,python3-venv,ca-certificates \
  --aptopt='Acquire::Retries "3"' \
  --customize-hook="copy-in $bundle /etc/ssl/certs/" \
  --customize-hook="copy-in $folder/pip.conf /etc/" \
  --customize-hook='ln -s ../../bin/python3 "$1/usr/local/bin/python3" && ln -s ../../bin/python3 "$1/usr/local/bin/python"' \
  --customize-hook='ln -s ../../bin/pip3 "$1/usr/local/bin/pip"' \
  --customize-hook='rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  "$suite" "$folder/root.tar" ${mirror:+"$mirror"}

# uv does not read pip's settings.
set --
for name in UV_DEFAULT_INDEX UV_INDEX UV_INDEX_URL UV_EXTRA_INDEX_URL; do
  value=$(printenv "$name" || true)
  if [ -n "$value" ]; then set -- "$@" --change "ENV $name=\"$value\""; fi
done

docker import "$@" \
  --change "ENV SSL_CERT_FILE=$bundle PIP_CERT=$bundle REQUESTS_CA_BUNDLE=$bundle" \
  --change 'CMD ["python3"]' \
  "$folder/root.tar" "$image" >/dev/null
echo "$image is made of Debian $suite."
